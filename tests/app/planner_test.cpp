// SPDX-License-Identifier: Apache-2.0
#include "app/planner.hpp"

#include "app/plan_sources.hpp"

#include <cstdlib>

#include "app/plan_sources.hpp"

#include "tests/support/scratch_project.hpp"

namespace belay::app {
namespace {

using testing::ScratchProject;

class Planner : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const auto& [name, value] : project_.environment())
      if (name.starts_with("GIT_")) ::setenv(name.c_str(), value.c_str(), 1);
    project_.write("belay.yaml", file(2));
    project_.write("index.html", "one\n");
    commit_ = project_.commit("First");
  }

  std::string file(int required) {
    return project_.file(required == 0 ? ""
                                       : fmt::format("    approvals: {{ required: {}, reviewers: "
                                                     "[amina, leo] }}\n",
                                                     required),
                         people());
  }
  std::string people() {
    return "people:\n  amina: " + project_.public_key("amina") +
           "\n  leo: " + project_.public_key("leo") + "\n";
  }
  // A run with this plan, which went through its gate or is still waiting there.
  void record(const pipeline::Plan& plan, bool through) {
    auto run = desk_->journal->create_run({"run.created", "", canonical(created_body(plan)), 1});
    ASSERT_TRUE(run.ok());
    if (!through) return;
    const auto* gate = plan.first_of("approve");
    ASSERT_NE(gate, nullptr);
    const Json passed{{"step", gate->id}, {"attempt", 1},     {"ok", true},
                      {"ms", 0},          {"adopted", false}, {"result", Json::object()}};
    ASSERT_TRUE(
        desk_->journal->append(*run, 1, {{"step.outcome", "gate-" + *run, canonical(passed), 1}})
            .ok());
  }

  std::unique_ptr<Desk> desk(const std::optional<Path>& named = {}) {
    auto project = load_project(named, project_.folder(), project_.environment());
    EXPECT_TRUE(project.ok()) << project.error().message();
    auto opened = open_desk(std::move(*project));
    EXPECT_TRUE(opened.ok()) << opened.error().message();
    return std::move(*opened);
  }
  Result<pipeline::Plan> plan(const std::string& ref = {}) {
    desk_ = desk();
    return plan_deploy(
        *desk_, {"production", ref, {"dev@example.org", "dev@example.org"}, "", "", "", false});
  }
  static int required(const pipeline::Plan& plan) {
    const auto* gate = plan.first_of("approve");
    return gate == nullptr ? 0 : gate->args["rule"]["required"].get<int>();
  }

  ScratchProject project_;
  std::string commit_;
  std::unique_ptr<Desk> desk_;
};

TEST_F(Planner, TheSameInputGivesTheSameDigest) {
  auto first = plan();
  ASSERT_TRUE(first.ok()) << first.error().message();
  auto second = plan();
  ASSERT_TRUE(second.ok());
  // The release's name has the time in it.
  second->release = "prod-20260101-000000";
  EXPECT_EQ(pipeline::digest(*first), pipeline::digest(*second));
  EXPECT_EQ(first->commit, commit_);
}

TEST_F(Planner, TwoRunsOfOneSecondHaveNamesOfTheirOwn) {
  std::set<std::string> names;
  for (int n = 0; n < 4; ++n) {
    auto made = plan();
    ASSERT_TRUE(made.ok()) << made.error().message();
    record(*made, false);
    EXPECT_TRUE(names.insert(made->release).second) << made->release << " is taken by a run";
  }
}

TEST_F(Planner, AnotherCommitOrAnotherRuleGivesAnotherDigest) {
  auto first = plan();
  ASSERT_TRUE(first.ok());
  project_.write("index.html", "two\n");
  project_.commit("Second");
  auto second = plan();
  ASSERT_TRUE(second.ok());
  second->release = first->release;
  EXPECT_NE(pipeline::digest(*first), pipeline::digest(*second));
}

TEST_F(Planner, UncommittedChangesAreNamedAndNotShipped) {
  project_.write("index.html", "changed\n");
  project_.write("new.txt", "\n");
  auto made = plan();
  ASSERT_TRUE(made.ok());
  const auto dirty = made->notes["uncommitted"].get<std::vector<std::string>>();
  EXPECT_EQ(std::set<std::string>(dirty.begin(), dirty.end()),
            (std::set<std::string>{"index.html", "new.txt"}));
  EXPECT_EQ(made->commit, commit_);
}

TEST_F(Planner, AnEndlessListIsCutAndCounted) {
  for (int i = 0; i < 2000; ++i) project_.write(fmt::format("scratch-{}.txt", i), "\n");
  const auto made = plan();
  ASSERT_TRUE(made.ok()) << made.error().message();
  EXPECT_EQ(made->notes["uncommitted"].size(), 50U);
  EXPECT_EQ(made->notes["uncommitted_more"], 1950);
  EXPECT_NE(project_.belay({"plan"}).out.find("not shipped: 1,950 more"), std::string::npos);
}

TEST_F(Planner, ALongFileIsStoredOnceAndATooLongOneIsRefusedByName) {
  const auto with_comment = [&](std::size_t bytes) {
    std::string comment;
    while (comment.size() < bytes) comment += "# " + std::string(98, 'x') + "\n";
    project_.write("belay.yaml", file(0) + comment);
  };
  with_comment(700'000);
  project_.commit("Long");
  auto made = plan();
  ASSERT_TRUE(made.ok()) << made.error().message();
  EXPECT_EQ(made->config["release"], Json({{"same_as", "present"}}));
  EXPECT_EQ(config_of(*made)->release, desk_->project.text);
  with_comment(600'000);
  made = plan();
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().fault, Fault::invalid);
  EXPECT_NE(made.error().message().find("belay.yaml"), std::string::npos) << made.error().message();
}

TEST_F(Planner, CommitsThatGoOutAreNamedAndEndlessOnesAreNotCounted) {
  const auto live = project_.git({"rev-parse", "HEAD"});
  project_.write("index.html", "two\n");
  const auto newer = project_.commit("Newer");
  const auto spec = desk()->project.spec;
  const auto& env = spec.environments.front();
  auto source = source::make_git(project_.folder());
  ASSERT_TRUE(source.ok());
  const auto change = [&](const std::string& from, const std::string& to) {
    return changes_between(source->get(), spec, env, project_.folder(), from, to)[0];
  };
  EXPECT_EQ(change(live, newer)["commits"], Json({"Newer"}));
  EXPECT_EQ(change(live, newer)["out"], Json::array());
  EXPECT_EQ(change(newer, live)["commits"], Json::array());
  EXPECT_EQ(change(newer, live)["out"], Json({"Newer"}));
  EXPECT_TRUE(change(std::string(40, 'a'), newer).contains("error"));
  for (int i = 0; i < 55; ++i) project_.git({"commit", "--quiet", "--allow-empty", "-m", "Many"});
  const auto many = change(live, project_.git({"rev-parse", "HEAD"}));
  EXPECT_EQ(many["commits"].size(), 50U);
  EXPECT_EQ(many["commits_more"], true);
}

TEST_F(Planner, TextOfOthersStandsAsItIsAndMovesNoCursor) {
  project_.git({"commit", "--quiet", "--allow-empty", "-m", "Harmless\x1b[1A\x1b[2Kfaked"});
  project_.write("a\x1b[2K.txt", "\n");
  const auto shown = project_.belay({"plan"});
  EXPECT_EQ(shown.out.find('\x1b'), std::string::npos) << shown.out;
  EXPECT_NE(shown.out.find("Harmless\\x1b[1A\\x1b[2Kfaked"), std::string::npos) << shown.out;
}

TEST_F(Planner, APlanSaysThatOldCodeMeetsMigratedDataAndOffersTheFence) {
  const auto migrating = [&](const std::string& strategy) {
    project_.write("belay.yaml",
                   "project: shop\nstate: ../state\n"
                   "services: { web: { run: ./web, check: / } }\n"
                   "database: { uri: \"${U}\", migrate: ./migrate }\n"
                   "environments:\n  production:\n    tag: prod\n    strategy: " +
                       strategy + "\n    services: { web: { listen: \"127.0.0.1:8080\", " +
                       ScratchProject::user_line() + " } }\n");
    project_.commit(strategy);
    auto made = plan();
    EXPECT_TRUE(made.ok()) << made.error().message();
    made->live = "prod-20260101-000000";
    return warnings_of(*made, desk_->project.spec.environments.front()).dump();
  };
  EXPECT_NE(migrating("blue_green").find("strategy: all_at_once"), std::string::npos);
  EXPECT_EQ(migrating("all_at_once"), "[]");
}

TEST_F(Planner, TheRulesComeFromTheProtectedBranchAndNotFromTheBranchToShip) {
  project_.protect_main();
  project_.git({"checkout", "--quiet", "-b", "sneaky"});
  project_.write("belay.yaml", file(0));
  project_.commit("No approvals any more");
  auto made = plan();
  ASSERT_TRUE(made.ok()) << made.error().message();
  EXPECT_EQ(required(*made), 2);
  EXPECT_NE(made->facts["policy_from"].get<std::string>().find("protected branch"),
            std::string::npos);
}

TEST_F(Planner, WithoutARemoteAWeakerRuleNeedsApprovalUnderTheFormerOne) {
  record(*plan(), true);
  project_.write("belay.yaml", file(0));
  project_.commit("No approvals any more");
  auto weaker = plan();
  ASSERT_TRUE(weaker.ok()) << weaker.error().message();
  EXPECT_EQ(required(*weaker), 2);
  ASSERT_EQ(weaker->notes["policy"].size(), 1U);
  EXPECT_NE(weaker->notes["policy"][0].get<std::string>().find("former rule"), std::string::npos);

  record(*weaker, false);
  EXPECT_EQ(required(*plan()), 2) << "nobody has approved it";
  record(*plan(), true);
  EXPECT_EQ(required(*plan()), 0) << "two approved a run that carried it";
}

TEST_F(Planner, AStricterRuleThatNobodyEverPassedDoesNotLock) {
  record(*plan(), true);
  project_.write("belay.yaml", project_.file("    approvals: { required: 2, reviewers: [amina, "
                                             "leo], wait: 23h }\n",
                                             people()));
  project_.commit("A slip");
  record(*plan(), false);
  project_.write("belay.yaml", file(2));
  project_.commit("Mended");
  const auto mended = plan();
  ASSERT_TRUE(mended.ok()) << mended.error().message();
  EXPECT_TRUE(mended->notes["policy"].empty()) << mended->notes["policy"].dump();
}

TEST_F(Planner, AnotherFileThanTheProtectedBranchsDoesNotEscapeItsRules) {
  project_.protect_main();
  project_.write("mine.yaml", file(0));
  desk_ = desk(project_.folder() / "mine.yaml");
  const auto named = plan_deploy(
      *desk_, {"production", "", {"dev@example.org", "dev@example.org"}, "", "", "", false});
  ASSERT_TRUE(named.ok()) << named.error().message();
  EXPECT_EQ(required(*named), 2);
  project_.write("sub/belay.yaml", file(0));
  desk_ = desk(project_.folder() / "sub/belay.yaml");
  const auto below = plan_deploy(
      *desk_, {"production", "", {"dev@example.org", "dev@example.org"}, "", "", "", false});
  ASSERT_TRUE(below.ok()) << below.error().message();
  EXPECT_EQ(required(*below), 2);
}

TEST_F(Planner, WhereTheProtectedBranchHasNoFileTheRecordedRuleHolds) {
  record(*plan(), true);
  project_.git({"rm", "--quiet", "--cached", "belay.yaml"});
  project_.git({"commit", "--quiet", "--message", "Without"});
  project_.protect_main();
  project_.write("belay.yaml", file(0));
  const auto made = plan();
  ASSERT_TRUE(made.ok()) << made.error().message();
  EXPECT_EQ(required(*made), 2);
}

TEST_F(Planner, AFileThatCannotBeReadOnTheProtectedBranchIsAnError) {
  project_.git({"mv", "belay.yaml", "real.yaml"});
  std::filesystem::create_symlink("real.yaml", project_.folder() / "belay.yaml");
  project_.commit("A link");
  project_.protect_main();
  const auto made = plan();
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().message().find("symbolic link"), std::string::npos)
      << made.error().message();
}

TEST_F(Planner, AWorkTreeThatCannotBeReadIsNotTheSameAsNone) {
  EXPECT_TRUE(source_of(project_.folder()).ok());
  std::filesystem::remove(project_.folder() / ".git/HEAD");
  EXPECT_FALSE(source_of(project_.folder()).ok());
  std::filesystem::remove_all(project_.folder() / ".git");
  const auto none = source_of(project_.folder());
  ASSERT_TRUE(none.ok()) << none.error().message();
  EXPECT_EQ(*none, nullptr);
}

TEST_F(Planner, ARunThatNobodyCouldApproveIsRefusedBeforeItIsMade) {
  const auto made =
      plan_deploy(*(desk_ = desk()), {"production", "", {"amina", ""}, "", "", "", false});
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().message().find("only 1 could (amina asks for it"), std::string::npos)
      << made.error().message();
}

TEST_F(Planner, AStrongerRuleCountsAtOnce) {
  project_.write("belay.yaml", file(1));
  project_.commit("One");
  record(*plan(), true);
  project_.write("belay.yaml", file(2));
  project_.commit("Two");
  auto stronger = plan();
  ASSERT_TRUE(stronger.ok());
  EXPECT_EQ(required(*stronger), 2);
  EXPECT_TRUE(stronger->notes["policy"].empty());
}

std::string uri_of_migration(Desk& desk, const pipeline::Plan& plan) {
  auto works = wire_run(desk, plan);
  if (!works) return works.error().message();
  auto env = (*works)->site.migration_environment(plan.release);
  return env ? env->at("MONGODB_URI") : env.error().message();
}

TEST_F(Planner, AnEnvironmentMigratesItsOwnDatabase) {
  project_.write("belay.yaml", project_.file(R"(  staging:
    tag: staging
    services: { web: { target: command, activate: "true", status: "true", rollback: "true" } }
    database: { uri: "${STAGING}", migrate: "./migrate staging" }
database: { uri: "${PRODUCTION}", migrate: { run: ./migrate, uri: "${PRODUCTION_MIGRATION}" } }
)"));
  project_.commit("Two databases");
  const auto made = [&](const std::string& environment) {
    desk_ = desk();
    desk_->project.env["STAGING"] = "mongodb://127.0.0.1/staging";
    desk_->project.env["PRODUCTION"] = "mongodb://127.0.0.1/production";
    desk_->project.env["PRODUCTION_MIGRATION"] = "mongodb://127.0.0.1/production?appname=m";
    return plan_deploy(*desk_, {environment, "", {"dev", ""}, "", "", "", false});
  };
  const auto staging = made("staging");
  ASSERT_TRUE(staging.ok()) << staging.error().message();
  EXPECT_EQ(staging->first_of("migrate")->title, "./migrate staging");
  EXPECT_EQ(uri_of_migration(*desk_, *staging), "mongodb://127.0.0.1/staging");
  const auto production = made("production");
  ASSERT_TRUE(production.ok()) << production.error().message();
  EXPECT_EQ(production->first_of("migrate")->title, "./migrate");
  EXPECT_EQ(uri_of_migration(*desk_, *production), "mongodb://127.0.0.1/production?appname=m");
}

TEST_F(Planner, AMigrationOfTheEnvironmentAloneIsAStep) {
  project_.write("belay.yaml",
                 project_.file("    database: { uri: \"${U}\", migrate: ./migrate }\n"));
  project_.commit("In one environment");
  const auto made = plan();
  ASSERT_TRUE(made.ok()) << made.error().message();
  ASSERT_NE(made->first_of("migrate"), nullptr);
  EXPECT_NE(made->first_of("restore_point"), nullptr);
}

TEST_F(Planner, AMigrationInAServiceThatThePresentFileDoesNotPlaceIsRefused) {
  const auto migrating = [&](const std::string& service) {
    auto text = project_.file() + "database: { uri: \"${U}\", migrate: { run: ./m } }\n";
    for (auto at = text.find("web:"); at != std::string::npos; at = text.find("web:", at + 1))
      text.replace(at, 4, service + ":");
    project_.write("belay.yaml", text);
  };
  migrating("api");
  project_.commit("Migrates in api");
  migrating("web");
  const auto refused = plan();
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message().find("migrates in api, which is not among the services of "
                                           "production"),
            std::string::npos)
      << refused.error().message();
}

TEST_F(Planner, APasswordInTheFileIsRefusedBeforeItGetsIntoAPlan) {
  project_.write("belay.yaml",
                 file(0) + "database: { uri: \"mongodb://shop:hunter22@db/shop\" }\n");
  project_.commit("Password");
  const auto refused = project_.belay({"plan"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find("database.uri"), std::string::npos) << refused.err;
  EXPECT_EQ((refused.out + refused.err).find("hunter22"), std::string::npos);
}

TEST_F(Planner, ABranchThatTheRuleDoesNotNameIsRefused) {
  project_.write("belay.yaml", file(0) + "    branches: [release/*]\n");
  project_.commit("Branches");
  auto made = plan();
  ASSERT_FALSE(made.ok());
  EXPECT_NE(made.error().message().find("main"), std::string::npos) << made.error().message();
  project_.git({"branch", "release/1"});
  EXPECT_TRUE(plan("release/1").ok());
}

TEST_F(Planner, WithARemoteABranchOfOnesOwnLetsNothingThrough) {
  project_.write("belay.yaml", file(0) + "    branches: [main, release/*]\n");
  project_.commit("Branches");
  project_.protect_main();
  project_.write("index.html", "mine\n");
  project_.commit("Not pushed");
  project_.git({"branch", "release/1"});
  const auto refused = plan("release/1");
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message().find("only what was pushed"), std::string::npos)
      << refused.error().message();
  project_.git({"push", "--quiet", "origin", "release/1"});
  EXPECT_TRUE(plan("release/1").ok());
}

TEST_F(Planner, PlanningChangesNothing) {
  ASSERT_TRUE(plan().ok());
  EXPECT_TRUE(desk_->journal->runs()->empty());
  EXPECT_EQ(project_.git({"tag"}), "");
  EXPECT_EQ(project_.git({"status", "--porcelain"}), "");
}

}  // namespace
}  // namespace belay::app
