// SPDX-License-Identifier: Apache-2.0
#include "tests/support/fake_world.hpp"

#include <algorithm>

namespace belay {

FakeClock::FakeClock(TimePoint now) : now_(now) {}

TimePoint FakeClock::now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

Millis FakeClock::steady() const {
  const std::lock_guard lock(mutex_);
  return steady_;
}

bool FakeClock::sleep(Millis duration, std::stop_token stop) {
  if (stop.stop_requested()) return false;
  std::function<void(Millis)> hook;
  {
    const std::lock_guard lock(mutex_);
    ASSERT(++sleeps_ < 1'000'000);
    hook = hook_;
  }
  if (hook) hook(duration);
  if (stop.stop_requested()) return false;
  const std::lock_guard lock(mutex_);
  const Millis moved = std::max(duration, Millis(0));
  now_ += moved;
  steady_ += moved;
  slept_ += moved;
  return true;
}

void FakeClock::advance(Millis by) {
  const std::lock_guard lock(mutex_);
  now_ += by;
  steady_ += by;
}

void FakeClock::jump(Millis by) {
  const std::lock_guard lock(mutex_);
  now_ += by;
}

void FakeClock::on_sleep(std::function<void(Millis)> hook) {
  const std::lock_guard lock(mutex_);
  hook_ = std::move(hook);
}

Millis FakeClock::slept() const {
  const std::lock_guard lock(mutex_);
  return slept_;
}

// SplitMix64.
std::uint64_t SeededRandom::next() {
  const std::lock_guard lock(mutex_);
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

void SerialExecutor::run_all(std::vector<std::function<void()>> work) {
  if (order_ != nullptr) {
    for (std::size_t left = work.size(); left > 1; --left) {
      std::swap(work[left - 1], work[order_->next() % left]);
    }
  }
  for (auto& piece : work) piece();
}

void FakeChildren::script(const std::string& key, Script script) {
  const std::lock_guard lock(mutex_);
  scripts_[key] = std::move(script);
}

void FakeChildren::script(const std::string& key, int status, std::string output) {
  script(key, [status, output = std::move(output)](const ChildSpec&, const Say& say) {
    say(output);
    return ChildStatus{ChildState::ended, status};
  });
}

void FakeChildren::refuse_start(const std::string& key, Error error) {
  const std::lock_guard lock(mutex_);
  refused_.insert_or_assign(key, std::move(error));
}

FakeChildren::Script FakeChildren::script_for(const std::string& key) const {
  if (const auto exact = scripts_.find(key); exact != scripts_.end()) return exact->second;
  for (const auto& [part, script] : scripts_) {
    if (key.find(part) != std::string::npos) return script;
  }
  return [](const ChildSpec&, const Say&) { return ChildStatus{ChildState::ended, 0}; };
}

// The script runs without the lock: it may look at us.
void FakeChildren::complete(const std::string& key) {
  std::unique_lock lock(mutex_);
  const auto child = children_.find(key);
  if (child == children_.end() || child->second.status.state != ChildState::running) return;
  const ChildSpec spec = child->second.spec;
  const Script script = script_for(key);
  lock.unlock();
  std::string said;
  const ChildStatus status = script(spec, [&](std::string_view text) { said += text; });
  lock.lock();
  Child& now = children_[key];
  if (now.status.state != ChildState::running) return;  // lost meanwhile
  now.output += said;
  now.status = status;
}

void FakeChildren::lose(const std::string& key) {
  const std::lock_guard lock(mutex_);
  if (const auto child = children_.find(key); child != children_.end()) {
    child->second.status = {ChildState::unknown};
  }
}

void FakeChildren::lose_all_running() {
  const std::lock_guard lock(mutex_);
  for (auto& [key, child] : children_) {
    if (child.status.state == ChildState::running) child.status = {ChildState::unknown};
  }
}

int FakeChildren::starts(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  return static_cast<int>(std::count_if(started_.begin(), started_.end(),
                                        [&](const ChildSpec& spec) { return spec.key == key; }));
}

std::vector<ChildSpec> FakeChildren::started() const {
  const std::lock_guard lock(mutex_);
  return started_;
}

std::vector<std::string> FakeChildren::ended_by_us() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

Status FakeChildren::start(const ChildSpec& spec) {
  const std::lock_guard lock(mutex_);
  if (const auto refused = refused_.find(spec.key); refused != refused_.end()) {
    Error error = refused->second;
    refused_.erase(refused);
    return error;
  }
  if (children_.contains(spec.key)) {
    return fail(Fault::conflict, "\"" + spec.key + "\" was started before; look at it first");
  }
  children_[spec.key].spec = spec;
  started_.push_back(spec);
  return {};
}

Result<ChildStatus> FakeChildren::look(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto child = children_.find(key);
  return child == children_.end() ? ChildStatus{} : child->second.status;
}

Result<ChildStatus> FakeChildren::wait(const std::string& key,
                                       const std::function<void(std::string_view)>& output,
                                       std::stop_token stop) {
  if (stop.stop_requested()) return fail(Fault::cancelled, "no longer waiting; it goes on");
  complete(key);
  std::string said;
  {
    const std::lock_guard lock(mutex_);
    if (const auto child = children_.find(key); child != children_.end())
      said = child->second.output;
  }
  if (output && !said.empty()) output(said);
  return look(key);
}

Status FakeChildren::end(const std::string& key, Millis) {
  const std::lock_guard lock(mutex_);
  const auto child = children_.find(key);
  if (child == children_.end() || child->second.status.state != ChildState::running) return {};
  child->second.status = {ChildState::ended, 128 + 15};
  ended_.push_back(key);
  return {};
}

Result<std::string> FakeChildren::output(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto child = children_.find(key);
  if (child == children_.end()) return fail(Fault::missing, "no child \"" + key + "\"");
  return child->second.output;
}

Status FakeChildren::keep(const std::string& key, std::string_view output) {
  const std::lock_guard lock(mutex_);
  const auto child = children_.find(key);
  if (child == children_.end()) return fail(Fault::missing, "no child \"" + key + "\"");
  child->second.output = output;
  return {};
}

Status FakeChildren::forget(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto child = children_.find(key);
  if (child == children_.end()) return {};
  if (child->second.status.state == ChildState::running) {
    return fail(Fault::busy, "\"" + key + "\" is still running");
  }
  children_.erase(child);
  return {};
}

}  // namespace belay
