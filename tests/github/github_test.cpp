// SPDX-License-Identifier: Apache-2.0
// A repository on a stand-in that holds each request against GitHub's published description, and in
// trouble.
#include "github/github.hpp"

#include <gtest/gtest.h>

#include "tests/fake/stand_in.hpp"
#include "tests/support/fake_world.hpp"

namespace belay::github {
namespace {

using belay::testing::HttpFault;
using Action = HttpFault::Action;

HttpFault answers(const std::string& head) {
  return {Action::answer, "HTTP/1.1 " + head + "\r\nContent-Length: 0\r\n\r\n"};
}

// Besides what every platform does: GitHub limits by 403 as well.
std::vector<HttpFault> trouble() {
  auto all = belay::testing::every_fault();
  all.push_back(answers("403 Forbidden\r\nRetry-After: 2"));
  all.push_back(answers("403 Forbidden\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1"));
  all.push_back(answers("503 Service Unavailable"));
  return all;
}

struct Github : ::testing::Test {
  belay::testing::StandIn on{"github_server.py"};
  FakeClock clock;
  SeededRandom random;
  GithubConfig config{"team/shop", Secret("github-token")};
  std::unique_ptr<Repository> github;

  void SetUp() override { remake(); }
  void remake() {
    config.endpoint = on.proxy().url();
    github = make_github(config, clock, random);
  }
  void reset() {
    on.proxy().plan({});
    on.forget();
    remake();
  }
  Json has() const { return on.state(); }

  static Deployment deployment(int run) {
    Deployment made;
    made.mark = "shop/production run " + std::to_string(run) + " of 2026-11-26T07:00:00.000Z";
    made.commit = std::string(40, static_cast<char>('a' + run));
    made.environment = "production";
    made.description = "prod-2026112" + std::to_string(run);
    made.page = "https://shop.example.org";
    made.log = "https://github.com/team/shop/actions/runs/77";
    return made;
  }
  const Incident incident{"shop/production", {"belay", "incident"}};
  static News news(const std::string& what) {
    return {"shop/production run 1 " + what, "production: " + what, "It " + what + "."};
  }

  using Acts = std::vector<std::function<Status()>>;

  // Two releases: the first becomes well, the second fails.
  Acts two_releases() {
    Acts acts;
    for (const int run : {1, 2}) {
      const auto over = run == 1 ? Stage::well : Stage::failed;
      for (const auto stage : {Stage::under_way, over}) {
        acts.push_back([=, this] { return github->show(deployment(run), stage, {}); });
        acts.push_back([=, this] {
          return github->show(CommitStatus{deployment(run).commit, "belay/production", "..."},
                              stage, {});
        });
      }
    }
    return acts;
  }
  static std::vector<std::string> states(const Json& deployment_json, const Json& all) {
    std::vector<std::string> found;
    for (const auto& each : all["deployments"]) {
      if (each["sha"] != deployment_json["sha"]) continue;
      for (const auto& status : each["-statuses"]) found.push_back(status["state"]);
    }
    return found;
  }
  void expect_two_releases() {
    const auto all = has();
    EXPECT_EQ(all["complaints"], Json::array());
    ASSERT_EQ(all["deployments"].size(), 2u) << all["deployments"].dump(1);
    EXPECT_EQ(states(all["deployments"][1], all),
              (std::vector<std::string>{"success", "in_progress"}));
    EXPECT_EQ(states(all["deployments"][0], all),
              (std::vector<std::string>{"failure", "in_progress"}));
    EXPECT_EQ(all["statuses"][0]["state"], "failure");
  }

  // An incident is opened, goes on, and is over.
  Acts an_incident() {
    return {[this] { return github->report(incident, news("failed"), {}); },
            [this] { return github->report(incident, news("stopped"), {}); },
            [this]() -> Status {
              TRY(github->close(incident, news("shipped"), {}));
              return {};
            }};
  }
  void expect_one_closed_issue() {
    const auto all = has();
    EXPECT_EQ(all["complaints"], Json::array());
    ASSERT_EQ(all["issues"].size(), 1u) << all["issues"].dump(1);
    const auto& issue = all["issues"][0];
    EXPECT_EQ(issue["state"], "closed");
    EXPECT_EQ(issue["-comments"].size(), 2u) << issue["-comments"].dump(1);
  }

  // From the act on that was not over yet, as the journal has it.
  static Status all(const Acts& acts, std::size_t& at) {
    for (; at < acts.size(); ++at) TRY(acts[at]());
    return {};
  }

  // All acts with each trouble at each of their requests; and gone on with by another process when
  // the first one has died after that request.
  void in_trouble(const Acts& acts, const std::function<void()>& expect_well) {
    std::size_t at = 0;
    reset();
    ASSERT_TRUE(all(acts, at));
    const int requests = on.proxy().count();
    ASSERT_GT(requests, 2);
    for (int nth = 1; nth <= requests; ++nth) {
      for (const auto& fault : trouble()) {
        SCOPED_TRACE(fmt::format("request {}, {} {}", nth, static_cast<int>(fault.action),
                                 fault.reply.substr(0, 50)));
        reset();
        on.proxy().plan(belay::testing::only(nth, fault));
        at = 0;
        const auto done = all(acts, at);
        ASSERT_TRUE(done) << done.error().message();
        expect_well();
      }
      SCOPED_TRACE(fmt::format("dead after request {}", nth));
      reset();
      on.proxy().plan(belay::testing::dead_after(nth));
      at = 0;
      EXPECT_FALSE(all(acts, at));
      on.proxy().plan({});
      remake();
      const auto done = all(acts, at);
      ASSERT_TRUE(done) << done.error().message();
      expect_well();
    }
  }
};

TEST_F(Github, ShowsAReleaseItsPageAndItsLog) {
  ASSERT_TRUE(github->show(deployment(1), Stage::under_way, {}));
  auto all = has();
  ASSERT_EQ(all["deployments"].size(), 1u);
  const auto& made = all["deployments"][0];
  EXPECT_EQ(made["environment"], "production");
  EXPECT_EQ(made["payload"]["belay"], deployment(1).mark);
  EXPECT_EQ(made["-statuses"][0]["environment_url"], "https://shop.example.org");
  EXPECT_EQ(made["-statuses"][0]["log_url"], "https://github.com/team/shop/actions/runs/77");
  EXPECT_EQ(all["complaints"], Json::array());
}

TEST_F(Github, AReleaseThatIsWellTakesTheFormerOnesPlace) {
  auto other = deployment(3);
  other.mark = "docs/production run 3 of 2026-11-26T07:00:00.000Z";
  for (const auto& each : {other, deployment(1), deployment(2)})
    ASSERT_TRUE(github->show(each, Stage::well, {}));
  const auto all = has();
  EXPECT_EQ(states(all["deployments"][0], all), (std::vector<std::string>{"success"}));
  EXPECT_EQ(states(all["deployments"][1], all), (std::vector<std::string>{"inactive", "success"}));
  EXPECT_EQ(states(all["deployments"][2], all), (std::vector<std::string>{"success"}))
      << "another project's stays as it is";
}

TEST_F(Github, ADeploymentIsFoundFarBackInTheList) {
  ASSERT_TRUE(github->show(deployment(1), Stage::under_way, {}));
  on.tell("set?page=2");
  for (int run = 2; run < 9; ++run)
    ASSERT_TRUE(github->show(deployment(run), Stage::under_way, {}));
  ASSERT_TRUE(github->show(deployment(1), Stage::failed, {}));
  const auto all = has();
  EXPECT_EQ(all["deployments"].size(), 8u);
  EXPECT_EQ(states(all["deployments"][7], all),
            (std::vector<std::string>{"failure", "in_progress"}));
}

TEST_F(Github, ALongDescriptionIsCutBetweenCharacters) {
  auto long_one = deployment(1);
  for (int i = 0; i < 100; ++i) long_one.description += "é";
  ASSERT_TRUE(github->show(long_one, Stage::under_way, {}));
  EXPECT_EQ(has()["complaints"], Json::array());
}

TEST_F(Github, NoTroubleAtAnyRequestMakesASecondDeployment) {
  in_trouble(two_releases(), [this] { expect_two_releases(); });
}

TEST_F(Github, NoTroubleAtAnyRequestMakesASecondIssueOrComment) {
  in_trouble(an_incident(), [this] { expect_one_closed_issue(); });
}

TEST_F(Github, TheNextIncidentHasAnIssueOfItsOwn) {
  std::size_t at = 0;
  ASSERT_TRUE(all(an_incident(), at));
  ASSERT_TRUE(github->report(incident, news("failed again"), {}));
  const auto all = has();
  ASSERT_EQ(all["issues"].size(), 2u);
  EXPECT_EQ(all["issues"][0]["state"], "open");
  EXPECT_EQ(all["issues"][1]["state"], "closed");
}

TEST_F(Github, WhereNothingIsWrongNothingIsClosed) {
  const auto closed = github->close(incident, news("shipped"), {});
  ASSERT_TRUE(closed);
  EXPECT_FALSE(*closed);
  EXPECT_EQ(has()["issues"].size(), 0u);
}

TEST_F(Github, IssuesThatAreSwitchedOffAreToldWithWhatToDo) {
  on.tell("set?issues=off");
  const auto done = github->report(incident, news("failed"), {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().fault, Fault::refused);
  EXPECT_NE(done.error().message().find("take github_issue out of notify"), std::string::npos)
      << done.error().message();
}

TEST_F(Github, LabelsThatWereDroppedAreToldAndTheIssueIsThereOnce) {
  on.tell("set?push=off");
  for (int i = 0; i < 2; ++i) {
    const auto done = github->report(incident, news("failed"), {});
    ASSERT_FALSE(done);
    EXPECT_NE(done.error().message().find("dropped the label belay"), std::string::npos)
        << done.error().message();
  }
  EXPECT_EQ(has()["issues"].size(), 1u);
}

TEST_F(Github, ALimitThatLastsLongIsToldAndNotWaitedFor) {
  const auto reset = clock.now().time_since_epoch() / std::chrono::seconds(1) + 1800;
  on.proxy().plan([&](int, const std::string&) {
    return std::optional(
        answers("403 Forbidden\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: " +
                std::to_string(reset)));
  });
  const auto done = github->show(deployment(1), Stage::under_way, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().fault, Fault::busy);
  EXPECT_NE(done.error().message().find("free again in 30 min"), std::string::npos)
      << done.error().message();
  EXPECT_LT(clock.slept(), std::chrono::minutes(1));
}

TEST_F(Github, AWrongTokenIsDeniedAndStaysSecret) {
  config.token = Secret("a-wrong-token");
  remake();
  const auto done = github->show(deployment(1), Stage::under_way, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().fault, Fault::denied);
  EXPECT_EQ(done.error().message().find("a-wrong-token"), std::string::npos);
}

TEST_F(Github, ARepositoryThatTheTokenMayNotSeeIsMissingAndSaysBoth) {
  config.repository = "team/other";
  remake();
  const auto done = github->show(deployment(1), Stage::under_way, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().fault, Fault::missing);
  EXPECT_NE(done.error().message().find("the token may not see it"), std::string::npos);
}

// Else the token would be handed to whoever an answer names.
TEST_F(Github, ARedirectElsewhereIsNotFollowed) {
  belay::testing::StandIn elsewhere{"github_server.py"};
  on.proxy().plan([&](int, const std::string&) {
    return std::optional(
        answers("307 Temporary Redirect\r\nLocation: " + elsewhere.direct_url() + "/user"));
  });
  const auto done = github->reviews(77, {});
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message().find("the repository has moved"), std::string::npos);
  EXPECT_EQ(elsewhere.state()["complaints"], Json::array());
}

TEST_F(Github, AWorkflowsRunSaysWhoStartedItAndWhoLetItPass) {
  on.tell("review?user=amina&environments=production,production-gate-2&comment=good");
  on.tell("review?user=leo&environments=production&state=rejected");
  on.tell("pending?environments=production-gate-2");
  const auto run = github->workflow_run(77, {});
  ASSERT_TRUE(run) << run.error().message();
  EXPECT_EQ(run->actor, "rita");
  EXPECT_EQ(run->attempt, 1);
  const auto reviews = github->reviews(77, {});
  ASSERT_TRUE(reviews) << reviews.error().message();
  ASSERT_EQ(reviews->size(), 2u);
  EXPECT_EQ((*reviews)[0].login, "leo");
  EXPECT_EQ((*reviews)[0].state, "rejected");
  EXPECT_EQ((*reviews)[1].environments,
            (std::vector<std::string>{"production", "production-gate-2"}));
  EXPECT_EQ(*github->waits_for(77, {}), (std::vector<std::string>{"production-gate-2"}));
  EXPECT_FALSE(github->workflow_run(78, {}));
  EXPECT_EQ(has()["complaints"], Json::array());
}

TEST_F(Github, AnEnvironmentBecomesWhatIsWantedAndKeepsItsSecrets) {
  const auto none = github->environment("production", {});
  ASSERT_TRUE(none) << none.error().message();
  EXPECT_FALSE(*none);
  EnvironmentRules rules;
  const auto leo = github->account("leo", {});
  ASSERT_TRUE(leo && *leo);
  rules.reviewers = {**leo};
  rules.wait_minutes = 5;
  rules.branches = {BranchRule::Kind::patterns, {"main", "release/*"}};
  ASSERT_TRUE(github->set_environment("production", rules, {}));
  on.tell("secret?environment=production&name=VERCEL_TOKEN");
  rules.branches.patterns = {"main"};
  const auto changed = github->set_environment("production", rules, {});
  ASSERT_TRUE(changed) << changed.error().message();
  const auto now = github->environment("production", {});
  ASSERT_TRUE(now && *now);
  EXPECT_EQ((*now)->wait_minutes, 5);
  EXPECT_EQ((*now)->branches, rules.branches);
  ASSERT_EQ((*now)->reviewers.size(), 1u);
  EXPECT_EQ((*now)->reviewers[0].login, "leo");
  const auto names = github->secrets("production", {});
  ASSERT_TRUE(names) << names.error().message();
  EXPECT_EQ(*names, (std::vector<std::string>{"VERCEL_TOKEN"}));
  const auto nobody = github->account("nobody", {});
  ASSERT_TRUE(nobody) << nobody.error().message();
  EXPECT_FALSE(*nobody);
  EXPECT_EQ(has()["complaints"], Json::array());
}

TEST_F(Github, NoTroubleAtAnyRequestMakesASecondRelease) {
  const Release release{"prod-20261126-101500", "prod-20261126-101500", "What is in it."};
  in_trouble({[&] {
               on.tell("tag?name=" + release.tag);
               return github->publish(release, {});
             }},
             [&] {
               EXPECT_EQ(has()["releases"].size(), 1u);
               EXPECT_EQ(has()["complaints"], Json::array());
             });
}

TEST_F(Github, WhereTheTagIsNotPushedNoReleaseIsMade) {
  const auto done = github->publish({"prod-20261126-101500", "t", ""}, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().fault, Fault::missing);
  EXPECT_EQ(has()["releases"].size(), 0u);
}

TEST_F(Github, OfMergedPullRequestsItIsToldWhoMergedThem) {
  on.tell("pull?commit=abc&number=12&title=Faster%20search&user=leo&merged_by=amina");
  on.tell("pull?commit=abc&number=13&title=Never%20merged&user=leo");
  const auto pulls = github->pulls_of("abc", {});
  ASSERT_TRUE(pulls) << pulls.error().message();
  ASSERT_EQ(pulls->size(), 1u);
  EXPECT_EQ((*pulls)[0].title, "Faster search");
  EXPECT_EQ((*pulls)[0].author, "leo");
  EXPECT_EQ((*pulls)[0].merged_by, "amina");
  EXPECT_EQ(github->pulls_of("def", {})->size(), 0u);
}

TEST(GithubNames, AreReadFromRemotesOfEveryForm) {
  for (const char* remote :
       {"https://github.com/team/shop.git", "https://github.com/team/shop",
        "git@github.com:team/shop.git", "ssh://git@github.com/team/shop.git\n"})
    EXPECT_EQ(repository_of(remote), "team/shop") << remote;
  for (const char* remote : {"/srv/git/shop.git", "../origin", "", "https://github.com/team"})
    EXPECT_EQ(repository_of(remote), "") << remote;
}

}  // namespace
}  // namespace belay::github
