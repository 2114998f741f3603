// SPDX-License-Identifier: Apache-2.0
// Going back to a release whose belay.yaml today's rules refuse: what they say is told, and only
// what the release needs and is not read keeps anybody from it.
#include "app/stored_spec.hpp"

#include <cstdlib>

#include "app/planner.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::app {
namespace {

using testing::ScratchProject;

const std::string old_tag = "prod-20260101-000000";

class OldFile : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const auto& [name, value] : project_.environment())
      if (name.starts_with("GIT_")) ::setenv(name.c_str(), value.c_str(), 1);
  }
  Desk& desk() {
    auto project = load_project(std::nullopt, project_.folder(), project_.environment());
    EXPECT_TRUE(project.ok()) << project.error().message();
    desk_ = open_desk(std::move(*project)).value();
    return *desk_;
  }
  // The sound file with `lines` in place of, or in front of, one of its own.
  std::string changed(const std::string& before, const std::string& lines) {
    auto text = project_.file();
    return text.insert(text.find(before), lines);
  }
  // As a Belay whose rules took it has shipped it: the run stands in the journal, done.
  void ship_with(const std::string& text) {
    project_.write("belay.yaml", text);
    const auto commit = project_.commit("Of former times");
    project_.write("belay.yaml", project_.file());
    project_.commit("Of today");
    auto& at = desk();
    auto plan = plan_deploy(at, {"production", "", {"dev", ""}, "", "", "", true});
    ASSERT_TRUE(plan.ok()) << plan.error().message();
    plan->release = old_tag;
    plan->commit = commit;
    auto texts = config_of(*plan).value();
    texts.release = text;
    plan->config = to_json(texts);
    const auto run = at.journal->create_run({"run.created", "", canonical(created_body(*plan)), 1});
    ASSERT_TRUE(run.ok()) << run.error().message();
    ASSERT_TRUE(
        at.journal->append(*run, 1, {{"run.finished", "", R"({"ending":"done","text":""})", 1}}));
    desk_.reset();
  }
  void ship_another() {
    project_.write("page", "two");
    project_.commit("Page two");
    const auto done = project_.belay({"deploy"});
    ASSERT_EQ(done.status, 0) << done.out << done.err;
  }
  std::string live() { return *read_file(project_.above() / "live"); }

  ScratchProject project_;
  std::unique_ptr<Desk> desk_;
};

TEST_F(OldFile, WithAnUnknownKeyAndARefusedValueIsGoneBackToAndBothAreNamed) {
  ship_with("from_former_times: yes\n" + changed("    path: .", "    colour: blue\n") +
            "    strategy: canary\n");
  ship_another();
  const auto plan = plan_rollback(desk(), {"production", "", {"dev", ""}, true, true, "", "", ""});
  ASSERT_TRUE(plan.ok()) << plan.error().message();
  EXPECT_EQ(plan->release, old_tag);
  ASSERT_EQ(plan->notes["old_rules"].size(), 3U) << plan->notes;
  auto other = *plan;
  other.notes.erase("old_rules");
  EXPECT_EQ(pipeline::digest(other), pipeline::digest(*plan));
  desk_.reset();

  const auto shown = project_.belay({"rollback", "--dry-run"});
  EXPECT_EQ(shown.status, 10) << shown.err;
  for (const auto* key : {"from_former_times: unknown key", "services.web.colour: unknown key",
                          "environments.production.strategy: canary is not in this version"}) {
    EXPECT_NE(shown.out.find(key), std::string::npos) << key << "\n" << shown.out;
  }
  const auto done = project_.belay({"rollback", "--yes"});
  EXPECT_EQ(done.status, 0) << done.out << done.err;
  EXPECT_EQ(live(), old_tag + "\n");
}

TEST_F(OldFile, OfWhatIsLiveKeepsNobodyFromTheNextRelease) {
  ship_with(changed("    path: .", "    colour: blue\n"));
  const auto plan = project_.belay({"plan"});
  EXPECT_NE(plan.out.find("not by today's rules: belay.yaml of " + old_tag), std::string::npos)
      << plan.out << plan.err;
  ship_another();
}

TEST_F(OldFile, WhoseVariableIsNotReadIsRefusedWithItsPlaceAndWhatToDo) {
  ship_with(changed("    path: .", "    env: { TOKEN: \"${not a name}\" }\n"));
  // Nothing can follow it either: it could not be started again.
  const auto next = project_.belay({"plan"});
  EXPECT_EQ(next.status, 2) << next.out;
  EXPECT_NE(next.err.find("services.web.env.TOKEN"), std::string::npos) << next.err;
  EXPECT_NE(next.err.find("Use the Belay that shipped it"), std::string::npos) << next.err;
  EXPECT_EQ(next.err.find("--skip-checks"), std::string::npos) << next.err;
}

TEST_F(OldFile, WhoseChecksAreNotReadIsGoneBackToWithoutThem) {
  ship_with(
      changed("    watch: 0s", "      - { name: Soon, command: test -d /, timeout: soon }\n"));
  EXPECT_NE(project_.belay({"deploy"}).err.find("--skip-checks"), std::string::npos);
  ASSERT_EQ(project_.belay({"deploy", "--skip-checks", "--reason", "old file"}).status, 0);
  const auto refused = project_.belay({"rollback", "--dry-run"});
  EXPECT_EQ(refused.status, 2) << refused.out;
  EXPECT_NE(refused.err.find("environments.production.checks[1].timeout"), std::string::npos)
      << refused.err;
  const auto done = project_.belay({"rollback", "--skip-checks", "--reason", "old file", "--yes"});
  EXPECT_EQ(done.status, 0) << done.out << done.err;
  EXPECT_EQ(live(), old_tag + "\n");
}

// The needs alone.
StoredSpec with(const std::string& service, const std::string& checks = "[]") {
  return stored_spec(fmt::format(R"(project: shop
services:
  web: {}
  other: {{ kind: cron }}
environments:
  production:
    services:
      web: {{ target: command, activate: ./up }}
    checks: {}
)",
                                 service, checks),
                     old_tag)
      .value();
}

Status for_web(const StoredSpec& stored, std::vector<std::string> built = {}, bool checks = true) {
  pipeline::EnvironmentSpec env;
  env.name = "production";
  env.services.emplace_back();
  env.services.back().service = "web";
  return can_be_started(stored, {&env, std::move(built), checks});
}

TEST(StoredNeeds, AServiceThatIsNotPlacedNeedsNothing) {
  EXPECT_TRUE(for_web(with("{ path: . }")));
}

TEST(StoredNeeds, WhatBuildsIsNeededWhereItIsBuiltAnewOnly) {
  const auto stored = with("{ path: ../elsewhere, build: [make] }");
  EXPECT_TRUE(for_web(stored));
  EXPECT_FALSE(for_web(stored, {"web"}));
}

TEST(StoredNeeds, WhatStartsItAndItsChecksAreNeeded) {
  for (const auto* service : {"5", "{ kind: cron }", "{ needs: { a: b } }", "{ env: [A] }",
                              "{ env_file: /etc/passwd }", "{ check: { path: [] } }"}) {
    EXPECT_FALSE(for_web(with(service))) << service;
  }
  EXPECT_FALSE(for_web(with("{ path: . }", "5")));
  EXPECT_TRUE(for_web(with("{ path: . }", "5"), {}, false));
}

TEST(StoredNeeds, WhatIsReadAllTheSameIsNoReason) {
  const auto stored = with("{ env: { a-b: c }, needs: [nobody], former: 1 }");
  EXPECT_EQ(stored.complaints.size(), 4U);  // and the other service's kind
  EXPECT_TRUE(for_web(stored, {"web"}));
  EXPECT_EQ(stored.spec.service("web")->env.at("a-b").text, "c");
}

TEST(StoredNeeds, ATextThatIsNoMapIsRefused) {
  for (const auto* text : {"", "5", "[a]", "a: [", "a: &b c"})
    EXPECT_FALSE(stored_spec(text, old_tag)) << text;
}

}  // namespace
}  // namespace belay::app
