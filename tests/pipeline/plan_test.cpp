// SPDX-License-Identifier: Apache-2.0
#include "pipeline/plan.hpp"

#include "tests/pipeline/story.hpp"

namespace belay::pipeline {
namespace {

Plan whole_plan() {
  Plan plan = small_plan();
  plan.commit = "a41d07c";
  plan.ref = "main";
  plan.steps[4].args = {{"limit", 60}};
  plan.steps[4].undo = "rewind to the restore point";
  plan.steps[5].cannot_undo = "";
  plan.config = {{"present", "project: shop\n"}};
  plan.facts = {{"policy", {{"required", 2}}}};
  plan.notes = {{"estimates", {{"migrate", 1200}}}};
  return plan;
}

TEST(Plan, ReadBackItIsTheSame) {
  const Plan plan = whole_plan();
  const auto read = plan_from_json(to_json(plan));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(to_json(*read), to_json(plan));
  EXPECT_EQ(read->steps, plan.steps);
  EXPECT_EQ(read->back, plan.back);
  EXPECT_EQ(digest(*read), digest(plan));
}

TEST(Plan, ANewerFormatIsRefusedByName) {
  Json json = to_json(whole_plan());
  json["format"] = 2;
  const auto read = plan_from_json(json);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().fault, Fault::refused);
  EXPECT_NE(read.error().message().find("format 2"), std::string::npos);
}

TEST(Plan, EveryMissingMemberIsCorrupt) {
  const Json whole = to_json(whole_plan());
  for (const auto& [name, value] : whole.items()) {
    Json json = whole;
    json.erase(name);
    const auto read = plan_from_json(json);
    ASSERT_FALSE(read) << name;
    EXPECT_EQ(read.error().fault, Fault::corrupt) << name;
    EXPECT_NE(read.error().message().find(name), std::string::npos) << read.error().message();
  }
}

TEST(Plan, TheDigestStaysWhenOnlyTheLabelOrNotesChange) {
  Plan plan = whole_plan();
  const auto before = digest(plan);
  plan.release = "prod-20261123-100001";
  plan.notes["estimates"]["migrate"] = 99;
  plan.notes["uncommitted"] = {"README.md"};
  EXPECT_EQ(digest(plan), before);
  EXPECT_EQ(before.size(), 64u);
}

TEST(Plan, TheDigestChangesWithAnythingThatWillBeDone) {
  using Edit = std::pair<const char*, void (*)(Plan&)>;
  const std::vector<Edit> edits{
      {"pipeline", [](Plan& p) { p.pipeline = "rollback"; }},
      {"project", [](Plan& p) { p.project = "shop2"; }},
      {"environment", [](Plan& p) { p.environment = "staging"; }},
      {"commit", [](Plan& p) { p.commit = "b7710fe"; }},
      {"ref", [](Plan& p) { p.ref = "hotfix"; }},
      {"live", [](Plan& p) { p.live.clear(); }},
      {"requester's name", [](Plan& p) { p.requester.name = "leo"; }},
      {"requester's mail", [](Plan& p) { p.requester.email = "leo@example.org"; }},
      {"a step less", [](Plan& p) { p.steps.pop_back(); }},
      {"a step's id", [](Plan& p) { p.steps[0].id = "build:other"; }},
      {"a step's kind", [](Plan& p) { p.steps[0].kind = "test"; }},
      {"a step's title", [](Plan& p) { p.steps[4].title = "harmless"; }},
      {"a step's order", [](Plan& p) { p.steps[5].after = {"recheck"}; }},
      {"a step's args", [](Plan& p) { p.steps[4].args["limit"] = 61; }},
      {"what changes", [](Plan& p) { p.steps[4].changes = false; }},
      {"an undo", [](Plan& p) { p.steps[4].undo.clear(); }},
      {"a cannot undo", [](Plan& p) { p.steps[5].cannot_undo = "mail was sent"; }},
      {"a way back less", [](Plan& p) { p.back.pop_back(); }},
      {"the way back's order", [](Plan& p) { std::swap(p.back[0], p.back[1]); }},
      {"what is undone", [](Plan& p) { p.back[0].undoes = {"migrate"}; }},
      {"config", [](Plan& p) { p.config["present"] = "project: shop\ntest: x\n"; }},
      {"facts", [](Plan& p) { p.facts["policy"]["required"] = 1; }},
  };
  const auto before = digest(whole_plan());
  std::set<std::string> all{before};
  for (const auto& [what, edit] : edits) {
    Plan plan = whole_plan();
    edit(plan);
    EXPECT_TRUE(all.insert(digest(plan)).second) << what;
  }
}

TEST(Plan, TheDigestIsThatOfItsCanonicalFormWhateverTheOrderOfMembers) {
  Plan one = whole_plan(), other = whole_plan();
  one.facts = Json::parse(R"({"a": 1, "b": 2})");
  other.facts = Json::parse(R"({"b": 2, "a": 1})");
  EXPECT_EQ(digest(one), digest(other));
}

TEST(Plan, DefectsAreFoundAndNamed) {
  using Edit = std::pair<const char*, void (*)(Plan&)>;
  const std::vector<Edit> table{
      {"step watch comes after nothing-such, which is not before it",
       [](Plan& p) { p.steps.back().after = {"nothing-such"}; }},
      {"step build:api comes after watch, which is not before it",
       [](Plan& p) { p.steps.front().after = {"watch"}; }},
      {"step watch comes after watch, which is not before it",
       [](Plan& p) { p.steps.back().after = {"watch"}; }},
      {"two steps are called switch",
       [](Plan& p) {
         p.steps[4].id = "switch";
         p.steps[5].after = {};
       }},
      {"two steps are called watch", [](Plan& p) { p.back[2].id = "watch"; }},
      {"step back:switch undoes swich, which is not in the plan",
       [](Plan& p) { p.back[0].undoes = {"swich"}; }},
      {"step back:rewind undoes back:switch, which is not in the plan",
       [](Plan& p) { p.back[1].undoes = {"back:switch"}; }},
  };
  EXPECT_TRUE(defects(whole_plan()).empty());
  for (const auto& [text, edit] : table) {
    Plan plan = whole_plan();
    edit(plan);
    const auto found = defects(plan);
    EXPECT_NE(std::find(found.begin(), found.end(), text), found.end())
        << text << "\nfound: " << join(found, "\n");
  }
}

TEST(Plan, AStepIsFoundByIdInBothListsAndByKindInTheFirst) {
  const Plan plan = whole_plan();
  ASSERT_NE(plan.step("back:rewind"), nullptr);
  EXPECT_EQ(plan.step("back:rewind")->kind, "rewind");
  EXPECT_EQ(plan.step("nothing"), nullptr);
  EXPECT_EQ(plan.first_of("build")->id, "build:api");
  EXPECT_EQ(plan.first_of("rewind"), nullptr);
}

}  // namespace
}  // namespace belay::pipeline
