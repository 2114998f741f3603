// SPDX-License-Identifier: Apache-2.0
// A frontend at Vercel beside a backend of the user's own programs, with the real program, on a
// stand-in that follows Vercel's published API.
#include <gtest/gtest.h>

#include "base/json.hpp"
#include "net/http.hpp"
#include "tests/support/scratch_project.hpp"
#include "tests/support/server_process.hpp"

namespace belay::cli {
namespace {

struct AtVercel : ::testing::Test {
  belay::testing::ScratchProject project;
  std::unique_ptr<belay::testing::ServerProcess> server;
  int port = 0;

  void SetUp() override {
    auto started = belay::testing::ServerProcess::start(
        {BELAY_TOOLS_DIR "/venv/bin/python", "-B", BELAY_SOURCE_DIR "/tests/fake/vercel_server.py"},
        "{\"port\"");
    ASSERT_TRUE(started) << started.error().message();
    server = std::move(started).value();
    port = parse_json(server->line())->at("port").get<int>();
    project.write("belay.yaml", fmt::format(R"yaml(project: shop
state: ../state
services:
  backend: {{ path: ., run: "true" }}
  frontend: {{ path: frontend, build: npm run build, run: npm start, needs: [backend] }}
environments:
  production:
    tag: prod
    services:
      backend: {{ target: command, activate: 'echo "$BELAY_RELEASE" > {0}', status: 'echo "live $(cat {0})"' }}
      frontend:
        target: vercel
        project: prj_frontend
        team: team_shop
        domains: [shop.example.org]
        token: ${{VERCEL_TOKEN}}
        endpoint: http://127.0.0.1:{1}
)yaml",
                                            (project.above() / "live").string(), port));
    release("one");
  }
  void release(const std::string& text) const {
    project.write("frontend/index.html", text);
    project.commit("Release " + text);
  }
  Finished belay(std::vector<std::string> words,
                 const Environment& more = {{"VERCEL_TOKEN", "vercel-token"}}) const {
    return project.belay(std::move(words), more);
  }
  Json state() const {
    SystemClock clock;
    net::Request request;
    request.url = fmt::format("http://127.0.0.1:{}/-/state", port);
    return parse_json(net::make_client(clock)->send(request, {})->body).value();
  }
  // The release that customers get.
  std::string live() const {
    const auto now = state();
    for (const auto& each : now["deployments"]) {
      if (each["id"] == now["alias"]["to"]) return each["meta"]["belayRelease"];
    }
    return "none";
  }
};

TEST_F(AtVercel, TwoReleasesGoOutAndOneComesBackWithTheBackendBesideIt) {
  const auto looked = belay({"doctor"});
  EXPECT_NE(looked.out.find("Vercel answers for prj_frontend"), std::string::npos) << looked.out;
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
  EXPECT_EQ(read_file(project.above() / "live").value(), one + "\n");
  EXPECT_EQ(state()["deployments"].size(), 2u);
  EXPECT_EQ(state()["complaints"], Json::array());
}

TEST_F(AtVercel, ABuildThatFailsThereTouchesNothingAndTellsWhy) {
  ASSERT_EQ(belay({"deploy", "--yes"}).status, 0);
  const auto before = live();
  project.write("frontend/broken", "");
  project.commit("Broken");
  const auto failed = belay({"deploy", "--yes"});
  EXPECT_EQ(failed.status, 1) << failed.out << failed.err;
  EXPECT_NE((failed.out + failed.err).find("it is broken"), std::string::npos)
      << failed.out << failed.err;
  EXPECT_EQ(live(), before);
  EXPECT_EQ(read_file(project.above() / "live").value(), before + "\n");
}

TEST_F(AtVercel, AWrongTokenIsToldAndStaysSecret) {
  const Environment wrong{{"VERCEL_TOKEN", "wrong-vercel-token"}};
  const auto failed = belay({"deploy", "--yes"}, wrong);
  EXPECT_NE(failed.status, 0);
  EXPECT_NE((failed.out + failed.err).find("Not authorized"), std::string::npos)
      << failed.out << failed.err;
  const auto looked = belay({"doctor"}, wrong);
  EXPECT_NE(looked.out.find("look at project, team and token"), std::string::npos) << looked.out;
  for (const auto& text : {failed.out, failed.err, looked.out, looked.err})
    EXPECT_EQ(text.find("wrong-vercel-token"), std::string::npos);
  const auto without = belay({"deploy", "--yes"}, {});
  EXPECT_NE(without.err.find("VERCEL_TOKEN"), std::string::npos) << without.out << without.err;
}

}  // namespace
}  // namespace belay::cli
