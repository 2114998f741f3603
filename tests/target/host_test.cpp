// SPDX-License-Identifier: Apache-2.0
// The host target on real runit, real builds and a real (small) web server.
#include <dirent.h>
#include <signal.h>
#include <sys/stat.h>

#include <fstream>

#include "base/listeners.hpp"
#include "base/runit.hpp"
#include "base/text.hpp"
#include "tests/contract/target_contract.hpp"
#include "tests/target/host_subject.hpp"

namespace belay::contract {
namespace {

namespace fs = std::filesystem;
using target::Phase;
using target::Version;

std::unique_ptr<TargetSubject> host() {
  return std::make_unique<HostSubject>();
}
INSTANTIATE_TEST_SUITE_P(Host, TargetContract, testing::Values(&host));
INSTANTIATE_TEST_SUITE_P(Host, BuildContract, testing::Values(&host));
INSTANTIATE_TEST_SUITE_P(Host, HostContract, testing::Values(&host));

class Host : public ::testing::Test {
 protected:
  target::Target& target() { return subject.target(); }
  target::VersionStatus status(const Version& version) {
    auto now = target().status(version);
    EXPECT_TRUE(now) << (now ? "" : now.error().message());
    return now ? *now : target::VersionStatus{};
  }
  bool becomes(const Version& version, Phase phase, Millis limit = std::chrono::seconds(20)) {
    return subject.wait_until(limit, [&] { return status(version).phase == phase; });
  }
  void prepared(const target::Artifact& artifact, const Version& version = v1) {
    const Status done = target().prepare(version, artifact, "k-" + version.release, {}, {});
    ASSERT_TRUE(done) << done.error().message();
  }
  void started(const Version& version, const Environment& env = {}) {
    const auto done = target().start(version, env, {});
    ASSERT_TRUE(done) << done.error().message();
  }
  HostSubject subject;
  static inline const Version v1{"shop", "r1"};
  static inline const Version v2{"shop", "r2"};
};

TEST_F(Host, TheProgramSeesItsEnvironmentAndNothingOfOurs) {
  ::setenv("BELAY_TEST_SURROUNDINGS", "not for services", 1);
  prepared(subject.good());
  started(v1, {{"GREETING", "line one\nline two"}, {"EMPTY", ""}, {"QUOTE", "a'b\"$HOME`"}});
  ASSERT_TRUE(becomes(v1, Phase::running)) << status(v1).text;
  const auto port = status(v1).port;
  EXPECT_EQ(subject.get(port, "/env/GREETING"), "line one\nline two");
  EXPECT_EQ(subject.get(port, "/env/QUOTE"), "a'b\"$HOME`");
  EXPECT_EQ(subject.get(port, "/env/PORT"), std::to_string(port));
  EXPECT_EQ(subject.get(port, "/env/HOST"), "127.0.0.1");
  EXPECT_EQ(subject.get(port, "/env/BELAY_RELEASE"), "r1");
  EXPECT_EQ(subject.get(port, "/env/BELAY_TEST_SURROUNDINGS"), "");
}

TEST_F(Host, SecretsAreReadableByTheOwnerOnlyAndGoWithTheVersion) {
  prepared(subject.good());
  started(v1, {{"TOKEN", "sentinel-4711"}});
  const Path file = subject.folder() / "services/shop@r1/env/TOKEN";
  struct stat found {};
  ASSERT_EQ(::stat(file.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat(file.parent_path().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0700u);
  EXPECT_EQ(subject.files_with("sentinel-4711"), std::vector<Path>{file});
  ASSERT_TRUE(target().remove(v1));
  EXPECT_TRUE(subject.files_with("sentinel-4711").empty());
}

TEST_F(Host, AValueThatCannotBeKeptExactlyIsRefusedWithoutShowingIt) {
  prepared(subject.good());
  const auto started = target().start(v1, {{"TOKEN", "hush-hush "}}, {});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().fault, Fault::invalid);
  EXPECT_NE(started.error().message().find("TOKEN"), std::string::npos);
  EXPECT_EQ(started.error().message().find("hush"), std::string::npos);
}

TEST_F(Host, AFailingBuildShowsItsLastLinesAndLeavesOnlyTheLog) {
  target::Artifact artifact = subject.good();
  artifact.build = "echo about to fail; echo cannot find module x >&2; exit 7";
  const Status done = target().prepare(v1, artifact, "k1", {}, {});
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message().find("cannot find module x"), std::string::npos);
  EXPECT_NE(done.error().message().find("exit status 7"), std::string::npos);
  EXPECT_FALSE(fs::exists(subject.folder() / "releases/r1/shop"));
  EXPECT_TRUE(fs::exists(subject.logs() / "shop@r1.build.log"));
}

TEST_F(Host, ABuildRunsWhereTheVersionWillRun) {
  target::Artifact artifact = subject.good();
  artifact.build = "pwd > built_in; ln -s \"$PWD/server.py\" link.py";
  artifact.run = "python3 link.py";
  prepared(artifact);
  started(v1);
  EXPECT_TRUE(becomes(v1, Phase::running)) << status(v1).text;
}

TEST_F(Host, ARunningBuildIsAdoptedByItsKey) {
  target::Artifact artifact = subject.good();
  artifact.build =
      "echo x >> ../../../../count; while [ ! -e ../../../../go ]; do sleep 0.02; done";
  std::stop_source gone;
  std::jthread first([&] {
    const Status done = target().prepare(v1, artifact, "k1", {}, gone.get_token());
    EXPECT_TRUE(!done && done.error().fault == Fault::cancelled);
  });
  ASSERT_TRUE(subject.wait_until(std::chrono::seconds(20),
                                 [&] { return fs::exists(subject.folder() / "count"); }));
  gone.request_stop();
  first.join();
  EXPECT_EQ(status(v1).phase, Phase::preparing);
  std::ofstream(subject.folder() / "go") << "go";
  const Status again = target().prepare(v1, artifact, "k1", {}, {});
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*read_file(subject.folder() / "count"), "x\n") << "the build ran twice";
}

TEST_F(Host, ACrashedServiceIsStartedAgainAndCounted) {
  prepared(subject.good());
  started(v1);
  ASSERT_TRUE(becomes(v1, Phase::running)) << status(v1).text;
  subject.get(status(v1).port, "/crash");
  ASSERT_TRUE(
      subject.wait_until(std::chrono::seconds(20), [&] { return status(v1).restarts == 1; }));
  EXPECT_TRUE(becomes(v1, Phase::running)) << status(v1).text;
}

TEST_F(Host, ACrashLoopIsFailedWithItsLastLines) {
  target::Artifact artifact = subject.good();
  artifact.run = "echo no database here; exit 5";
  prepared(artifact);
  started(v1);
  ASSERT_TRUE(becomes(v1, Phase::failed)) << status(v1).text;
  EXPECT_GE(status(v1).restarts, 3);
  EXPECT_NE(status(v1).text.find("exit status 5"), std::string::npos) << status(v1).text;
  EXPECT_NE(status(v1).text.find("no database here"), std::string::npos) << status(v1).text;
}

TEST_F(Host, AServiceThatNeverListensIsNeverRunning) {
  target::Artifact artifact = subject.good();
  artifact.run = "sleep 1000";
  prepared(artifact);
  started(v1);
  ASSERT_TRUE(subject.wait_until(std::chrono::seconds(5), [&] {
    return status(v1).text.find("does not listen") != std::string::npos;
  })) << status(v1).text;
  EXPECT_EQ(status(v1).phase, Phase::starting);
}

TEST_F(Host, APortThatSomebodyElseHoldsIsPassedOver) {
  prepared(subject.good());
  prepared(subject.good(), v2);
  started(v1);
  const auto next = subject.port_after(status(v1).port);
  auto stranger = subject.listen_on(next);
  ASSERT_TRUE(stranger);
  started(v2);
  ASSERT_TRUE(becomes(v2, Phase::running)) << status(v2).text;
  EXPECT_NE(status(v2).port, next);
}

TEST_F(Host, ProjectsThatShareARangeBeginAtPlacesOfTheirOwnInIt) {
  std::set<std::uint16_t> ports;
  for (const char* project : {"one", "two", "three", "four", "five", "six"}) {
    auto other = subject.another_target(project);
    ASSERT_TRUE(other->prepare(v1, subject.good(), std::string("k-") + project, {}, {}));
    const auto begun = other->start(v1, {}, {});
    ASSERT_TRUE(begun) << begun.error().message();
    ports.insert(begun->port);
    ASSERT_TRUE(other->stop(v1, Millis(100)));
  }
  EXPECT_GE(ports.size(), 4u) << "each was stopped before the next one chose";
}

TEST_F(Host, AStrangerOnOurPortIsNotMistakenForTheServiceAndAStartTakesAnotherPort) {
  target::Artifact artifact = subject.good();
  artifact.run = "while [ ! -e ../../../../go ]; do sleep 0.02; done; exec python3 server.py";
  prepared(artifact);
  started(v1);
  const auto port = status(v1).port;
  auto stranger = subject.listen_on(port);
  ASSERT_TRUE(stranger);
  std::ofstream(subject.folder() / "go") << "go";
  EXPECT_TRUE(subject.wait_until(std::chrono::seconds(10), [&] {
    return status(v1).text.find("is taken by") != std::string::npos;
  })) << status(v1).text;
  ASSERT_TRUE(becomes(v1, Phase::failed)) << status(v1).text;
  EXPECT_NE(status(v1).text.find("address already in use"), std::string::npos) << status(v1).text;
  EXPECT_TRUE(status(v1).port_lost) << status(v1).text;
  started(v1);
  ASSERT_TRUE(becomes(v1, Phase::running)) << status(v1).text;
  EXPECT_NE(status(v1).port, port);
  EXPECT_FALSE(status(v1).port_lost);
}

TEST_F(Host, AProgramThatLivesOnBesideAStrangerOnItsPortHasLostThePort) {
  target::Artifact artifact = subject.good();
  artifact.run = "sleep 1000";
  prepared(artifact);
  started(v1);
  auto stranger = subject.listen_on(status(v1).port);
  ASSERT_TRUE(stranger);
  EXPECT_TRUE(subject.wait_until(std::chrono::seconds(10), [&] { return status(v1).port_lost; }));
  EXPECT_EQ(status(v1).phase, Phase::starting);
}

TEST_F(Host, AStartDuringAStopWaitsForItsEndAndTheVersionRunsAfterwards) {
  prepared(subject.good());
  started(v1, {{"STUBBORN", "1"}});
  ASSERT_TRUE(becomes(v1, Phase::running)) << status(v1).text;
  const auto first = listeners(status(v1).port);
  {
    std::jthread stopping([&] { EXPECT_TRUE(target().stop(v1, Millis(1500))); });
    ASSERT_TRUE(subject.wait_until(std::chrono::seconds(10), [&] {
      return fs::exists(subject.folder() / "services/shop@r1/down");
    }));
    started(v1, {{"GREETING", "again"}});
  }
  ASSERT_TRUE(becomes(v1, Phase::running)) << status(v1).text;
  const auto now = listeners(status(v1).port);
  ASSERT_TRUE(first.size() == 1 && now.size() == 1);
  EXPECT_NE(first[0].pid, now[0].pid);
  EXPECT_EQ(subject.get(status(v1).port, "/env/GREETING"), "again");
}

TEST_F(Host, AServiceThatIgnoresSigtermIsKilledAfterItsGrace) {
  prepared(subject.good());
  started(v1, {{"STUBBORN", "1"}});
  ASSERT_TRUE(becomes(v1, Phase::running)) << status(v1).text;
  const auto port = status(v1).port;
  const auto before = subject.clock.steady();
  const Status stopped = target().stop(v1, Millis(300));
  ASSERT_TRUE(stopped) << stopped.error().message();
  EXPECT_GE(subject.clock.steady() - before, Millis(300));
  EXPECT_TRUE(listeners(port).empty());
  EXPECT_EQ(status(v1).phase, Phase::prepared);
}

TEST_F(Host, StoppingReachesProgramsBehindAShell) {
  target::Artifact artifact = subject.good();
  artifact.run = "python3 server.py & wait";
  prepared(artifact);
  started(v1);
  ASSERT_TRUE(becomes(v1, Phase::running)) << status(v1).text;
  const auto port = status(v1).port;
  ASSERT_TRUE(target().stop(v1, std::chrono::seconds(10)));
  EXPECT_TRUE(listeners(port).empty());
}

TEST_F(Host, AServiceWhoseSupervisorWasKilledIsRevivedOnceNotTwice) {
  prepared(subject.good());
  started(v1);
  ASSERT_TRUE(becomes(v1, Phase::running)) << status(v1).text;
  subject.kill_supervisors();
  EXPECT_TRUE(becomes(v1, Phase::failed)) << "the kernel takes its time to end them";
  ASSERT_TRUE(target().revive());
  ASSERT_TRUE(becomes(v1, Phase::running)) << status(v1).text;
  EXPECT_EQ(listeners(status(v1).port).size(), 1u);
}

TEST_F(Host, AWorkerHasNoPortAndRunsWhenItHasStayedUp) {
  target::Artifact artifact = subject.good();
  artifact.run = "sleep 1000";
  artifact.worker = true;
  prepared(artifact);
  started(v1);
  EXPECT_EQ(status(v1).phase, Phase::starting);
  ASSERT_TRUE(becomes(v1, Phase::running)) << status(v1).text;
  EXPECT_EQ(status(v1).port, 0);
}

TEST_F(Host, LogsHoldWhatTheServiceWrote) {
  prepared(subject.good());
  started(v1);
  ASSERT_TRUE(becomes(v1, Phase::running)) << status(v1).text;
  EXPECT_TRUE(subject.wait_until(std::chrono::seconds(5), [&] {
    const auto log = target().logs(v1, 10000);
    return log && log->find("r1 listens") != std::string::npos;
  }));
}

TEST_F(Host, LogsAreRotatedAndReadAcrossTheirFiles) {
  target::Artifact artifact = subject.good();
  artifact.run = "seq 1 40000; sleep 1000";
  artifact.worker = true;
  prepared(artifact);
  started(v1);
  const auto rotated = [&] {
    std::error_code code;
    int count = 0;
    for (const auto& entry : fs::directory_iterator(subject.logs() / "shop@r1", code))
      count += entry.path().filename().string().starts_with("@") ? 1 : 0;
    return count;
  };
  ASSERT_TRUE(subject.wait_until(std::chrono::seconds(20), [&] { return rotated() > 0; }));
  EXPECT_TRUE(subject.wait_until(std::chrono::seconds(10), [&] {
    const auto log = target().logs(v1, 4'000'000);
    return log && log->find(" 1\n") != std::string::npos &&
           log->find(" 40000\n") != std::string::npos;
  }));
}

TEST_F(Host, NamesThatLeaveTheFolderAreRefused) {
  for (const char* name : {"..", "a/b", "", ".hidden", "a b", "a@b"}) {
    EXPECT_FALSE(target().prepare({"shop", name}, subject.good(), "k", {}, {})) << name;
    EXPECT_FALSE(target().remove({name, "r1"})) << name;
  }
  target::Artifact artifact = subject.good();
  artifact.folder = "../..";
  EXPECT_FALSE(target().prepare(v1, artifact, "k", {}, {}));
}

TEST_F(Host, AServiceRunsAsItsOwnUserOrNotAtAll) {
  target::Artifact artifact = subject.good();
  artifact.user = "nobody";
  artifact.build = "id -un > who_built";
  subject.let_others_pass();
  const Status done = target().prepare(v1, artifact, "k1", {}, {});
  if (::geteuid() != 0) {
    ASSERT_FALSE(done) << "only root may become somebody else";
    EXPECT_EQ(done.error().fault, Fault::denied);
    return;
  }
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(*read_file(*target().folder(v1) / "who_built"), "nobody\n");
  started(v1, {{"TOKEN", "t"}});
  ASSERT_TRUE(becomes(v1, Phase::running)) << status(v1).text;
  const auto found = listeners(status(v1).port);
  ASSERT_EQ(found.size(), 1u);
  struct stat process {};
  ASSERT_EQ(::stat(("/proc/" + std::to_string(found[0].pid)).c_str(), &process), 0);
  EXPECT_NE(process.st_uid, 0u);
  EXPECT_EQ(subject.get(status(v1).port, "/env/TOKEN"), "t");
}

TEST_F(Host, AFolderThatIsClosedToTheServicesUserIsNamed) {
  target::Artifact artifact = subject.good();
  artifact.user = "nobody";
  const Status done = target().prepare(v1, artifact, "k1", {}, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().fault, Fault::denied);
  EXPECT_NE(done.error().message().find("nobody"), std::string::npos) << done.error().message();
}

TEST_F(Host, ManyVersionsStartedAtOnceGetDifferentPorts) {
  for (int n = 0; n < 6; ++n) prepared(subject.good(), {"shop", "p" + std::to_string(n)});
  {
    std::vector<std::jthread> threads;
    for (int n = 0; n < 6; ++n) {
      threads.emplace_back([&, n] { started({"shop", "p" + std::to_string(n)}); });
    }
  }
  std::set<std::uint16_t> ports;
  for (int n = 0; n < 6; ++n) ports.insert(status({"shop", "p" + std::to_string(n)}).port);
  EXPECT_EQ(ports.size(), 6u);
}

}  // namespace
}  // namespace belay::contract
