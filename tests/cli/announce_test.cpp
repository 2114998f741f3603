// SPDX-License-Identifier: Apache-2.0
// Who is told, by the user's own program, that a run waits for approvals or stopped for a person.
#include "tests/cli/runs.hpp"

namespace belay::cli::testing {
namespace {

class Announcements : public Runs {
 protected:
  void SetUp() override {}

  // `program` hears each announcement; `more` are further lines of the environment.
  void ship(const std::string& program, const std::string& more, const std::string& people = {}) {
    ship_file(
        project_.file("    notify:\n      - { command: \"" + program + "\" }\n" + more, people));
  }
  std::string hearing() const { return "cat >> " + (project_.above() / "heard").string(); }
  std::vector<Json> heard() const {
    auto text = read_file(project_.above() / "heard");
    std::vector<Json> all;
    for (const auto& line : split(trim(text ? *text : ""), '\n')) {
      if (!line.empty()) all.push_back(Json::parse(line));
    }
    return all;
  }
  std::vector<std::string> kinds() const {
    std::vector<std::string> all;
    for (const auto& one : heard()) all.push_back(one.value("kind", ""));
    return all;
  }
  void ship_what_fails_and_stops(const std::string& program) {
    ship(program, "    rollback: { auto: [] }\n");
    auto text = *read_file(project_.folder() / "belay.yaml");
    text.replace(text.find("activate: echo"), 14, "activate: exit 3; echo");
    ship_file(text);
  }
};

using Kinds = std::vector<std::string>;

TEST_F(Announcements, ThatARunWaitsForApprovalsIsToldOnceHoweverOftenItIsResumed) {
  ship(hearing(), "    approvals: { required: 1, reviewers: [amina] }\n",
       "people:\n  amina: " + project_.public_key("amina") + "\n");
  ASSERT_EQ(project_.belay({"deploy", "--no-wait"}).status, 4);
  EXPECT_EQ(project_.belay({"resume", "1", "--no-wait"}).status, 4);
  ASSERT_EQ(kinds(), Kinds{"waiting"});
  const auto news = heard()[0];
  EXPECT_NE(news["title"].get<std::string>().find("run 1"), std::string::npos) << news;
  EXPECT_NE(news["text"].get<std::string>().find("waiting for 1 of amina"), std::string::npos);
  EXPECT_NE(news["text"].get<std::string>().find("belay approve 1"), std::string::npos) << news;
  EXPECT_EQ(news["facts"]["environment"], "production");
  ASSERT_EQ(project_.belay({"approve", "1", "--key", project_.key("amina").string()}).status, 0);
  EXPECT_EQ(project_.belay({"resume", "1"}).status, 0);
  EXPECT_EQ(kinds(), (Kinds{"waiting", "shipped"}));
  EXPECT_EQ(project_.belay({"audit", "verify"}).status, 0);
}

TEST_F(Announcements, ThatARunStoppedIsToldOnceAStop) {
  ship_what_fails_and_stops(hearing());
  ASSERT_EQ(project_.belay({"deploy"}).status, 5);
  ASSERT_EQ(kinds(), Kinds{"stopped"});
  EXPECT_NE(heard()[0]["text"].get<std::string>().find("rollback.auto is off"), std::string::npos);
  EXPECT_EQ(project_.belay({"resume", "1"}).status, 5) << "it stops again";
  EXPECT_EQ(kinds(), (Kinds{"stopped", "stopped"}));
  EXPECT_EQ(project_.belay({"cancel", "1"}).status, 1);
}

TEST_F(Announcements, AProgramThatFailsIsNamedAndTheRunStopsAsItWould) {
  ship_what_fails_and_stops("echo nobody listens; exit 7");
  const auto deploy = project_.belay({"deploy"});
  EXPECT_EQ(deploy.status, 5) << deploy.out << deploy.err;
  EXPECT_NE(deploy.out.find("Nobody was told that the run needs a person"), std::string::npos)
      << deploy.out;
  EXPECT_NE(deploy.out.find("nobody listens"), std::string::npos) << deploy.out;
}

// Nobody is at a terminal when the machine comes back.
TEST_F(Announcements, AStopThatAKillKeptUntoldTheAgentTells) {
  ship_what_fails_and_stops("kill -9 `cat " + (project_.above() / "driver").string() + "`; " +
                            hearing());
  Background deploy(project_, {"deploy"},
                    [this] { project_.write("../driver", std::to_string(::getpid())); });
  ASSERT_EQ(deploy.wait(), 128 + SIGKILL) << deploy.said();
  const auto agent = Background(project_, {"agent"});
  EXPECT_TRUE(eventually([&] {
    const auto events = project_.belay({"show", "1", "--json"}).out;
    return events.find("\"announced\"") != std::string::npos;
  })) << agent.said();
  EXPECT_EQ(kinds(), Kinds{"stopped"}) << "the program went on, and was found by its key";
}

}  // namespace
}  // namespace belay::cli::testing
