// SPDX-License-Identifier: Apache-2.0
// What doctor says of a store that is to lock what is put into it.
#include <gtest/gtest.h>

#include "app/doctor.hpp"
#include "tests/storage/stores.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::app {
namespace {

using testing::ScratchProject;

struct DoctorOfALock : ::testing::Test {
  SystemClock clock;
  SystemRandom random;
  ScratchProject project;

  std::vector<Finding> findings(const storage::S3Config& config) {
    project.write("belay.yaml",
                  project.file() +
                      fmt::format("database: {{ uri: \"mongodb://127.0.0.1:1/shop\" }}\nvault:\n"
                                  "  store: s3:{}/{}\n  lock: 1h\n  s3:\n    key: ${{S3_KEY}}\n"
                                  "    secret: ${{S3_SECRET}}\n    region: {}\n    endpoint: {}\n"
                                  "    path_style: true\n",
                                  config.bucket, config.prefix, config.region, config.endpoint));
    auto env =
        project.environment({{"S3_KEY", config.key.id}, {"S3_SECRET", config.key.secret.reveal()}});
    return examine({std::nullopt, project.folder(), env, "", BELAY_PROGRAM});
  }
  static Finding of_lock(std::vector<Finding> all) {
    for (auto& one : all)
      if (one.about == "production: vault: lock") return one;
    ADD_FAILURE() << "no finding of a lock";
    return {};
  }
};

TEST_F(DoctorOfALock, WhatAThiefRemovedIsBadAndBroughtBackWhenAgreed) {
  const auto config = belay::testing::with_lock(belay::testing::s3_server().config);
  auto plain = config;
  plain.lock = {};
  const auto store = storage::make_s3(config, clock, random).value();
  const auto thief = storage::make_s3(plain, clock, random).value();
  ASSERT_TRUE(store->put("points/a", "ours").ok());
  ASSERT_TRUE(thief->remove("points/a").ok());
  const auto found = of_lock(findings(config));
  EXPECT_EQ(found.grade, Grade::bad);
  EXPECT_NE(found.found.find("points/a"), std::string::npos) << found.found;
  ASSERT_TRUE(found.mend.has_value());
  EXPECT_EQ(found.mend->apply().value(),
            "1 objects are there again; look further with: belay backup verify");
  EXPECT_EQ(store->get("points/a").value(), "ours");
  EXPECT_EQ(of_lock(findings(config)).grade, Grade::good);
}

TEST_F(DoctorOfALock, ABucketWithoutObjectLockIsBadAndSaysWhatToDo) {
  const auto found = of_lock(findings(belay::testing::s3_server().config));
  EXPECT_EQ(found.grade, Grade::bad);
  EXPECT_NE(found.found.find("has no object lock"), std::string::npos) << found.found;
  EXPECT_NE(found.remedy.find("vault.lock"), std::string::npos) << found.remedy;
}

TEST_F(DoctorOfALock, KeysThatWerePutBeforeThereWasALockAreToBeLockedByAPoint) {
  const auto config = belay::testing::with_lock(belay::testing::s3_server().config);
  auto plain = config;
  plain.lock = {};
  ASSERT_TRUE(storage::make_s3(plain, clock, random).value()->put("config", "{}").ok());
  const auto found = of_lock(findings(config));
  EXPECT_EQ(found.grade, Grade::warn);
  EXPECT_EQ(found.remedy, "take a restore point: belay backup create");
}

}  // namespace
}  // namespace belay::app
