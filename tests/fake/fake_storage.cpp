// SPDX-License-Identifier: Apache-2.0
#include "tests/fake/fake_storage.hpp"

namespace belay::fake {

namespace {

Error refused() {
  return fail(Fault::unreachable, "the store does not answer (as planned)");
}
Error lost() {
  return unknown_effect(Fault::timeout, "the store's reply was lost (as planned)");
}

bool is_name(const std::string& name) {
  if (name.empty() || name.back() == '/' || name.find("//") != std::string::npos) return false;
  if (name.front() == '.' || name.front() == '/' || name.find("/.") != std::string::npos)
    return false;
  return name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") ==
         std::string::npos;
}

Error bad_name(const std::string& name) {
  return fail(Fault::invalid, "'" + name + "' cannot be the name of an object");
}

}  // namespace

FakeStorage::Turn FakeStorage::turn() {
  ++calls_;
  if (death_ != 0 && calls_ >= death_) return half_ && calls_ == death_ ? Turn::lost : Turn::fail;
  if (failing_.contains(calls_)) return Turn::fail;
  return losing_.contains(calls_) ? Turn::lost : Turn::fine;
}

void FakeStorage::revive() {
  const std::lock_guard lock(mutex_);
  failing_.clear();
  losing_.clear();
  calls_ = death_ = 0;
  half_ = false;
}

int FakeStorage::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

void FakeStorage::flip(const std::string& name, std::size_t byte, int bit) {
  const std::lock_guard lock(mutex_);
  char& victim = objects_.at(name).at(byte);
  victim = static_cast<char>(victim ^ (1 << bit));
}

void FakeStorage::cut(const std::string& name, std::size_t bytes_left) {
  const std::lock_guard lock(mutex_);
  objects_.at(name).resize(bytes_left);
}

void FakeStorage::drop(const std::string& name) {
  const std::lock_guard lock(mutex_);
  objects_.erase(name);
}

std::string FakeStorage::content(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return objects_.at(name);
}

std::vector<std::string> FakeStorage::names(const std::string& prefix) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [name, content] : objects_) {
    if (name.starts_with(prefix)) out.push_back(name);
  }
  return out;
}

std::map<std::string, std::string> FakeStorage::objects() const {
  const std::lock_guard lock(mutex_);
  return objects_;
}

void FakeStorage::set_objects(std::map<std::string, std::string> objects) {
  const std::lock_guard lock(mutex_);
  objects_ = std::move(objects);
}

Status FakeStorage::put(const std::string& name, std::string_view content) {
  const std::lock_guard lock(mutex_);
  if (!is_name(name)) return bad_name(name);
  const Turn now = turn();
  if (now == Turn::fail) return refused();
  largest_put_ = std::max(largest_put_, content.size());
  const bool is_new = objects_.emplace(name, content).second;
  if (is_new && clock_ != nullptr && !name.starts_with("leases/"))
    locked_[name] = clock_->now() + lock_;
  if (now == Turn::lost) return lost();
  if (!is_new) return fail(Fault::conflict, name + " is there already");
  return {};
}

Result<std::string> FakeStorage::get(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (!is_name(name)) return bad_name(name);
  if (turn() != Turn::fine) return refused();
  const auto found = objects_.find(name);
  if (found == objects_.end()) return fail(Fault::missing, "there is no " + name);
  return found->second;
}

Result<std::vector<storage::Object>> FakeStorage::list(const std::string& prefix) {
  const std::lock_guard lock(mutex_);
  if (turn() != Turn::fine) return refused();
  std::vector<storage::Object> out;
  for (auto it = objects_.lower_bound(prefix); it != objects_.end(); ++it) {
    if (!it->first.starts_with(prefix)) break;
    out.push_back({it->first, it->second.size()});
  }
  return out;
}

Status FakeStorage::remove(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (!is_name(name)) return bad_name(name);
  const Turn now = turn();
  if (now == Turn::fail) return refused();
  if (is_locked(name)) return fail(Fault::busy, name + " is locked");
  objects_.erase(name);
  if (now == Turn::lost) return lost();
  return {};
}

void FakeStorage::lock(const Clock& clock, Millis time) {
  clock_ = &clock;
  lock_ = time;
}

bool FakeStorage::is_locked(const std::string& name) const {
  const auto found = locked_.find(name);
  return clock_ != nullptr && found != locked_.end() && objects_.contains(name) &&
         found->second > clock_->now();
}

std::optional<TimePoint> FakeStorage::locked_until(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return is_locked(name) ? std::optional(locked_.at(name)) : std::nullopt;
}

Result<std::optional<TimePoint>> FakeStorage::until(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (turn() != Turn::fine) return refused();
  if (!objects_.contains(name)) return fail(Fault::missing, "there is no " + name);
  return is_locked(name) ? std::optional(locked_.at(name)) : std::nullopt;
}

Status FakeStorage::keep(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (turn() == Turn::fail) return refused();
  if (!objects_.contains(name)) return fail(Fault::missing, "there is no " + name);
  locked_[name] = clock_->now() + lock_;
  return {};
}

Result<bool> FakeStorage::exists(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (!is_name(name)) return bad_name(name);
  if (turn() != Turn::fine) return refused();
  return objects_.contains(name);
}

}  // namespace belay::fake
