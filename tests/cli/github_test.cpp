// SPDX-License-Identifier: Apache-2.0
// Runs as GitHub shows and lets pass them, with the real program, on a stand-in that holds each
// request against what GitHub publishes.
#include <gtest/gtest.h>

#include "app/doctor.hpp"
#include "base/text.hpp"
#include "tests/fake/stand_in.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::cli {
namespace {

struct OnGithub : ::testing::Test {
  belay::testing::ScratchProject project;
  belay::testing::StandIn github{"github_server.py"};

  // `more`: further lines of the environment.
  void ship_file(const std::string& more, const std::string& people = {},
                 const std::string& endpoint = {}) {
    project.write("belay.yaml",
                  project.file(more, people) +
                      fmt::format("github: {{ repository: team/shop, token: \"${{GITHUB_TOKEN}}\", "
                                  "endpoint: {} }}\n",
                                  endpoint.empty() ? github.direct_url() : endpoint));
    project.commit("Change belay.yaml");
  }
  void ship_what_fails(const std::string& more) {
    ship_file(more);
    auto text = *read_file(project.folder() / "belay.yaml");
    text.replace(text.find("activate: echo"), 14, "activate: exit 3; echo");
    project.write("belay.yaml", text);
    project.commit("Broken");
  }
  static Environment job(const std::string& attempt = "1") {
    return {{"GITHUB_TOKEN", "github-token"},
            {"GITHUB_ACTIONS", "true"},
            {"GITHUB_ACTOR", "rita"},
            {"GITHUB_RUN_ID", "77"},
            {"GITHUB_RUN_ATTEMPT", attempt},
            {"GITHUB_REPOSITORY", "team/shop"},
            {"GITHUB_SERVER_URL", "https://github.com"}};
  }
  Finished belay(std::vector<std::string> words, const Environment& more = job()) const {
    return project.belay(std::move(words), more);
  }
  Json has() const {
    auto all = github.state();
    EXPECT_EQ(all["complaints"], Json::array());
    return all;
  }
  // What `doctor --fix` does there; the agent is not this test's.
  void mend() const {
    for (const auto& each : app::examine(
             {std::nullopt, project.folder(), project.environment(job()), "", BELAY_PROGRAM})) {
      if (each.about.find("GitHub") == std::string::npos || !each.mend) continue;
      const auto done = each.mend->apply();
      EXPECT_TRUE(done) << done.error().message();
    }
  }
  static std::vector<std::string> states(const Json& deployment) {
    std::vector<std::string> found;
    for (const auto& each : deployment["-statuses"]) found.push_back(each["state"]);
    return found;
  }
  std::vector<Json> events(const std::string& kind) const {
    std::vector<Json> found;
    for (const auto& line : split(project.belay({"audit"}).out, '\n')) {
      auto event = parse_json(line);
      if (event && text_in(*event, "kind") == kind) found.push_back(*event);
    }
    return found;
  }
};

using States = std::vector<std::string>;
constexpr const char* issues = "    notify: [{ github_issue: { labels: [belay, incident] } }]\n";
constexpr const char* people =
    "people:\n  amina: { github: amina }\n  leo: { github: Leo }\n  noor: { github: noor }\n"
    "  rita: { github: rita }\n";
constexpr const char* two = "    approvals: { required: 2, by: github }\n";

TEST_F(OnGithub, ItsPageShowsEachReleaseAndTheWayBack) {
  ship_file("");
  ASSERT_EQ(belay({"deploy", "--yes"}).status, 0);
  project.write("a", "b");
  const auto second = project.commit("Second");
  ASSERT_EQ(belay({"deploy", "--yes"}).status, 0);
  ASSERT_EQ(belay({"rollback", "--yes"}).status, 0);
  const auto all = has();
  ASSERT_EQ(all["deployments"].size(), 3u) << all["deployments"].dump(1);
  const auto& back = all["deployments"][0];
  EXPECT_EQ(back["task"], "rollback");
  EXPECT_EQ(states(back), (States{"success"}));
  EXPECT_EQ(all["deployments"][1]["sha"], second);
  EXPECT_EQ(states(all["deployments"][1]), (States{"inactive", "success", "in_progress"}));
  EXPECT_EQ(states(all["deployments"][2]), (States{"inactive", "success", "in_progress"}));
  EXPECT_EQ(back["sha"], all["deployments"][2]["sha"]);
  EXPECT_EQ(back["-statuses"][0]["log_url"], "https://github.com/team/shop/actions/runs/77");
  EXPECT_EQ(all["statuses"][0]["context"], "belay/production");
  EXPECT_EQ(project.belay({"audit", "verify"}).status, 0);
}

TEST_F(OnGithub, AReleaseThatIsTakenBackHasFailedThereAndAnIssueUntilTheNextOneShips) {
  ship_file(issues);
  ASSERT_EQ(belay({"deploy", "--yes"}).status, 0);
  EXPECT_EQ(has()["issues"].size(), 0u);
  ship_what_fails(issues);
  ASSERT_EQ(belay({"deploy", "--yes"}).status, 1);
  ASSERT_EQ(belay({"deploy", "--yes"}).status, 1);
  auto all = has();
  EXPECT_EQ(states(all["deployments"][0]), (States{"failure", "in_progress"}));
  ASSERT_EQ(all["issues"].size(), 1u) << all["issues"].dump(1);
  EXPECT_EQ(all["issues"][0]["state"], "open");
  EXPECT_EQ(all["issues"][0]["labels"].size(), 2u);
  EXPECT_EQ(all["issues"][0]["-comments"].size(), 1u);
  EXPECT_EQ(states(all["deployments"][2]), (States{"success", "in_progress"})) << "it is live";
  ship_file(issues);
  ASSERT_EQ(belay({"deploy", "--yes"}).status, 0);
  all = has();
  ASSERT_EQ(all["issues"].size(), 1u);
  EXPECT_EQ(all["issues"][0]["state"], "closed");
  EXPECT_EQ(all["issues"][0]["-comments"].size(), 2u);
}

TEST_F(OnGithub, WhatCannotBeToldFailsNoRunAndIsRecorded) {
  ship_file(issues, "", "http://127.0.0.1:9");
  const auto shipped = belay({"deploy", "--yes"});
  EXPECT_EQ(shipped.status, 0) << shipped.out << shipped.err;
  EXPECT_NE(shipped.out.find("Nobody was told that the run has ended: "), std::string::npos)
      << shipped.out;
  for (const auto& each : events("announced"))
    EXPECT_FALSE(each["body"]["not_announced"].empty()) << each;
}

TEST_F(OnGithub, ATokenThatIsNotThereKeepsNobodyFromGoingBack) {
  ship_file("");
  ASSERT_EQ(belay({"deploy", "--yes"}, {}).status, 0);
  project.write("a", "b");
  project.commit("Second");
  ASSERT_EQ(belay({"deploy", "--yes"}, {}).status, 0);
  const auto back = belay({"rollback", "--yes"}, {});
  EXPECT_EQ(back.status, 0) << back.out << back.err;
  EXPECT_NE(back.out.find("GITHUB_TOKEN is not set"), std::string::npos) << back.out;
}

TEST_F(OnGithub, TwoReviewsOfTheWorkflowsRunLetItPassAndTheJournalProvesIt) {
  ship_file(two, people);
  github.tell("review?user=amina&environments=production-gate-2");
  github.tell("review?user=leo&environments=production&comment=good");
  const auto shipped = belay({"deploy", "--yes"});
  ASSERT_EQ(shipped.status, 0) << shipped.out << shipped.err;
  const auto votes = events("approval.vote");
  ASSERT_EQ(votes.size(), 2u);
  EXPECT_EQ(votes[0]["body"]["evidence"]["run"], 77);
  EXPECT_EQ(votes[0]["body"]["person"], "leo");
  const auto audited = project.belay({"audit", "verify"});
  EXPECT_EQ(audited.status, 0) << audited.out;
  EXPECT_NE(audited.out.find("0 signatures repeated, 2 reviews counted again"), std::string::npos)
      << audited.out;
  EXPECT_EQ(has()["complaints"], Json::array());
}

TEST_F(OnGithub, FewerThanWantedAreRefusedWithWhoIsMissing) {
  ship_file(two, people);
  github.tell("review?user=amina&environments=production,production-gate-2");
  github.tell("review?user=amina&environments=production");
  const auto refused = belay({"deploy", "--yes"});
  EXPECT_EQ(refused.status, 4) << refused.out << refused.err;
  const auto text = refused.out + refused.err;
  EXPECT_NE(text.find("approved by amina; waiting for 1 of leo, noor"), std::string::npos) << text;
  EXPECT_EQ(has()["deployments"].size(), 0u);
}

TEST_F(OnGithub, WhileAGateStillWaitsTheRunWaitsToo) {
  ship_file(two, people);
  github.tell("review?user=amina&environments=production");
  github.tell("pending?environments=production-gate-2");
  const auto waits = belay({"deploy", "--yes", "--no-wait"});
  EXPECT_EQ(waits.status, 4) << waits.out << waits.err;
  EXPECT_NE(waits.out.find("belay resume 1"), std::string::npos) << waits.out << waits.err;
  github.tell("review?user=noor&environments=production-gate-2");
  github.tell("pending?environments=");
  const auto on = belay({"resume", "1"});
  EXPECT_EQ(on.status, 0) << on.out << on.err;
}

TEST_F(OnGithub, WhoStartedTheWorkflowDoesNotCountWhateverHeCallsHimself) {
  ship_file(two, people);
  github.tell("review?user=rita&environments=production");
  github.tell("review?user=leo&environments=production-gate-2");
  auto env = job();
  env["BELAY_USER"] = "somebody-else";
  const auto refused = belay({"deploy", "--yes"}, env);
  EXPECT_EQ(refused.status, 4) << refused.out << refused.err;
  const auto text = refused.out + refused.err;
  EXPECT_NE(text.find("approved by leo; waiting for 1 of amina, noor"), std::string::npos) << text;
}

TEST_F(OnGithub, StrangersOtherEnvironmentsAndWhatIsNotApprovedDoNotCount) {
  ship_file(two, people);
  github.tell("review?user=mallory&environments=production");
  github.tell("review?user=amina&environments=staging");
  github.tell("review?user=leo&environments=production-rollback");
  github.tell("review?user=noor&environments=production&state=pending");
  const auto refused = belay({"deploy", "--yes"});
  EXPECT_EQ(refused.status, 4) << refused.out << refused.err;
  const auto text = refused.out + refused.err;
  EXPECT_NE(text.find("waiting for 2 of amina, leo, noor"), std::string::npos) << text;
}

TEST_F(OnGithub, OneRejectionEndsTheRunAlsoBesideEnoughApprovals) {
  ship_file(two, people);
  github.tell("review?user=noor&environments=production&state=rejected&comment=not%20today");
  github.tell("review?user=amina&environments=production");
  github.tell("review?user=leo&environments=production-gate-2");
  const auto refused = belay({"deploy", "--yes"});
  EXPECT_EQ(refused.status, 4) << refused.out << refused.err;
  EXPECT_NE((refused.out + refused.err).find("noor refused: not today"), std::string::npos)
      << refused.out << refused.err;
}

// GitHub keeps the reviews of all attempts together.
TEST_F(OnGithub, ASecondAttemptHasNobodysApproval) {
  ship_file(two, people);
  github.tell("review?user=amina&environments=production");
  github.tell("review?user=leo&environments=production-gate-2");
  github.tell("set?attempt=2");
  for (const char* attempt : {"1", "2"}) {
    const auto refused = belay({"deploy", "--yes"}, job(attempt));
    EXPECT_EQ(refused.status, 1) << refused.out << refused.err;
    EXPECT_NE(refused.err.find("start the workflow anew"), std::string::npos) << refused.err;
  }
}

TEST_F(OnGithub, OutsideAWorkflowNobodyIsAskedInVain) {
  ship_file(two, people);
  EXPECT_EQ(belay({"plan"}, {{"GITHUB_TOKEN", "github-token"}}).status, 10)
      << "a plan may be looked at";
  const auto refused = belay({"deploy", "--yes"}, {{"GITHUB_TOKEN", "github-token"}});
  EXPECT_EQ(refused.status, 2) << refused.out << refused.err;
  EXPECT_NE(refused.err.find("start its workflow there"), std::string::npos) << refused.err;
}

// A server of one's own would approve everything. The proxy keeps what is asked for on this
// machine.
TEST_F(OnGithub, TheJobsEnvironmentNamesNoServerWhoseReviewsCount) {
  project.write("belay.yaml",
                project.file(two, people) +
                    "github: { repository: team/shop, token: \"${GITHUB_TOKEN}\" }\n");
  project.commit("No endpoint");
  github.tell("review?user=amina&environments=production");
  github.tell("review?user=leo&environments=production-gate-2");
  auto env = job();
  env["GITHUB_API_URL"] = github.direct_url();
  env["https_proxy"] = "http://127.0.0.1:9";
  const auto refused = belay({"deploy", "--yes"}, env);
  EXPECT_EQ(refused.status, 1) << refused.out << refused.err;
  EXPECT_NE(refused.err.find("approvals on GitHub: "), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("https://api.github.com"), std::string::npos) << refused.err;
}

TEST_F(OnGithub, ReviewsCountForARollbackOnlyInItsOwnEnvironment) {
  ship_file("    approvals: { required: 1, by: github }\n", people);
  github.tell("review?user=amina&environments=production");
  ASSERT_EQ(belay({"deploy", "--yes"}).status, 0);
  project.write("a", "b");
  project.commit("Second");
  ASSERT_EQ(belay({"deploy", "--yes"}).status, 0);
  const auto refused = belay({"rollback", "--yes"});
  EXPECT_EQ(refused.status, 4) << refused.out << refused.err;
  github.tell("review?user=leo&environments=production-rollback");
  const auto back = belay({"rollback", "--yes"});
  EXPECT_EQ(back.status, 0) << back.out << back.err;
}

TEST_F(OnGithub, APlanSaysWhoMergedWhatComesIn) {
  ship_file("");
  ASSERT_EQ(belay({"deploy", "--yes"}).status, 0);
  project.write("a", "b");
  const auto second = project.commit("Faster search");
  github.tell("pull?commit=" + second +
              "&number=12&title=Faster%20search&user=leo&merged_by=amina");
  const auto plan = belay({"plan"});
  EXPECT_NE(plan.out.find("#12       \"Faster search\" by leo, merged by amina"), std::string::npos)
      << plan.out;
  const auto digest = [](const Finished& shown) {
    return shown.out.substr(shown.out.find("digest "), 23);
  };
  const auto unknown = belay({"plan"}, {{"GITHUB_TOKEN", "wrong-token"}});
  EXPECT_NE(unknown.out.find("merged    not known: "), std::string::npos) << unknown.out;
  EXPECT_EQ(unknown.status, plan.status);
  EXPECT_EQ(digest(plan), digest(unknown)) << "it is for people only";
}

TEST_F(OnGithub, WhatShipsGetsAReleaseOnceItsTagIsThere) {
  ship_file("");
  auto text = *read_file(project.folder() / "belay.yaml");
  text.replace(text.find("github: {"), 9, "github: { releases: production,");
  project.write("belay.yaml", text);
  project.commit("Releases");
  const auto first = belay({"deploy", "--yes"});
  EXPECT_EQ(first.status, 0);
  EXPECT_NE(first.out.find("Nobody was told that the run has ended: release prod-"),
            std::string::npos)
      << first.out;
  EXPECT_EQ(has()["releases"].size(), 0u);
  project.write("a", "b");
  project.commit("Faster search");
  const auto now = std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now());
  for (int second = 0; second < 60; ++second)
    github.tell("tag?name=prod-" + to_tag_stamp(now + std::chrono::seconds(second)));
  const auto shipped = belay({"deploy", "--yes"});
  ASSERT_EQ(shipped.status, 0) << shipped.out << shipped.err;
  const auto all = has();
  ASSERT_EQ(all["releases"].size(), 1u) << shipped.out;
  EXPECT_NE(all["releases"][0]["body"].get<std::string>().find("Faster search"), std::string::npos)
      << all["releases"][0];
}

// The whole way, with the answer to each of its requests lost once: asked again, and nothing is
// there twice.
TEST(OnGithubInTrouble, ALostAnswerToAnyRequestDoublesNothingAndFailsNoRun) {
  belay::testing::StandIn github{"github_server.py"};
  int requests = 1;
  for (int nth = 0; nth <= requests; ++nth) {
    SCOPED_TRACE(fmt::format("request {} of {}", nth, requests));
    belay::testing::ScratchProject project;
    github.forget();
    project.write("belay.yaml",
                  project.file(std::string(two) + issues, people) +
                      fmt::format("github: {{ repository: team/shop, token: \"${{GITHUB_TOKEN}}\", "
                                  "endpoint: {} }}\n",
                                  github.proxy().url()));
    project.commit("First");
    github.tell("review?user=amina&environments=production-gate-2");
    github.tell("review?user=leo&environments=production");
    github.proxy().plan(belay::testing::only(nth, {belay::testing::HttpFault::Action::lose_reply}));
    const auto shipped = project.belay({"deploy", "--yes"}, OnGithub::job());
    if (nth == 0) requests = github.proxy().count();
    ASSERT_EQ(shipped.status, 0) << shipped.out << shipped.err;
    const auto all = github.state();
    EXPECT_EQ(all["complaints"], Json::array());
    ASSERT_EQ(all["deployments"].size(), 1u);
    EXPECT_EQ(OnGithub::states(all["deployments"][0]), (States{"success", "in_progress"}))
        << shipped.out;
    EXPECT_EQ(all["statuses"][0]["state"], "success") << shipped.out;
  }
  EXPECT_GT(requests, 10);
}

// Each finding with these words is there.
void expect_told(const Finished& looked, const std::vector<std::string>& words) {
  for (const auto& each : words)
    EXPECT_NE(looked.out.find(each), std::string::npos) << each << " is not in:\n" << looked.out;
}

TEST_F(OnGithub, TheDoctorSaysWhatItsEnvironmentsLackAndSetsIt) {
  ship_file(
      "    approvals: { required: 2, by: github, wait: 5m, expires: 2h }\n    branches: [main]\n",
      people);
  const auto before = belay({"doctor"});
  EXPECT_EQ(before.status, 1);
  expect_told(before, {"production: GitHub production", "production: GitHub production-rollback",
                       "production: GitHub production-gate-2", "there is no such environment",
                       "reviewers amina, Leo, noor, rita; wait 5 min; main"});
  mend();
  auto set = has()["environments"];
  EXPECT_EQ(set.size(), 3u);
  EXPECT_EQ(set["production"]["-branches"][0]["name"], "main");
  EXPECT_TRUE(set["production-rollback"]["deployment_branch_policy"].is_null());
  for (const auto& [name, rules] : set.items()) {
    const bool waits = rules["protection_rules"][0]["type"] == "wait_timer";
    EXPECT_EQ(waits, name == "production") << rules;
  }
  const auto after = belay({"doctor"});
  EXPECT_EQ(after.out.find("there is no such environment"), std::string::npos) << after.out;
  github.tell("secret?environment=production&name=VERCEL_TOKEN");
  github.tell("secret?environment=production-gate-2&name=RAILWAY_TOKEN");
  expect_told(belay({"doctor"}), {"a rollback would lack VERCEL_TOKEN",
                                  "one person's review hands them out: RAILWAY_TOKEN"});
}

TEST_F(OnGithub, TheDoctorNamesWhoeverGitHubLetsReviewAndBelayDoesNotCount) {
  ship_file("    approvals: { required: 1, by: github }\n", people);
  mend();
  ship_file("    approvals: { required: 1, by: github, reviewers: [amina, noor] }\n", people);
  expect_told(belay({"doctor"}), {"rita may review there and is no reviewer here"});
  auto wrong = job();
  wrong["GITHUB_TOKEN"] = "wrong-token";
  wrong.erase("GITHUB_ACTIONS");  // its runner would be told what to hide
  const auto denied = belay({"doctor"}, wrong);
  expect_told(denied, {"GitHub does not take the token"});
  EXPECT_EQ((denied.out + denied.err).find("wrong-token"), std::string::npos);
}

}  // namespace
}  // namespace belay::cli
