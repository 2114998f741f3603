// SPDX-License-Identifier: Apache-2.0
// Runs as people have them: a first release, two at once, signals, closed terminals, full disks.
#include "tests/cli/runs.hpp"

namespace belay::cli::testing {
namespace {

TEST_F(Runs, AFirstReleaseIsAskedForOnceMoreWhereTheFileDoesNotSayFirst) {
  auto text = project_.file();
  text.replace(text.find("    first: true\n"), 16, "");
  ship_file(text);
  const auto refused = project_.belay({"deploy"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find("Nothing is live in production"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("--yes"), std::string::npos);
  EXPECT_TRUE(status()["open_runs"].empty());
  EXPECT_EQ(project_.belay({"deploy", "--yes"}).status, 0);
  EXPECT_FALSE(live().empty());
}

TEST_F(Runs, TheSecondReleaseNamesTheWayBackAndTheWayBackWorks) {
  ASSERT_EQ(project_.belay({"deploy"}).status, 0);
  const auto first = live();
  ASSERT_TRUE(first.starts_with("prod-")) << first;
  project_.write("page", "two");
  project_.commit("Second");
  const auto second = project_.belay({"deploy"});
  ASSERT_EQ(second.status, 0) << second.out << second.err;
  EXPECT_NE(second.out.find("to go back: belay rollback " + first), std::string::npos)
      << second.out;
  const auto back = project_.belay({"rollback", "--yes"});
  ASSERT_EQ(back.status, 0) << back.out << back.err;
  EXPECT_EQ(live(), first);
  for (const std::string tag :
       {"v1.0", "staging-20260101-000000", "prod-20261399-000000", "prod-20260101-000000"}) {
    const auto wrong = project_.belay({"rollback", tag, "--yes"});
    EXPECT_EQ(wrong.status, 2) << tag;
    EXPECT_NE(wrong.err.find(tag), std::string::npos) << wrong.err;
  }
  EXPECT_EQ(live(), first);
}

TEST_F(Runs, JsonIsOneEventALineAndNothingElse) {
  const auto done = project_.belay({"deploy", "--json"});
  ASSERT_EQ(done.status, 0) << done.err;
  std::vector<std::string> kinds;
  for (const auto& line : split(trim(done.out), '\n')) {
    auto event = parse_json(line);
    ASSERT_TRUE(event.ok()) << line;
    kinds.push_back(event->value("event", ""));
  }
  EXPECT_EQ(kinds.front(), "run.created");
  EXPECT_EQ(kinds.back(), "run.finished");
}

TEST_F(Runs, WithoutATerminalLinesArePlainAndHaveTheirTime) {
  const auto done = project_.belay({"deploy"});
  ASSERT_EQ(done.status, 0);
  EXPECT_EQ(done.out.find('\x1b'), std::string::npos);
  EXPECT_EQ(done.out.find('\r'), std::string::npos);
  EXPECT_EQ(done.out[2], ':') << done.out.substr(0, 20);
}

TEST_F(Runs, AnActivationThatAlwaysFailsRunsOnceAndIsTakenBack) {
  ASSERT_EQ(project_.belay({"deploy"}).status, 0);
  const auto first = live();
  auto text = project_.file();
  text.replace(text.find("activate: echo"), 14,
               "activate: echo x >> " + project_.above().string() + "/tries; exit 3; echo");
  ship_file(text);
  const auto deploy = project_.belay({"deploy"});
  EXPECT_EQ(deploy.status, 1) << deploy.out << deploy.err;
  EXPECT_EQ(*read_file(project_.above() / "tries"), "x\n");
  EXPECT_NE(deploy.out.find("exit status 3"), std::string::npos) << deploy.out;
  EXPECT_EQ(live(), first);
}

TEST_F(Runs, AClosedTerminalAndAClosedPipeStopNothing) {
  slow_activation();
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  Background deploy(project_, {"deploy"}, [&] {
    ::dup2(ends[1], 1);
    ::dup2(ends[1], 2);
  });
  ::close(ends[1]);
  ASSERT_TRUE(eventually([&] { return begun(); }));
  ::close(ends[0]);  // nobody reads any more
  ::kill(deploy.pid(), SIGHUP);
  let_go();
  EXPECT_EQ(deploy.wait(), 0);
  EXPECT_FALSE(status()["environments"][0]["live"].is_null());
}

TEST_F(Runs, ASecondDeployIsRefusedWhereTheRuleSaysSo) {
  slow_activation();
  auto text = *read_file(project_.folder() / "belay.yaml") + "    busy: refuse\n";
  ship_file(text);
  Background deploy(project_, {"deploy"});
  ASSERT_TRUE(eventually([&] { return begun(); })) << deploy.said();
  const auto second = project_.belay({"deploy"});
  EXPECT_EQ(second.status, 3) << second.out << second.err;
  EXPECT_NE((second.out + second.err).find("Busy; nothing was changed"), std::string::npos)
      << second.out;
  let_go();
  EXPECT_EQ(deploy.wait(), 0) << deploy.said();
}

TEST_F(Runs, AFileThatChangesDuringARunChangesNothingOfIt) {
  slow_activation();
  Background deploy(project_, {"deploy"});
  ASSERT_TRUE(eventually([&] { return begun(); })) << deploy.said();
  project_.write("belay.yaml", "project: other\nnonsense: true\n");
  let_go();
  EXPECT_EQ(deploy.wait(), 0) << deploy.said();
  EXPECT_TRUE(live().starts_with("prod-"));
}

TEST_F(Runs, ACancelFromElsewhereEndsARunThatChangedNothing) {
  slow_activation();
  Background deploy(project_, {"deploy"});
  ASSERT_TRUE(eventually([&] { return begun(); })) << deploy.said();
  const auto run = status()["open_runs"][0]["run"].get<std::string>();
  Background cancel(project_, {"cancel", run, "--reason", "wrong branch"});
  ASSERT_TRUE(eventually([&] {
    return project_.belay({"show", run}).out.find("wrong branch") != std::string::npos;
  }));
  let_go();
  EXPECT_EQ(deploy.wait(), 1) << deploy.said();
  EXPECT_EQ(cancel.wait(), 1) << cancel.said();
  EXPECT_TRUE(status()["open_runs"].empty());
  EXPECT_TRUE(status()["environments"][0]["live"].is_null());
}

// Every file that grows beyond the limit fails to: what a full disk does, also to root.
TEST_F(Runs, AFullDiskIsAClearErrorBeforeAnyEffect) {
  ASSERT_EQ(project_.belay({"status"}).status, 0);
  Background deploy(project_, {"deploy"}, [] {
    const rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, SIG_IGN);
  });
  EXPECT_EQ(deploy.wait(), 1) << deploy.said();
  EXPECT_NE(deploy.said().find("journal"), std::string::npos) << deploy.said();
  EXPECT_EQ(live(), "");
  const auto healthy = project_.belay({"deploy"});
  EXPECT_EQ(healthy.status, 0) << healthy.out << healthy.err;
}

TEST_F(Runs, AStateFolderThatCannotBeMadeIsNamedBeforeAnyEffect) {
  project_.write("../state", "a file stands in the way\n");
  const auto deploy = project_.belay({"deploy"});
  EXPECT_EQ(deploy.status, 1) << deploy.out << deploy.err;
  EXPECT_NE(deploy.err.find(project_.state().string()), std::string::npos) << deploy.err;
  EXPECT_EQ(live(), "");
}

// A journal that was lost or brought back from an older copy would take what is live for nothing.
TEST_F(Runs, AnotherJournalThanTheEnvironmentsOwnIsRefusedBeforeAnyEffect) {
  ASSERT_EQ(project_.belay({"deploy"}).status, 0);
  const auto own = project_.state() / "journal", aside = project_.above() / "aside";
  std::filesystem::copy(own, aside, std::filesystem::copy_options::recursive);
  project_.commit("Second");
  ASSERT_EQ(project_.belay({"deploy"}).status, 0);
  const auto second = live();

  const auto refuses = [&](std::vector<std::string> words, const std::string& why) {
    const auto said = project_.belay(std::move(words));
    EXPECT_EQ(said.status, 1) << said.out << said.err;
    EXPECT_NE(said.err.find("is not the one"), std::string::npos) << said.out << said.err;
    EXPECT_NE(said.err.find(why), std::string::npos) << said.err;
    EXPECT_EQ(live(), second);
  };
  const auto newest = project_.above() / "newest";
  std::filesystem::rename(own, newest);
  refuses({"deploy", "--yes"}, "is missing, as in an older copy or a new journal");
  refuses({"status"}, "is missing");
  std::filesystem::remove_all(own);
  std::filesystem::rename(aside, own);
  refuses({"rollback", "--yes"}, "is missing, as in an older copy");
  std::filesystem::remove_all(own);
  std::filesystem::rename(newest, own);
  EXPECT_EQ(project_.belay({"rollback", "--yes"}).status, 0);
}

}  // namespace
}  // namespace belay::cli::testing
