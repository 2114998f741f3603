// SPDX-License-Identifier: Apache-2.0
// Data that goes back while the backend is on Railway: it is stopped there meanwhile. With the real
// program, on a real database server and a stand-in of the platform.
#include "tests/cli/on_a_server.hpp"
#include "tests/fake/stand_in.hpp"

namespace belay::cli {
namespace {

struct HostedData : testing::OnAServer {
  belay::testing::StandIn railway{"railway_server.py"};

  void write(const std::string& hold) const {
    OnAServer::write("", fmt::format(R"yaml(services:
  backend: {{ path: . }}
environments:
  production:
    tag: prod
    watch: 0s
    services:
      backend:
        target: railway
        project: project-1
        token: "${{RAILWAY_TOKEN}}"
        endpoint: {}
{})yaml",
                                     railway.direct_url(), hold));
  }
  Finished run(std::vector<std::string> words) const {
    return project.belay(std::move(words), {{"RAILWAY_TOKEN", "railway-token"}});
  }
  // Two releases; between them there is one order, and one more since.
  void ship_two() const {
    ASSERT_TRUE(server->insert("one", "orders", {R"({"_id": 1})"}));
    project.commit("One");
    auto done = run({"deploy", "--yes"});
    ASSERT_EQ(done.status, 0) << done.out << done.err;
    project.write("two", "");
    project.commit("Two");
    done = run({"deploy", "--yes"});
    ASSERT_EQ(done.status, 0) << done.out << done.err;
    ASSERT_TRUE(server->insert("one", "orders", {R"({"_id": 2})"}));
  }
  // The orders since so many, without their deployments.
  std::vector<std::string> orders(std::size_t since) const {
    const auto state = railway.state();
    EXPECT_EQ(state["complaints"], Json::array());
    std::vector<std::string> found;
    for (const auto& each : state["orders"]) found.push_back(each.get<std::string>());
    return {found.begin() + static_cast<std::ptrdiff_t>(since), found.end()};
  }
  Json newest() const { return railway.state()["deployments"].back(); }
};

TEST_F(HostedData, TheBackendIsStoppedWhileDataAndCodeGoBack) {
  write("        hold: { stop: true }\n");
  ship_two();
  const auto plan = run({"rollback", "--dry-run"});
  EXPECT_NE(plan.out.find("backend is stopped at Railway meanwhile, out of service"),
            std::string::npos)
      << plan.out;
  EXPECT_EQ(plan.out.find("every writer"), std::string::npos) << plan.out;
  const auto back = run({"rollback", "--yes"});
  ASSERT_EQ(back.status, 0) << back.out << back.err;
  EXPECT_EQ(orders(2), (std::vector<std::string>{"deploymentStop deployment-2",
                                                 "deploymentRollback deployment-1"}));
  EXPECT_LT(back.out.find("rewind"), back.out.find("switch")) << "made live when the data is back";
  EXPECT_EQ(newest()["status"], "SUCCESS");
  EXPECT_EQ(newest()["deploymentStopped"], false);
  EXPECT_EQ(count("one", "orders"), 1u);
}

TEST_F(HostedData, ARewindByHandStopsItAndStartsItAgain) {
  write("        hold: { stop: true }\n");
  ship_two();
  const auto listed = run({"backup", "list", "--json"});
  const auto at = listed.out.rfind("rp-");
  ASSERT_NE(at, std::string::npos) << listed.out;
  const auto point = listed.out.substr(at, listed.out.find('"', at) - at);
  const auto back = run({"rewind", point, "--yes"});
  ASSERT_EQ(back.status, 0) << back.out << back.err;
  EXPECT_EQ(orders(2), (std::vector<std::string>{"deploymentStop deployment-2",
                                                 "deploymentRestart deployment-2"}));
  EXPECT_EQ(newest()["deploymentStopped"], false);
  EXPECT_EQ(count("one", "orders"), 1u);
}

TEST_F(HostedData, ItsOwnVariableHoldsItAndIsOffWhenItIsLiveAgain) {
  write("        hold: { variable: MAINTENANCE, on: \"yes\", off: \"no\" }\n");
  ship_two();
  EXPECT_EQ(newest()["variables"]["MAINTENANCE"], "no");
  const auto back = run({"rollback", "--yes"});
  ASSERT_EQ(back.status, 0) << back.out << back.err;
  const auto deployments = railway.state()["deployments"];
  ASSERT_EQ(deployments.size(), 4u);
  EXPECT_EQ(deployments[2]["variables"]["MAINTENANCE"], "yes");
  EXPECT_EQ(deployments[2]["meta"], deployments[1]["meta"]) << "what is live, held";
  EXPECT_EQ(deployments[3]["variables"]["MAINTENANCE"], "no");
  EXPECT_EQ(deployments[3]["meta"], deployments[0]["meta"]);
  EXPECT_EQ(count("one", "orders"), 1u);
}

TEST_F(HostedData, AMigrationRunsInACopyHereBeforeRailwayDeploys) {
  OnAServer::write("  migrate: { run: \"cat version >> " + (project.above() / "ran").string() +
                       " && test -n \\\"$MONGODB_URI\\\"\", in: backend }\n",
                   fmt::format(R"yaml(services:
  backend: {{ path: backend, {0} }}
environments:
  production:
    tag: prod
    watch: 0s
    strategy: all_at_once
    services:
      backend:
        target: railway
        project: project-1
        token: "${{RAILWAY_TOKEN}}"
        endpoint: {1}
        hold: {{ stop: true }}
)yaml",
                               project.user_line(), railway.direct_url()));
  for (const auto* version : {"one", "two"}) {
    project.write("backend/version", std::string(version) + "\n");
    project.commit(version);
    const auto done = run({"deploy", "--yes"});
    ASSERT_EQ(done.status, 0) << done.out << done.err;
  }
  EXPECT_EQ(read_file(project.above() / "ran").value(), "one\ntwo\n");
  const auto given = orders(0);
  ASSERT_EQ(given.size(), 3u);
  EXPECT_EQ(given[1], "deploymentStop deployment-1") << "before the migration of the second";
  EXPECT_TRUE(given[2].starts_with("serviceInstanceDeployV2"));
  EXPECT_EQ(newest()["deploymentStopped"], false);
}

TEST_F(HostedData, WhereNothingIsWrittenThePlanSaysThatNobodyIsHeld) {
  write("");
  ship_two();
  const auto plan = run({"rollback", "--dry-run"});
  EXPECT_NE(plan.out.find("stop every writer"), std::string::npos) << plan.out;
}

}  // namespace
}  // namespace belay::cli
