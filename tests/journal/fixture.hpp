// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include "journal/journal.hpp"
#include "tests/fake/fake_ledger.hpp"
#include "tests/support/fake_world.hpp"

namespace belay::journal {

inline NewEvent created(const std::string& environment = "production") {
  return {"run.created", "",
          R"({"environment":")" + environment + R"(","pipeline":"deploy","summary":{"tag":"t"}})"};
}
inline NewEvent event(std::string kind, std::string body = "{}") {
  return {std::move(kind), "", std::move(body)};
}
inline NewEvent granted(const std::string& environment = "production") {
  return event("lock.granted", R"({"environment":")" + environment + R"("})");
}
inline NewEvent finished(const std::string& ending = "shipped") {
  return event("run.finished", R"({"ending":")" + ending + R"("})");
}

class JournalFixture : public ::testing::Test {
 protected:
  ScratchFolder scratch_ = ScratchFolder::make("belay-journal").value();
  FakeClock clock_;

  Path folder() const { return scratch_.path() / "state"; }
  std::unique_ptr<Journal> open() {
    auto journal = open_sqlite(folder(), clock_);
    EXPECT_TRUE(journal) << journal.error().message();
    return journal ? std::move(*journal) : nullptr;
  }
};

}  // namespace belay::journal
