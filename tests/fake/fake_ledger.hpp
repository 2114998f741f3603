// SPDX-License-Identifier: Apache-2.0
// A ledger in a folder, for several journals and processes at once, with trouble by plan: "put",
// "get", "list".
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "journal/journal.hpp"
#include "tests/fake/fault_plan.hpp"

namespace belay::fake {

class FakeLedger final : public journal::Ledger {
 public:
  explicit FakeLedger(Path folder) : folder_(std::move(folder)) {}

  FaultPlan faults;

  // As the real stores do: all of it appears at once, or nothing.
  Status put(const std::string& name, std::string_view text) override {
    return faults.act<Status>(
        "put", {},
        [&]() -> Status {
          std::error_code code;
          std::filesystem::create_directories((folder_ / name).parent_path(), code);
          const Path draft =
              folder_ / fmt::format("draft-{}-{}", ::getpid(), static_cast<const void*>(this));
          TRY(write_file(draft, std::string(text)));
          const bool first = ::link(draft.c_str(), (folder_ / name).c_str()) == 0;
          ::unlink(draft.c_str());
          if (!first) return fail(Fault::conflict, name + " is there already");
          return {};
        },
        Status{});
  }

  Result<std::string> get(const std::string& name) override {
    return faults.act<Result<std::string>>(
        "get", {}, [&]() -> Result<std::string> { return read_file(folder_ / name); },
        Result<std::string>(std::string()));
  }

  Result<std::vector<std::string>> list(const std::string& prefix) override {
    using Names = Result<std::vector<std::string>>;
    return faults.act<Names>(
        "list", {},
        [&]() -> Names {
          std::vector<std::string> names;
          std::error_code code;
          const auto all = std::filesystem::recursive_directory_iterator(folder_, code);
          for (const auto& entry : code ? std::filesystem::recursive_directory_iterator() : all) {
            const auto name = entry.path().lexically_relative(folder_).string();
            if (entry.is_regular_file() && name.starts_with(prefix)) names.push_back(name);
          }
          std::sort(names.begin(), names.end());
          return names;
        },
        Names(std::vector<std::string>{}));
  }

  std::string where() const override { return "fake:ledger"; }

  void drop(const std::string& name) const { std::filesystem::remove(folder_ / name); }

 private:
  Path folder_;
};

}  // namespace belay::fake
