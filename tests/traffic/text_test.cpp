// SPDX-License-Identifier: Apache-2.0
// What we write for HAProxy and what we read from it, without one.
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "traffic/haproxy_admin.hpp"
#include "traffic/haproxy_text.hpp"
#include "traffic/routes.hpp"

namespace belay::traffic {
namespace {

Record some_record() {
  Record record;
  record.routes = {{"shop", "127.0.0.1:8080", {"shop.test"}}, {"api", "127.0.0.1:8081"}};
  record.lanes["shop"] = {{{0, {"r1", 20000}}, {3, {"r2", 20001}}}, 3, 3};
  record.lanes["api"] = {};
  return record;
}

TEST(HaproxyRecord, IsReadBackFromTheConfigurationItMade) {
  const Record record = some_record();
  const auto back = from_comment(configuration_of(record));
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->routes, record.routes);
  EXPECT_EQ(back->lanes.at("shop").slots, record.lanes.at("shop").slots);
  EXPECT_EQ(back->lanes.at("shop").active, 3);
  EXPECT_EQ(back->lanes.at("api").active, -1);
}

TEST(HaproxyRecord, DamagedOrForeignOrNewerIsAnErrorNotACrash) {
  EXPECT_EQ(from_comment("").error().fault, Fault::missing);
  EXPECT_EQ(from_comment("global\n  maxconn 5\n").error().fault, Fault::missing);
  EXPECT_FALSE(from_comment("# belay {\n"));
  EXPECT_FALSE(from_comment("# belay []\n"));
  EXPECT_FALSE(from_comment("# belay {\"format\":1}\n"));
  EXPECT_FALSE(from_comment("# belay {\"format\":1,\"routes\":[{}],\"lanes\":{}}\n"));
  EXPECT_FALSE(
      from_comment("# belay {\"format\":1,\"routes\":[],\"lanes\":{\"s\":{\"active\":0,"
                   "\"last\":0,\"slots\":{\"x\":{}}}}}\n"));
  EXPECT_EQ(from_comment("# belay {\"format\":2}\n").error().fault, Fault::refused);
}

TEST(HaproxyConfiguration, EnablesTheActiveVersionOnly) {
  const std::string text = configuration_of(some_record());
  EXPECT_NE(text.find("server slot3 127.0.0.1:20001\n"), std::string::npos) << text;
  EXPECT_NE(text.find("server slot0 127.0.0.1:20000 disabled\n"), std::string::npos);
  EXPECT_NE(text.find("server slot1 127.0.0.1:1 disabled\n"), std::string::npos);
}

TEST(HaproxyConfiguration, ASwitchNeedsNoReloadAndARouteDoes) {
  Record record = some_record();
  const std::string before = revision_of(record);
  record.lanes["shop"].active = 0;
  EXPECT_EQ(revision_of(record), before);
  record.routes[0].domains.push_back("www.shop.test");
  EXPECT_NE(revision_of(record), before);
}

TEST(HaproxyConfiguration, NoLineIsLongerThanHaproxyReads) {
  Record record = some_record();
  for (int n = 0; n < 500; ++n)
    record.routes[0].domains.push_back("host" + std::to_string(n) + ".test");
  for (const auto& line : split(configuration_of(record), '\n')) EXPECT_LT(line.size(), 2048u);
}

TEST(HaproxyAdmin, ColumnsAreFoundByTheirNames) {
  const auto rows =
      rows_of_stat("# pxname,svname,scur,hrsp_5xx,\nbe_shop,slot0,7,2,\nbe_shop,slot1,,,\n\n");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(number_of(rows[0], "scur"), 7);
  EXPECT_EQ(number_of(rows[1], "scur"), 0);
  EXPECT_EQ(number_of(rows[1], "no_such_column"), 0);
  EXPECT_TRUE(rows_of_stat("").empty());
  EXPECT_TRUE(rows_of_stat("garbage without a header\n1,2,3\n").empty());
}

TEST(Fence, ItsMapIsReadBack) {
  const Fence fence{{"shop", 25000}, {"api", 1}};
  EXPECT_EQ(from_map_file(to_map_file(fence)), fence);
  EXPECT_TRUE(from_map_file("").empty());
  EXPECT_TRUE(from_map_file("cut").empty());
}

TEST(Addresses, AreReadInTheFormsHaproxyKnows) {
  EXPECT_EQ(parse_address("127.0.0.1:8080")->port, 8080);
  EXPECT_EQ(parse_address(":443")->host, "");
  EXPECT_EQ(parse_address("[::1]:8080")->host, "::1");
  for (const char* wrong :
       {"", ":", "8080", ":0", ":65536", ":80x", "a b:80", "host:80\nbind :1", "x:-1"}) {
    EXPECT_FALSE(parse_address(wrong)) << wrong;
  }
}

TEST(Routes, SharingAnAddressNeedsDomainsAndNoneTwice) {
  EXPECT_TRUE(check_routes({{"a", ":443", {"a.test"}}, {"b", ":443", {"b.test"}}}));
  EXPECT_FALSE(check_routes({{"a", ":443", {"a.test"}}, {"b", ":443"}}));
  EXPECT_FALSE(check_routes({{"a", ":443", {"a.test"}}, {"b", ":443", {"a.test"}}}));
  EXPECT_FALSE(check_routes({{"a", ":443"}, {"a", ":444"}}));
  EXPECT_FALSE(check_routes({{"a", ":443", {"a.test"}, "/cert.pem"}, {"b", ":443", {"b.test"}}}));
}

}  // namespace
}  // namespace belay::traffic
