// SPDX-License-Identifier: Apache-2.0
#include "app/planner.hpp"

#include "app/plan_sources.hpp"

#include <cstdlib>

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
  // The release's name has the time in it; everything else is the same.
  second->release = first->release;
  for (auto& step : second->steps) {
    if (step.kind == "tag") step.title = first->first_of("tag")->title;
  }
  EXPECT_EQ(pipeline::digest(*first), pipeline::digest(*second));
  EXPECT_EQ(first->commit, commit_);
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
