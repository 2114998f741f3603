// SPDX-License-Identifier: Apache-2.0
// A backend on Railway and a frontend at Vercel, with the real program, on stand-ins that follow
// what both publish of their APIs.
#include <gtest/gtest.h>

#include "tests/fake/stand_in.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::cli {
namespace {

struct Hosted : ::testing::Test {
  belay::testing::ScratchProject project;
  belay::testing::StandIn railway{"railway_server.py"}, vercel{"vercel_server.py"};

  void SetUp() override {
    project.write("belay.yaml", fmt::format(R"yaml(project: shop
state: ../state
services:
  backend: {{ path: ., run: "true" }}
  frontend: {{ path: frontend, build: npm run build, run: npm start, needs: [backend] }}
environments:
  production:
    tag: prod
    services:
      backend: {{ target: railway, project: project-1, token: "${{RAILWAY_TOKEN}}", endpoint: {0} }}
      frontend:
        target: vercel
        project: prj_frontend
        team: team_shop
        domains: [shop.example.org]
        token: ${{VERCEL_TOKEN}}
        endpoint: {1}
)yaml",
                                            railway.direct_url(), vercel.direct_url()));
    release("one");
  }
  void release(const std::string& text) const {
    project.write("frontend/index.html", text);
    project.commit("Release " + text);
  }
  Finished belay(std::vector<std::string> words,
                 const Environment& more = {{"VERCEL_TOKEN", "vercel-token"},
                                            {"RAILWAY_TOKEN", "railway-token"}}) const {
    return project.belay(std::move(words), more);
  }
  // The release that customers get at Vercel.
  std::string live() const {
    const auto now = vercel.state();
    for (const auto& each : now["deployments"]) {
      if (each["id"] == now["alias"]["to"]) return each["meta"]["belayRelease"];
    }
    return "none";
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

TEST_F(Hosted, AWrongTokenIsToldAndStaysSecret) {
  const Environment wrong{{"VERCEL_TOKEN", "wrong-vercel-token"},
                          {"RAILWAY_TOKEN", "wrong-railway-token"}};
  const auto failed = belay({"deploy", "--yes"}, wrong);
  EXPECT_NE(failed.status, 0);
  EXPECT_NE((failed.out + failed.err).find("uthorized"), std::string::npos)
      << failed.out << failed.err;
  const auto looked = belay({"doctor"}, wrong);
  EXPECT_NE(looked.out.find("look at what belay.yaml names there"), std::string::npos)
      << looked.out;
  for (const auto& text : {failed.out, failed.err, looked.out, looked.err})
    EXPECT_EQ(text.find("-token"), std::string::npos) << text;
  const auto without = belay({"deploy", "--yes"}, {});
  EXPECT_NE(without.err.find("_TOKEN"), std::string::npos) << without.out << without.err;
}

}  // namespace
}  // namespace belay::cli
