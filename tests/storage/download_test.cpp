// SPDX-License-Identifier: Apache-2.0
// What servers may answer when the rest of an object is asked for.
#include "storage/download.hpp"

#include <gtest/gtest.h>

namespace belay::storage {
namespace {

using Step = Download::Step;

net::Response whole(std::string body, std::string version) {
  return {200, std::move(body), {{"etag", std::move(version)}}};
}
net::Response part(std::string body, std::string range, std::string version) {
  return {
      206, std::move(body), {{"content-range", std::move(range)}, {"etag", std::move(version)}}};
}

struct Cut : ::testing::Test {
  Download download;

  void SetUp() override { download.keep(whole("0123", "\"v1\"")); }
  Step take(net::Response response) { return download.take(response); }
  void expect_begins_anew() {
    EXPECT_EQ(download.here(), 0U);
    EXPECT_TRUE(download.headers().empty());
    EXPECT_EQ(take(whole("abc", "\"v2\"")), Step::done);
    EXPECT_EQ(std::move(download).bytes(), "abc");
  }
};

TEST_F(Cut, AsksForTheRestOfThatVersion) {
  const std::map<std::string, std::string> asked{{"range", "bytes=4-"}, {"if-match", "\"v1\""}};
  EXPECT_EQ(download.headers(), asked);
  EXPECT_EQ(take(part("456", "bytes 4-6/7", "\"v1\"")), Step::done);
  EXPECT_EQ(std::move(download).bytes(), "0123456");
}

TEST_F(Cut, AServerThatKnowsNoRangesSendsAllOfItAnew) {
  EXPECT_EQ(take(whole("0123456", "\"v1\"")), Step::done);
  EXPECT_EQ(std::move(download).bytes(), "0123456");
}

TEST_F(Cut, AServerThatGivesLessThanAskedForIsAskedAgain) {
  EXPECT_EQ(take(part("45", "bytes 4-5/7", "\"v1\"")), Step::again);
  EXPECT_EQ(download.headers().at("range"), "bytes=6-");
  EXPECT_EQ(take(part("6", "bytes 6-6/7", "\"v1\"")), Step::done);
  EXPECT_EQ(std::move(download).bytes(), "0123456");
}

TEST_F(Cut, AnotherVersionBeginsAnew) {
  EXPECT_EQ(take({412, "", {}}), Step::again);
  expect_begins_anew();
}

TEST_F(Cut, AnotherVersionFromAServerThatIgnoresTheConditionBeginsAnew) {
  EXPECT_EQ(take(part("456", "bytes 4-6/7", "\"v2\"")), Step::again);
  expect_begins_anew();
}

TEST_F(Cut, AnotherPlaceOrNoneBeginsAnew) {
  EXPECT_EQ(take(part("3456", "bytes 3-6/7", "\"v1\"")), Step::again);
  expect_begins_anew();
  download = Download();
  SetUp();
  EXPECT_EQ(take({206, "456", {{"etag", "\"v1\""}}}), Step::again);
  expect_begins_anew();
}

TEST_F(Cut, NothingAfterWhatIsHereIsTheEndOnlyWhenTheServerSaysSo) {
  EXPECT_EQ(take({416, "", {{"content-range", "bytes */4"}}}), Step::done);
  EXPECT_EQ(std::move(download).bytes(), "0123");
  download = Download();
  SetUp();
  EXPECT_EQ(take({416, "", {{"content-range", "bytes */3"}}}), Step::again);
  expect_begins_anew();
}

TEST_F(Cut, AVersionWithoutAStrongMarkCannotBeGoneOnFrom) {
  for (const char* mark : {"", "W/\"v1\""}) {
    download = Download();
    download.keep(whole("0123", mark));
    expect_begins_anew();
  }
}

TEST_F(Cut, WhatSaysNoIsHandedBack) {
  net::Response no{403, "why", {}};
  EXPECT_EQ(download.take(no), Step::no);
  EXPECT_EQ(no.body, "why");
}

TEST(DownloadOfAPart, IsTakenOutOfAWholeAnswer) {
  Download download(2, 3);
  EXPECT_EQ(download.headers().at("range"), "bytes=2-4");
  net::Response all = whole("0123456", "\"v1\"");
  EXPECT_EQ(download.take(all), Step::done);
  EXPECT_EQ(std::move(download).bytes(), "234");
}

}  // namespace
}  // namespace belay::storage
