// SPDX-License-Identifier: Apache-2.0
#include "app/stored_records.hpp"

#include <algorithm>

#include "app/numbered_entries.hpp"

namespace belay::app {

namespace {

constexpr int most_collisions = 100;

class StoredRecords final : public Records {
 public:
  StoredRecords(storage::Storage& store, std::string prefix)
      : store_(store), prefix_(std::move(prefix)) {}

  Result<std::optional<std::string>> read(const std::string& name) override {
    TRY_LET(auto latest, entries(name).latest());
    if (!latest) return std::optional<std::string>();
    return std::optional(std::move(latest->text));
  }

  Status write(const std::string& name, std::string_view text) override {
    auto record = entries(name);
    for (int collision = 0; collision < most_collisions; ++collision) {
      TRY_LET(const auto all, record.numbers());
      const auto next = (all.empty() ? 0 : all.back()) + 1;
      Status put = record.put(next, text);
      if (!put && put.error().fault == Fault::conflict) continue;
      TRY(std::move(put));
      record.remove_below(next, all);
      return {};
    }
    return fail(Fault::busy, name + " is written by others all the time");
  }

  // The one that counts goes last: no older one comes to light.
  Status remove(const std::string& name) override {
    auto record = entries(name);
    TRY_LET(const auto all, record.numbers());
    for (const auto number : all) TRY(record.remove(number));
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
  NumberedEntries entries(const std::string& name) { return {store_, prefix_ + name + "/"}; }

  storage::Storage& store_;
  std::string prefix_;
};

}  // namespace

std::unique_ptr<Records> make_stored_records(storage::Storage& store, std::string prefix) {
  return std::make_unique<StoredRecords>(store, std::move(prefix));
}

}  // namespace belay::app
