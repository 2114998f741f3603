// SPDX-License-Identifier: Apache-2.0
// Variables that belay.yaml gives to services on platforms: what is set, what is left alone, and
// what a way back does with them.
#include "tests/target/railway_subject.hpp"
#include "tests/target/sweeps.hpp"
#include "tests/target/vercel_subject.hpp"

namespace belay::contract {
namespace {

using target::VariableNames;
using target::Version;
using Names = std::set<std::string>;

const Environment first{{"API_URL", "https://api.shop.example.org"}, {"JWT_SECRET", "one-secret"}};
const Environment second{{"API_URL", "https://api.shop.example.org"}, {"JWT_SECRET", "two-secret"}};

struct RailwayVariables : ::testing::Test {
  RailwaySubject on;
  const Version v1{"backend", "prod-1"}, v2{"backend", "prod-2"};

  Status ship(const Version& version, const std::string& commit, const Environment& env) {
    target::Artifact artifact;
    artifact.commit = commit;
    TRY(on.target().prepare(version, artifact, "key", {}, {}));
    return on.target().activate(version, env, "a-" + version.release, {}, {});
  }
  Steps there_and_back() {
    return {[this] { return ship(v1, "aaa1", first); }, [this] { return ship(v2, "bbb2", second); },
            [this] { return on.target().go_back(v1, first, "b-1", {}, {}); }};
  }
  VariableNames compared(const Environment& wanted) {
    auto names = on.target().variables(wanted, {});
    EXPECT_TRUE(names) << names.error().message();
    return **names;
  }
  // What the newest deployment has.
  Json given() { return on.stand_in.state()["deployments"].back()["variables"]; }
  void expect_back_at_first() {
    const auto state = on.stand_in.state();
    EXPECT_EQ(state["complaints"], Json::array());
    EXPECT_EQ(state["deployments"].size(), 3u);
    EXPECT_EQ(given(), Json(first));
    EXPECT_EQ(state["variables"], Json(first));
    EXPECT_TRUE(on.target().status(v1)->live);
  }
};

TEST_F(RailwayVariables, ThePlanIsToldNamesAndNothingIsChanged) {
  on.stand_in.set("name=API_URL&value=https://old.example.org");
  on.stand_in.set("name=JWT_SECRET&value=one-secret");
  on.stand_in.set("name=BY_HAND&value=1");
  const auto before = on.stand_in.state();
  const auto names = compared(
      {{"API_URL", "https://api.shop.example.org"}, {"JWT_SECRET", "one-secret"}, {"NEW", "1"}});
  EXPECT_EQ(names.added, Names{"NEW"});
  EXPECT_EQ(names.changed, Names{"API_URL"});
  EXPECT_EQ(names.same, Names{"JWT_SECRET"});
  EXPECT_EQ(names.others, Names{"BY_HAND"}) << "Railway's own are nobody's business";
  EXPECT_EQ(on.stand_in.state(), before);
}

TEST_F(RailwayVariables, ADeploymentHasThemAndWhatIsNotNamedStays) {
  on.stand_in.set("name=BY_HAND&value=1");
  on.stand_in.set("name=JWT_SECRET&value=sealed-one&sealed=yes");
  const auto done = ship(v1, "aaa1", first);
  ASSERT_TRUE(done) << done.error().message();
  auto all = Json(first);
  all["BY_HAND"] = "1";
  EXPECT_EQ(given(), all) << "a sealed one, which is not shown, gets its value, too";
  EXPECT_EQ(on.stand_in.state()["deployments"].size(), 1u) << "setting them deploys nothing";
  EXPECT_EQ(on.stand_in.state()["complaints"], Json::array());
}

TEST_F(RailwayVariables, AServiceOfWhichBelayYamlSaysNothingIsNotAskedForThem) {
  ASSERT_TRUE(ship(v1, "aaa1", {}));
  const int requests = on.stand_in.proxy().count();
  on.reset();
  ASSERT_TRUE(ship(v1, "aaa1", first));
  EXPECT_EQ(on.stand_in.proxy().count(), requests + 3) << "look, set, look";
}

TEST_F(RailwayVariables, ARollbackIsRailwaysOwnWhereTheValuesAreThoseOfThen) {
  std::string said;
  ASSERT_TRUE(ship(v1, "aaa1", first));
  ASSERT_TRUE(ship(v2, "bbb2", second));
  const auto back =
      on.target().go_back(v1, first, "b", [&said](std::string_view text) { said += text; }, {});
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(said.find("built anew"), std::string::npos) << said;
  expect_back_at_first();
}

// Railway's own rollback would bring the former secret, which may be void by now.
TEST_F(RailwayVariables, WhereAValueIsAnotherNowTheReleaseGetsThePresentOne) {
  std::string said;
  ASSERT_TRUE(ship(v1, "aaa1", first));
  ASSERT_TRUE(ship(v2, "bbb2", second));
  const auto back =
      on.target().go_back(v1, second, "b", [&said](std::string_view text) { said += text; }, {});
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_NE(said.find("variables that differ"), std::string::npos) << said;
  EXPECT_EQ(said.find("secret"), std::string::npos) << said;
  EXPECT_EQ(given(), Json(second));
  EXPECT_TRUE(on.target().status(v1)->live);
}

TEST_F(RailwayVariables, WhatNeverLeftGetsItsVariablesBack) {
  ASSERT_TRUE(ship(v1, "aaa1", first));
  ASSERT_FALSE(ship(v2, "bad2", second));
  EXPECT_EQ(on.stand_in.state()["variables"], Json(second));
  ASSERT_TRUE(on.target().go_back(v1, first, "b", {}, {}));
  EXPECT_EQ(on.stand_in.state()["variables"], Json(first));
}

struct RailwayVariablesTrouble : RailwayVariables, ::testing::WithParamInterface<std::size_t> {};

TEST_P(RailwayVariablesTrouble, WhateverHappensToARequestTheyAreSetAndNothingIsDoubled) {
  in_trouble_at_each_request(on, there_and_back(), belay::testing::every_fault().at(GetParam()),
                             [this] { expect_back_at_first(); });
}
INSTANTIATE_TEST_SUITE_P(Faults, RailwayVariablesTrouble,
                         ::testing::Range<std::size_t>(0, belay::testing::every_fault().size()));

TEST_F(RailwayVariables, WhereverItDiesWhoeverGoesOnSetsThemAndDoublesNothing) {
  dead_after_each_request(on, there_and_back(), [this] { expect_back_at_first(); });
}

struct VercelVariables : ::testing::Test {
  VercelSubject on;
  const Version v1{"frontend", "prod-1"}, v2{"frontend", "prod-2"};
  const Environment one{{"NEXT_PUBLIC_API_URL", "https://api.shop.example.org"},
                        {"JWT_SECRET", "one-secret"}};
  const Environment two{{"NEXT_PUBLIC_API_URL", "https://api2.shop.example.org"},
                        {"JWT_SECRET", "one-secret"}};

  Status prepare(const Version& version, const Environment& env) {
    auto artifact = on.good();
    artifact.variables = env;
    return on.target().prepare(version, artifact, "key-" + version.release, {}, {});
  }
  Steps there_and_back() {
    return {[this] { return prepare(v1, one); },
            [this] { return on.target().activate(v1, one, "a-1", {}, {}); },
            [this] { return prepare(v2, two); },
            [this] { return on.target().activate(v2, two, "a-2", {}, {}); },
            [this] { return on.target().go_back(v1, one, "b-1", {}, {}); }};
  }
  Json there() {
    Json all = Json::object();
    const auto state = on.stand_in.state();
    for (const auto& each : state["variables"]) all[each["key"].get<std::string>()] = each["value"];
    return all;
  }
  void expect_back_at_first() {
    const auto state = on.stand_in.state();
    EXPECT_EQ(state["complaints"], Json::array());
    ASSERT_EQ(state["deployments"].size(), 2u);
    EXPECT_EQ(state["deployments"][0]["-variables"], Json(one));
    EXPECT_EQ(state["deployments"][1]["-variables"], Json(two));
    EXPECT_EQ(state["variables"].size(), 2u) << "none is doubled";
    EXPECT_EQ(there(), Json(one));
    EXPECT_EQ(state["alias"]["to"], "dpl_1");
  }
};

TEST_F(VercelVariables, ThePlanIsToldNamesAndNothingIsChanged) {
  on.stand_in.set(
      "key=NEXT_PUBLIC_API_URL&value=https://old.example.org&type=plain&target=production");
  on.stand_in.set("key=SAME&value=1&type=encrypted&target=production");
  on.stand_in.set("key=JWT_SECRET&value=one-secret&type=sensitive&target=production");
  on.stand_in.set("key=BY_HAND&value=1&type=encrypted&target=production,preview");
  on.stand_in.set("key=NEW&value=0&type=plain&target=preview");
  const auto before = on.stand_in.state();
  auto wanted = one;
  wanted["SAME"] = wanted["NEW"] = "1";
  const auto found = on.target().variables(wanted, {});
  ASSERT_TRUE(found) << found.error().message();
  const auto& names = **found;
  EXPECT_EQ(names.added, Names{"NEW"}) << "a preview's is another one";
  EXPECT_EQ(names.changed, Names{"NEXT_PUBLIC_API_URL"});
  EXPECT_EQ(names.same, Names{"SAME"});
  EXPECT_EQ(names.unreadable, Names{"JWT_SECRET"});
  EXPECT_EQ(names.others, Names{"BY_HAND"});
  EXPECT_EQ(on.stand_in.state(), before);
}

TEST_F(VercelVariables, TheBuildHasThemForTheyAreSetBeforeItIsOrdered) {
  on.stand_in.set("key=BY_HAND&value=1&type=plain&target=production");
  on.stand_in.set("key=JWT_SECRET&value=old-secret&type=sensitive&target=production");
  const auto done = prepare(v1, one);
  ASSERT_TRUE(done) << done.error().message();
  auto all = Json(one);
  all["BY_HAND"] = "1";
  const auto state = on.stand_in.state();
  EXPECT_EQ(state["deployments"][0]["-variables"], all);
  EXPECT_EQ(state["complaints"], Json::array());
  for (const auto& each : state["variables"]) {
    if (each["key"] == "JWT_SECRET") {
      EXPECT_EQ(each["type"], "sensitive") << "it stays what it was";
    }
  }
}

TEST_F(VercelVariables, WhatIsAnotherEnvironmentsTooIsNotChanged) {
  on.stand_in.set("key=JWT_SECRET&value=shared-secret&type=encrypted&target=production,preview");
  const auto done = prepare(v1, one);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().fault, Fault::conflict);
  EXPECT_NE(done.error().message().find("JWT_SECRET"), std::string::npos);
  EXPECT_EQ(done.error().message().find("secret\""), std::string::npos);
  EXPECT_EQ(there()["JWT_SECRET"], "shared-secret");
  EXPECT_EQ(on.stand_in.state()["deployments"].size(), 0u);
}

struct VercelVariablesTrouble : VercelVariables, ::testing::WithParamInterface<std::size_t> {};

TEST_P(VercelVariablesTrouble, WhateverHappensToARequestTheyAreSetOnce) {
  in_trouble_at_each_request(on, there_and_back(), belay::testing::every_fault().at(GetParam()),
                             [this] { expect_back_at_first(); });
}
INSTANTIATE_TEST_SUITE_P(Faults, VercelVariablesTrouble,
                         ::testing::Range<std::size_t>(0, belay::testing::every_fault().size()));

// The way back is over before they are set for later deployments: it does not wait for that.
TEST_F(VercelVariables, WhereverItDiesWhoeverGoesOnSetsThemOnce) {
  auto there_only = there_and_back();
  const auto back = there_only.back();
  there_only.pop_back();
  dead_after_each_request(on, there_only, [&] {
    const auto done = back();
    EXPECT_TRUE(done) << done.error().message();
    expect_back_at_first();
  });
}

struct VercelPreview : VercelVariables {
  Result<std::optional<target::Preview>> preview() { return on.target().preview(v1, {}); }
  net::Response ask(const target::Preview& preview) {
    net::Request request;
    request.url = preview.url;
    request.headers = preview.headers;
    return net::make_client(on.clock)->send(request, {}).value();
  }
};

TEST_F(VercelPreview, AVersionAnswersAtItsOwnAddressBeforeItIsLive) {
  ASSERT_TRUE(prepare(v1, {}));
  const auto found = preview();
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(ask(**found).status, 200);
  EXPECT_EQ(on.stand_in.state()["alias"]["to"], nullptr);
}

TEST_F(VercelPreview, ProtectionIsToldWithTheRemedyAndPassedWithTheSecretOnly) {
  ASSERT_TRUE(prepare(v1, {}));
  for (const auto* shows : {"yes", "no"}) {
    on.stand_in.set(std::string("protection=on&bypass=past-it&shows_keys=") + shows);
    on.config.bypass = Secret();
    on.remake();
    auto found = preview();
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().fault, Fault::refused);
    EXPECT_NE(found.error().message().find("bypass: ${NAME}"), std::string::npos);
    on.config.bypass = Secret("a-wrong-secret");
    on.remake();
    found = preview();
    ASSERT_FALSE(found) << "shown or not";
    EXPECT_NE(found.error().message().find("does not take"), std::string::npos);
    EXPECT_EQ(found.error().message().find("a-wrong-secret"), std::string::npos);
    on.config.bypass = Secret("past-it");
    on.remake();
    found = preview();
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_EQ(ask(**found).status, 200);
  }
}

}  // namespace
}  // namespace belay::contract
