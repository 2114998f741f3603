// SPDX-License-Identifier: Apache-2.0
// Plans of the way back over a real database: what they show before anybody agrees.
#include <cstdlib>

#include "app/plan_sources.hpp"
#include "app/planner.hpp"
#include "tests/support/mongo_server.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::app {
namespace {

using testing::MongoServer;
using testing::ScratchProject;

class WayBack : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const auto& [name, value] : project_.environment())
      if (name.starts_with("GIT_")) ::setenv(name.c_str(), value.c_str(), 1);
  }
  void start_database() {
    auto started = MongoServer::start();
    ASSERT_TRUE(started.ok()) << started.error().message();
    server_ = std::move(*started);
    put("one");
  }
  void put(const std::string& id) {
    ASSERT_TRUE(server_->insert("shop", "orders", {R"({"_id": ")" + id + R"("})"}).ok());
  }
  Finished belay(std::vector<std::string> words) {
    return project_.belay(std::move(words),
                          server_ ? Environment{{"MONGODB_URI", server_->uri()}} : Environment{});
  }
  std::string ship(const std::string& page) {
    project_.write("index.html", page);
    project_.commit("Page " + page);
    const auto shipped = belay({"deploy"});
    EXPECT_EQ(shipped.status, 0) << shipped.out << shipped.err;
    return releases().live->tag;
  }
  engine::Releases releases() {
    return engine::read_releases(*desk().journal, "production").value();
  }
  Desk& desk() {
    auto env = project_.environment();
    if (server_) env["MONGODB_URI"] = server_->uri();
    auto project = load_project(std::nullopt, project_.folder(), env);
    EXPECT_TRUE(project.ok()) << project.error().message();
    desk_ = open_desk(std::move(*project)).value();
    return *desk_;
  }
  // As the cleaning up after later deploys does.
  void clean_away(const std::string& release) {
    auto works = wire_present(desk(), "production", {false, true, false});
    ASSERT_TRUE(works.ok()) << works.error().message();
    ASSERT_TRUE((*works)->site.target("web").remove({"web", release}).ok());
  }

  ScratchProject project_;
  std::unique_ptr<MongoServer> server_;
  std::unique_ptr<Desk> desk_;
};

const std::string database = "database: { uri: \"${MONGODB_URI}\" }\n";

TEST_F(WayBack, APlanHoldsWhatWouldBeLostForWhoeverApprovesIt) {
  start_database();
  project_.write("belay.yaml", project_.file() + database);
  ship("one");
  ship("two");
  put("written by a customer");
  const auto plan = plan_rollback(
      desk(), {"production", "", {"dev@example.org", "dev@example.org"}, true, true, "", "", ""});
  ASSERT_TRUE(plan.ok()) << plan.error().message();
  const auto& preview = plan->notes["preview"];
  EXPECT_EQ(preview["goal"], "rp-2");
  EXPECT_EQ(preview["removed"], 1);
  EXPECT_EQ(preview["collections"][0]["collection"], "shop.orders");
  EXPECT_FALSE(preview["instant"].get<std::string>().empty());
  EXPECT_EQ(plan->facts["changes"][0]["out"], Json({"Page two"}));
  auto other = *plan;
  other.notes = Json::object();
  EXPECT_EQ(pipeline::digest(other), pipeline::digest(*plan)) << "an estimate is not signed";

  const auto shown = belay({"rollback", "--dry-run"});
  EXPECT_NE(shown.out.find("0 reverted, 1 taken back, 0 brought back"), std::string::npos)
      << shown.out;
  const auto json = Json::parse(belay({"--json", "rollback", "--dry-run"}).out);
  EXPECT_EQ(json["plan"]["notes"]["preview"]["removed"], 1);
  EXPECT_EQ(json["digest"], pipeline::digest(*plan));

  const auto done = belay({"rollback", "--yes"});
  ASSERT_EQ(done.status, 0) << done.out << done.err;
  EXPECT_NE(done.out.find("within the budget of 15m"), std::string::npos) << done.out;
  EXPECT_NE(belay({"show", "3"}).out.find("1 taken back"), std::string::npos);
  for (const auto& words :
       std::vector<std::vector<std::string>>{{"rollback", "--undo", "3", "--dry-run"},
                                             {"rewind", "salvage-3", "--dry-run"},
                                             {"rollback", plan->live, "--dry-run"}}) {
    const auto undo = belay(words);
    EXPECT_NE(undo.out.find("0 reverted, 0 taken back, 1 brought back"), std::string::npos)
        << undo.out << undo.err;
  }
}

TEST_F(WayBack, AnUndoOfNothingIsRefusedBeforeAnybodyIsAsked) {
  project_.write("belay.yaml", project_.file());
  ship("one");
  const auto no_database = belay({"rollback", "--undo", "1", "--dry-run"});
  EXPECT_EQ(no_database.status, 2) << no_database.out;
  EXPECT_NE(no_database.err.find("has no database"), std::string::npos) << no_database.err;
  start_database();
  project_.write("belay.yaml", project_.file() + database);
  ship("two");
  const auto no_salvage = belay({"rollback", "--undo", "1", "--dry-run"});
  EXPECT_EQ(no_salvage.status, 2) << no_salvage.out;
  EXPECT_NE(no_salvage.err.find("there is no salvage-1"), std::string::npos) << no_salvage.err;
}

TEST_F(WayBack, ARewindIsUndoneWhereNothingIsEverLive) {
  start_database();
  project_.write("belay.yaml", "project: shop\nstate: ../state\n" + database);
  project_.commit("Only data");
  ASSERT_EQ(belay({"backup", "create"}).status, 0);
  const auto listed = belay({"backup", "list"});
  const auto at = listed.out.find("rp-");
  ASSERT_NE(at, std::string::npos) << listed.out;
  const auto point = listed.out.substr(at, listed.out.find_first_of(" \n", at) - at);
  put("later");
  const auto back = belay({"rewind", point, "--yes"});
  ASSERT_EQ(back.status, 0) << back.out << back.err;
  const auto undone = belay({"rollback", "--undo", "1", "--yes"});
  EXPECT_EQ(undone.status, 0) << undone.out << undone.err;
  EXPECT_NE(undone.out.find("1 brought back"), std::string::npos) << undone.out;
}

TEST_F(WayBack, ToAReleaseWhoseFilesWereCleanedAwayBuildsItAgain) {
  project_.write("belay.yaml", project_.file());
  const auto first = ship("one");
  ship("two");
  clean_away(first);
  const auto plan =
      plan_rollback(desk(), {"production", first, {"dev", ""}, true, true, "", "", ""});
  ASSERT_TRUE(plan.ok()) << plan.error().message();
  ASSERT_NE(plan->step("build:web"), nullptr);
  EXPECT_NE(belay({"plan"}).out.find("not measured yet"), std::string::npos);
  EXPECT_EQ(pipeline::defects(*plan), std::vector<std::string>{});
  const auto done = belay({"rollback", first, "--yes"});
  EXPECT_EQ(done.status, 0) << done.out << done.err;
  EXPECT_EQ(releases().live->tag, first);
  const auto next = belay({"plan"}).out;
  EXPECT_NE(next.find("code back to " + first + " (about "), std::string::npos) << next;
}

TEST_F(WayBack, ThatTakesLongerThanItsBudgetIsWarnedOf) {
  project_.write("belay.yaml", project_.file("    rollback: { budget: 2m }\n"));
  ship("one");
  ship("two");
  const auto& desk_now = desk();
  auto plan = plan_rollback(*desk_, {"production", "", {"dev", ""}, true, true, "", "", ""});
  ASSERT_TRUE(plan.ok()) << plan.error().message();
  const auto& env = desk_now.project.spec.environments.front();
  EXPECT_EQ(plan->facts["budget_ms"], 120'000);
  EXPECT_EQ(warnings_of(*plan, env), Json::array()) << "nothing was measured";
  plan->notes["times_back"] = {{"switch", 100'000}, {"check", 30'000}};
  const auto warned = warnings_of(*plan, env);
  ASSERT_EQ(warned.size(), 1U);
  EXPECT_NE(warned[0].get<std::string>().find("rollback.budget is 2m"), std::string::npos)
      << warned;
  plan->notes["times_back"] = {{"switch", 100'000}, {"check", 10'000}};
  EXPECT_EQ(warnings_of(*plan, env), Json::array());
}

TEST_F(WayBack, ToAReleaseThatCannotBeBuiltAgainIsRefusedAndWhatIsHereIsNamed) {
  project_.write("belay.yaml", project_.file());
  const auto first = ship("one");
  const auto second = ship("two");
  clean_away(first);
  // Another clone, which lacks the commit.
  std::filesystem::remove_all(project_.folder() / ".git");
  project_.git({"init", "--quiet"});
  project_.commit("Anew");
  const auto refused = belay({"rollback", first, "--dry-run"});
  EXPECT_EQ(refused.status, 2) << refused.out;
  EXPECT_NE(refused.err.find("cleaned away"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find(second), std::string::npos) << refused.err;
}

}  // namespace
}  // namespace belay::app
