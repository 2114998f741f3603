// SPDX-License-Identifier: Apache-2.0
// A backend on Railway and a frontend at Vercel, with the real program, on stand-ins that follow
// what both publish of their APIs.
#include <gtest/gtest.h>

#include "tests/cli/hosted_project.hpp"

namespace belay::cli {
namespace {

struct Hosted : ::testing::Test, testing::HostedProject {
  void SetUp() override {
    write(railway.direct_url(), vercel.direct_url());
    release("one");
  }
  // The commits that Railway was told to deploy, and whether the last one is up.
  std::vector<std::string> deployed() const {
    const auto now = railway.state();
    EXPECT_EQ(now["complaints"], Json::array());
    std::vector<std::string> commits;
    for (const auto& each : now["deployments"])
      commits.push_back(each["meta"]["commitHash"].get<std::string>());
    EXPECT_EQ(now["deployments"].back()["status"], "SUCCESS");
    return commits;
  }
};

TEST_F(Hosted, TwoReleasesGoOutAndOneComesBackOnBothSides) {
  const auto looked = belay({"doctor"});
  EXPECT_NE(looked.out.find("Vercel answers for prj_frontend"), std::string::npos) << looked.out;
  EXPECT_NE(looked.out.find("Railway answers for project-1"), std::string::npos) << looked.out;
  const auto first = belay({"deploy", "--yes"});
  ASSERT_EQ(first.status, 0) << first.out << first.err;
  const auto one = live();
  EXPECT_TRUE(one.starts_with("prod-"));
  release("two");
  const auto second = belay({"deploy", "--yes"});
  ASSERT_EQ(second.status, 0) << second.out << second.err;
  EXPECT_NE(live(), one);
  const auto back = belay({"rollback", "--yes"});
  ASSERT_EQ(back.status, 0) << back.out << back.err;
  EXPECT_EQ(live(), one);
  const auto commits = deployed();
  ASSERT_EQ(commits.size(), 3u);
  EXPECT_EQ(commits[0], commits[2]);
  EXPECT_NE(commits[0], commits[1]);
  EXPECT_EQ(vercel.state()["deployments"].size(), 2u);
  EXPECT_EQ(vercel.state()["complaints"], Json::array());
}

TEST_F(Hosted, ABuildThatFailsThereTouchesNothingAndTellsWhy) {
  ASSERT_EQ(belay({"deploy", "--yes"}).status, 0);
  const auto before = live();
  project.write("frontend/broken", "");
  project.commit("Broken");
  const auto failed = belay({"deploy", "--yes"});
  EXPECT_EQ(failed.status, 1) << failed.out << failed.err;
  EXPECT_NE((failed.out + failed.err).find("it is broken"), std::string::npos)
      << failed.out << failed.err;
  EXPECT_EQ(live(), before);
  EXPECT_EQ(deployed().size(), 1u);
}

TEST_F(Hosted, FilesAreHandedOverToAServiceThatIsConnectedToNoRepository) {
  auto config = read_file(project.folder() / "belay.yaml").value();
  const auto with = [&config](const std::string& old, const std::string& text) {
    const auto at = config.find(old);
    ASSERT_NE(at, std::string::npos) << config;
    config.replace(at, old.size(), text);
  };
  with("backend: { path: .,", "backend: { path: api,");
  with("target: railway,", "target: railway, source: upload,");
  project.write("belay.yaml", config);
  for (const char* text : {"one", "two"}) {
    project.write("api/server.js", text);
    project.write("api/node_modules/x/index.js", "from somewhere");
    project.write(".gitignore", "*.log\n");
    project.write("api/debug.log", "not of the commit");
    release(text);
    project.write("api/server.js", "changed since");
    const auto done = belay({"deploy", "--yes"});
    ASSERT_EQ(done.status, 0) << done.out << done.err;
  }
  const auto back = belay({"rollback", "--yes"});
  ASSERT_EQ(back.status, 0) << back.out << back.err;
  const auto now = railway.state();
  EXPECT_EQ(now["complaints"], Json::array());
  ASSERT_EQ(now["deployments"].size(), 3u);
  const char* expected[] = {"one", "two", "one"};
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(now["deployments"][i]["files"], (Json{{"./server.js", expected[i]}}));
  EXPECT_EQ(now["orders"].back(), "deploymentRollback deployment-1");
  EXPECT_TRUE(std::filesystem::is_empty(project.state() / "work"));
}

// Variables, and checks of what customers do not see yet.
struct HostedVariables : Hosted {
  const Environment secrets{{"VERCEL_TOKEN", "vercel-token"},
                            {"RAILWAY_TOKEN", "railway-token"},
                            {"JWT_SECRET", "the-first-jwt-secret"},
                            {"VERCEL_BYPASS", "past-the-protection"}};
  Environment later = secrets;

  void SetUp() override {
    later["JWT_SECRET"] = "another-jwt-secret";
    project.write("belay.yaml", fmt::format(R"yaml(project: shop
state: ../state
services:
  backend:
    path: .
    env: {{ LOG_LEVEL: info, JWT_SECRET: "${{JWT_SECRET}}" }}
  frontend:
    path: frontend
    needs: [backend]
    env: {{ NEXT_PUBLIC_API_URL: "${{service.backend.url}}" }}
    check: {{ path: /, json: {{ status: ok }} }}
environments:
  production:
    tag: prod
    watch: 0s
    services:
      backend:
        target: railway
        project: project-1
        domains: [api.shop.example.org]
        token: "${{RAILWAY_TOKEN}}"
        endpoint: {0}
        env: {{ LOG_LEVEL: warn }}
      frontend:
        target: vercel
        project: prj_frontend
        team: team_shop
        domains: [shop.example.org]
        token: "${{VERCEL_TOKEN}}"
        bypass: "${{VERCEL_BYPASS}}"
        endpoint: {1}
)yaml",
                                            railway.direct_url(), vercel.direct_url()));
    release("one");
  }
  // The values of secrets stand nowhere that a person reads.
  Finished run(std::vector<std::string> words, const Environment& env) const {
    auto done = belay(std::move(words), env);
    for (const auto* name : {"JWT_SECRET", "VERCEL_BYPASS"}) {
      EXPECT_EQ((done.out + done.err).find(env.at(name)), std::string::npos) << done.out;
    }
    return done;
  }
  static bool has(const Finished& done, const std::string& text) {
    return (done.out + done.err).find(text) != std::string::npos;
  }
};

TEST_F(HostedVariables, ThePlanNamesThemAndEachSideHasThemWhenItIsMade) {
  railway.set("name=BY_HAND&value=1");
  railway.set("name=LOG_LEVEL&value=debug");
  const auto plan = run({"plan"}, secrets);
  EXPECT_EQ(plan.status, 10) << plan.out << plan.err;
  EXPECT_TRUE(has(plan, "backend at Railway: adds BELAY_ENVIRONMENT, ")) << plan.out;
  EXPECT_TRUE(has(plan, "JWT_SECRET; changes LOG_LEVEL; 1 other left alone")) << plan.out;
  EXPECT_TRUE(has(plan, "NEXT_PUBLIC_API_URL")) << plan.out;
  EXPECT_LT(plan.out.find("recheck"), plan.out.find("build frontend")) << "under the lock";
  EXPECT_EQ(vercel.state()["variables"].size(), 0u);
  const auto first = run({"deploy", "--yes"}, secrets);
  ASSERT_EQ(first.status, 0) << first.out << first.err;
  const auto backend = railway.state()["deployments"].back()["variables"];
  EXPECT_EQ(backend["JWT_SECRET"], "the-first-jwt-secret");
  EXPECT_EQ(backend["LOG_LEVEL"], "warn") << "the place's own is over the service's";
  EXPECT_EQ(backend["BY_HAND"], "1");
  EXPECT_EQ(backend["BELAY_RELEASE"], live());
  const auto frontend = vercel.state()["deployments"].back()["-variables"];
  EXPECT_EQ(frontend["NEXT_PUBLIC_API_URL"], "https://api.shop.example.org");
  EXPECT_FALSE(frontend.contains("PATH"));
  const auto again = run({"plan"}, secrets);
  EXPECT_TRUE(has(again, "changes BELAY_RELEASE; 5 as they are; 1 other left alone")) << again.out;
}

TEST_F(HostedVariables, ASecretThatIsAnotherNowIsNamedAndTheReleaseGoneBackToHasIt) {
  ASSERT_EQ(run({"deploy", "--yes"}, secrets).status, 0);
  release("two");
  ASSERT_EQ(run({"deploy", "--yes"}, secrets).status, 0);
  const auto plan = run({"rollback", "--dry-run"}, later);
  EXPECT_TRUE(has(plan, "JWT_SECRET is another now: built anew with the present value"))
      << plan.out;
  const auto back = run({"rollback", "--yes", "--skip-checks", "--reason", "no DNS here"}, later);
  ASSERT_EQ(back.status, 0) << back.out << back.err;
  const auto state = railway.state();
  EXPECT_EQ(state["deployments"].back()["variables"]["JWT_SECRET"], "another-jwt-secret");
  EXPECT_EQ(state["deployments"].back()["variables"]["BELAY_RELEASE"], live());
  EXPECT_EQ(deployed().front(), deployed().back());
  EXPECT_TRUE(state["orders"].back().get<std::string>().starts_with("serviceInstanceDeployV2"));
}

TEST_F(HostedVariables, WhatIsSickIsNotPromoted) {
  ASSERT_EQ(run({"deploy", "--yes"}, secrets).status, 0);
  const auto before = live();
  project.write("frontend/sick", "");
  project.commit("Sick");
  const auto failed = run({"deploy", "--yes"}, secrets);
  EXPECT_EQ(failed.status, 1) << failed.out << failed.err;
  EXPECT_TRUE(has(failed, "1 of 1 checks failed")) << failed.out << failed.err;
  EXPECT_EQ(live(), before);
  EXPECT_EQ(deployed().size(), 1u) << "the check comes before either side is switched";
}

TEST_F(HostedVariables, VercelsProtectionIsNoAnswerOfTheApplications) {
  vercel.set("protection=on&bypass=past-the-protection");
  const auto past = run({"deploy", "--yes"}, secrets);
  EXPECT_EQ(past.status, 0) << past.out << past.err;
  const auto before = live();
  auto wrong = secrets;
  wrong["VERCEL_BYPASS"] = "is-no-way-past";
  release("two");
  const auto stopped = run({"deploy", "--yes"}, wrong);
  EXPECT_EQ(stopped.status, 1) << stopped.out << stopped.err;
  EXPECT_TRUE(has(stopped, "deployment protection stands before")) << stopped.out << stopped.err;
  EXPECT_EQ(live(), before);
}

TEST_F(Hosted, AWrongTokenIsToldAndStaysSecret) {
  const Environment wrong{{"VERCEL_TOKEN", "wrong-vercel-token"},
                          {"RAILWAY_TOKEN", "wrong-railway-token"}};
  const auto failed = project.belay({"deploy", "--yes"}, wrong);
  EXPECT_NE(failed.status, 0);
  EXPECT_NE((failed.out + failed.err).find("uthorized"), std::string::npos)
      << failed.out << failed.err;
  const auto looked = project.belay({"doctor"}, wrong);
  EXPECT_NE(looked.out.find("look at what belay.yaml names there"), std::string::npos)
      << looked.out;
  for (const auto& text : {failed.out, failed.err, looked.out, looked.err})
    EXPECT_EQ(text.find("-token"), std::string::npos) << text;
  const auto without = project.belay({"deploy", "--yes"}, {});
  EXPECT_NE(without.err.find("_TOKEN"), std::string::npos) << without.out << without.err;
}

}  // namespace
}  // namespace belay::cli
