// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "vault/vault.hpp"

namespace belay::vault {
namespace {

const TimePoint now = parse_time("2026-11-23T12:00:00Z").value();

PointSummary aged(const std::string& name, int days, const std::string& kind = "deploy") {
  PointSummary point;
  point.name = name;
  point.kind = kind;
  point.finished = now - std::chrono::hours(24) * days;
  return point;
}

using Names = std::vector<std::string>;

TEST(Retention, AnEmptyVaultHasNothingToRemove) {
  EXPECT_EQ(expired({}, {}, now, {}), Names{});
}

TEST(Retention, TheNewestAreKeptHoweverOld) {
  const std::vector<PointSummary> points = {aged("a", 400), aged("b", 300), aged("c", 200)};
  EXPECT_EQ(expired(points, {2, 30, 90}, now, {}), Names{"a"});
  EXPECT_EQ(expired(points, {3, 30, 90}, now, {}), Names{});
}

TEST(Retention, TheYoungAreKeptHoweverMany) {
  std::vector<PointSummary> points;
  for (int i = 0; i < 60; ++i) points.push_back(aged("p" + std::to_string(i), i));
  const Names gone = expired(points, {5, 30, 90}, now, {});
  EXPECT_EQ(gone.size(), 29u);  // 31 to 59 days
  EXPECT_EQ(gone.front(), "p59");
  EXPECT_EQ(gone.back(), "p31");
}

TEST(Retention, ExactlyTheLimitIsStillKept) {
  EXPECT_EQ(expired({aged("a", 30), aged("b", 31)}, {0, 30, 90}, now, {}), Names{"b"});
}

TEST(Retention, SafetyPointsHaveTheirOwnTimeAndCountForNobody) {
  const std::vector<PointSummary> points = {aged("safe-old", 91, "safety"),
                                            aged("safe", 89, "safety"), aged("a", 100),
                                            aged("s1", 1, "safety")};
  EXPECT_EQ(expired(points, {1, 30, 90}, now, {}), Names{"safe-old"});
}

TEST(Retention, ProtectedNamesAreNeverRemoved) {
  const std::vector<PointSummary> points = {aged("live", 500), aged("old", 400), aged("new", 1)};
  EXPECT_EQ(expired(points, {1, 30, 90}, now, {"live", "no-such"}), Names{"old"});
}

TEST(Retention, DamagedPointsAreLeftForAPersonAndTakeNoPlace) {
  const std::vector<PointSummary> points = {aged("torn", 500, "damaged"), aged("a", 400)};
  EXPECT_EQ(expired(points, {1, 0, 0}, now, {}), Names{});
}

TEST(Retention, ZeroOfEverythingRemovesAllButTheProtected) {
  EXPECT_EQ(expired({aged("a", 2), aged("b", 1)}, {0, 0, 0}, now, {"b"}), Names{"a"});
}

TEST(Retention, PointsFromTheFutureAreKept) {
  EXPECT_EQ(expired({aged("ahead", -3)}, {0, 0, 0}, now, {}), Names{});
}

}  // namespace
}  // namespace belay::vault
