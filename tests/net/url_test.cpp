// SPDX-License-Identifier: Apache-2.0
#include "net/url.hpp"

#include <gtest/gtest.h>

#include "net/date.hpp"

namespace belay::net {
namespace {

TEST(Url, IsTakenApartAndPutTogetherAgain) {
  const auto url = parse_url("https://api.example.org:8443/v1/a%20b?x=1&y=").value();
  EXPECT_EQ(url.scheme, "https");
  EXPECT_EQ(url.authority, "api.example.org:8443");
  EXPECT_EQ(url.path, "/v1/a%20b");
  EXPECT_EQ(url.query, "x=1&y=");
  EXPECT_EQ(to_text(url), "https://api.example.org:8443/v1/a%20b?x=1&y=");
}

TEST(Url, ThePortThatTheSchemeImpliesIsLeftOutAsInTheHostHeader) {
  EXPECT_EQ(to_text(parse_url("https://a.example:443").value()), "https://a.example/");
  EXPECT_EQ(to_text(parse_url("http://a.example:80/x").value()), "http://a.example/x");
  EXPECT_EQ(to_text(parse_url("http://a.example:443?q").value()), "http://a.example:443/?q");
}

TEST(Url, WhatIsNoneIsInvalidAndSaysWhy) {
  for (const char* text : {"", "a.example", "ftp://a.example/", "https://", "https:///x",
                           "https://a b/", "https://a/\nb", "https://a/#b", "https://u:p@a/"}) {
    const auto url = parse_url(text);
    ASSERT_FALSE(url.ok()) << text;
    EXPECT_EQ(url.error().fault, Fault::invalid) << text;
  }
}

TEST(Url, EveryByteComesBackFromItsEncoding) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  EXPECT_EQ(percent_decoded(percent_encoded(bytes)), bytes);
  EXPECT_EQ(percent_encoded("a/b c~+", "/"), "a/b%20c~%2B");
  EXPECT_EQ(percent_decoded("100%"), "100%");
  EXPECT_EQ(percent_decoded("%zz%4"), "%zz%4");
}

TEST(Url, AQueryIsInTheOrderOfItsNamesAndANameAloneHasItsEqualsSign) {
  EXPECT_EQ(query_text({{"uploads", ""}, {"prefix", "a/b"}}), "prefix=a%2Fb&uploads=");
  EXPECT_EQ(query_text({}), "");
}

TEST(Url, OnlyAddressesOfThisMachineAreNear) {
  for (const char* near : {"http://127.0.0.1:80/x", "https://127.1.2.3", "http://localhost:9/",
                           "http://LOCALHOST/", "http://[::1]:8080/"})
    EXPECT_TRUE(is_near(near)) << near;
  for (const char* far : {"https://127.0.0.1.example.org/", "https://localhost.example.org/",
                          "http://128.0.0.1/", "http://[::2]/", "127.0.0.1", ""})
    EXPECT_FALSE(is_near(far)) << far;
}

TEST(HttpDate, GoesThereAndBack) {
  const auto at = parse_time("2026-01-05T09:08:07Z").value();
  EXPECT_EQ(http_date(at), "Mon, 05 Jan 2026 09:08:07 GMT");
  EXPECT_EQ(parse_http_date(http_date(at)), at);
  EXPECT_EQ(parse_http_date("Monday, 05-Jan-26 09:08:07 GMT"), at);
  EXPECT_FALSE(parse_http_date("soon").has_value());
}

}  // namespace
}  // namespace belay::net
