// SPDX-License-Identifier: Apache-2.0
#include "app/stored_records.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace belay::app {

namespace {

constexpr int most_collisions = 100;
constexpr std::size_t digits = 8;

class StoredRecords final : public Records {
 public:
  StoredRecords(storage::Storage& store, std::string prefix)
      : store_(store), prefix_(std::move(prefix)) {}

  Result<std::optional<std::string>> read(const std::string& name) override {
    for (;;) {
      TRY_LET(const auto all, objects(name));
      if (all.empty()) return std::optional<std::string>();
      auto text = store_.get(all.back());
      // Replaced since the listing, by a later one.
      if (!text && text.error().fault == Fault::missing) continue;
      if (!text) return std::move(text).error();
      return std::optional(std::move(*text));
    }
  }

  Status write(const std::string& name, std::string_view text) override {
    for (int collision = 0; collision < most_collisions; ++collision) {
      TRY_LET(const auto all, objects(name));
      TRY_LET(const auto last, all.empty() ? Result<std::int64_t>(0) : number_of(all.back()));
      Status put = store_.put(fmt::format("{}{}/{:08}", prefix_, name, last + 1), text);
      if (!put && put.error().fault == Fault::conflict) continue;
      TRY(std::move(put));
      // One that stays is older than what counts: nobody reads it.
      for (const auto& object : all) static_cast<void>(store_.remove(object).ok());
      return {};
    }
    return fail(Fault::busy, name + " is written by others all the time");
  }

  // The one that counts goes last: no older one comes to light.
  Status remove(const std::string& name) override {
    TRY_LET(const auto all, objects(name));
    for (const auto& object : all) TRY(store_.remove(object));
    return {};
  }

  Result<std::vector<std::string>> names(const std::string& prefix) override {
    TRY_LET(const auto all, store_.list(prefix_ + prefix));
    std::vector<std::string> found;
    for (const auto& object : all) {
      const auto end = object.name.rfind('/');
      auto name = object.name.substr(prefix_.size(), end - prefix_.size());
      const bool within = name.find('/', prefix.size()) != std::string::npos;
      if (!within && (found.empty() || found.back() != name)) found.push_back(std::move(name));
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  std::string where() const override {
    return store_.where() + "/" + prefix_.substr(0, prefix_.size() - 1);
  }

 private:
  static Result<std::int64_t> number_of(const std::string& object) {
    const auto text = object.substr(object.rfind('/') + 1);
    if (text.size() != digits || text.find_first_not_of("0123456789") != std::string::npos)
      return fail(Fault::corrupt, object + " is not what Belay writes");
    return std::stoll(text);
  }

  Result<std::vector<std::string>> objects(const std::string& name) {
    TRY_LET(const auto all, store_.list(prefix_ + name + "/"));
    std::vector<std::string> names;
    for (const auto& object : all) names.push_back(object.name);
    return names;
  }

  storage::Storage& store_;
  std::string prefix_;
};

}  // namespace

std::unique_ptr<Records> make_stored_records(storage::Storage& store, std::string prefix) {
  return std::make_unique<StoredRecords>(store, std::move(prefix));
}

}  // namespace belay::app
