// SPDX-License-Identifier: Apache-2.0
// A real service behind the real proxy: after a reboot it is live again, and what was kept warm
// long enough is stopped.
#include "app/upkeep.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "app/wire.hpp"
#include "base/listeners.hpp"
#include "engine/releases.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::app {
namespace {

using testing::ScratchProject;

std::uint16_t free_port() {
  Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(::bind(listener.get(), plain, size), 0);
  EXPECT_EQ(::getsockname(listener.get(), plain, &size), 0);
  return ntohs(address.sin_port);
}

class Upkeep : public ::testing::Test {
 protected:
  void SetUp() override {
    port_ = free_port();
    project_.write("belay.yaml", fmt::format(R"(project: shop
state: ../state
secrets: {{ file: ../secrets }}
services:
  web:
    run: exec python3 -m http.server --bind $HOST $PORT
    check: {{ path: /, interval: 100ms }}
    env: {{ TOKEN: "${{TOKEN}}" }}
environments:
  production:
    tag: prod
    services:
      web: {{ listen: 127.0.0.1:{}, {} }}
    rollback: {{ keep_warm: 0s }}
    watch: 0s
    first: true
)",
                                             port_, ScratchProject::user_line()));
    project_.write("../secrets", "TOKEN=a-token\n", 0600);
    project_.commit("First");
    const auto done = project_.belay({"deploy"});
    ASSERT_EQ(done.status, 0) << done.out << done.err;
    auto project = load_project(std::nullopt, project_.folder(), project_.environment());
    ASSERT_TRUE(project.ok());
    auto desk = open_desk(std::move(*project));
    ASSERT_TRUE(desk.ok());
    desk_ = std::move(*desk);
    auto works = wire_present(*desk_, "production", {false, true, false});
    ASSERT_TRUE(works.ok()) << works.error().message();
    works_ = std::move(*works);
  }
  void TearDown() override {
    if (works_ == nullptr) return;
    const auto versions = web().versions("web");
    ASSERT_TRUE(versions.ok());
    for (const auto& version : *versions)
      EXPECT_TRUE(web().stop(version, std::chrono::seconds(5)).ok());
    EXPECT_TRUE(works_->site.traffic->shut_down().ok());
  }
  target::Target& web() { return works_->site.target("web"); }

  // Everything that works in the state folder, supervisors first, as the power's failure does.
  void reboot() {
    for (const bool supervisors : {true, false}) {
      std::error_code code;
      for (const auto& entry : std::filesystem::directory_iterator("/proc", code)) {
        const auto pid = static_cast<pid_t>(std::atoi(entry.path().filename().c_str()));
        if (pid <= 1 || pid == ::getpid()) continue;
        const auto words = read_file(entry.path() / "cmdline", 65536);
        const auto where = std::filesystem::read_symlink(entry.path() / "cwd", code).string();
        const auto state = project_.state().string();
        const bool ours =
            words && (words->find(state) != std::string::npos || where.starts_with(state));
        if (ours && words->starts_with("runsv") == supervisors) ::kill(pid, SIGKILL);
      }
    }
    ASSERT_TRUE(eventually([&] { return !answers(port_); }));
  }
  bool runs(const std::string& release) {
    auto status = web().status({"web", release});
    return status && status->phase == target::Phase::running;
  }

  ScratchProject project_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Desk> desk_;
  std::unique_ptr<Works> works_;
};

TEST_F(Upkeep, AfterARebootWhatWasLiveIsLiveAgainWithoutItsSecrets) {
  ASSERT_TRUE(answers(port_));
  const auto live = engine::read_releases(*desk_->journal, "production")->live->tag;
  reboot();
  EXPECT_FALSE(runs(live));
  std::filesystem::remove(project_.above() / "secrets");
  const auto alive = revive(desk_->project.places, desk_->world());
  ASSERT_TRUE(alive.ok()) << alive.error().message();
  EXPECT_TRUE(eventually([&] { return runs(live); }));
  EXPECT_TRUE(eventually([&] { return answers(port_); }));
  EXPECT_TRUE(revive(desk_->project.places, desk_->world()).ok()) << "a second time";
  EXPECT_EQ(project_.belay({"health"}).status, 0);
}

TEST_F(Upkeep, AnAgentWhoseFileHasFaultsRevivesWhatWasLiveBeforeItGivesUp) {
  const auto live = engine::read_releases(*desk_->journal, "production")->live->tag;
  reboot();
  const auto text = read_file(project_.folder() / "belay.yaml");
  ASSERT_TRUE(text);
  project_.write("belay.yaml", *text + "    wach: 5s\n");
  const auto done = project_.belay({"agent"});
  EXPECT_EQ(done.status, 2) << done.out << done.err;
  EXPECT_TRUE(eventually([&] { return runs(live); }));
  EXPECT_TRUE(eventually([&] { return answers(port_); }));
}

TEST_F(Upkeep, WhatWasKeptWarmLongEnoughIsStoppedAndNothingElse) {
  const auto first = engine::read_releases(*desk_->journal, "production")->live->tag;
  project_.write("page", "two");
  project_.commit("Second");
  ASSERT_EQ(project_.belay({"deploy"}).status, 0);
  const auto second = engine::read_releases(*desk_->journal, "production")->live->tag;
  ASSERT_NE(first, second);
  ASSERT_TRUE(runs(first)) << "the way back is warm";
  // Within the time it stays; the project says how long.
  auto patient = desk_->project.spec;
  std::swap(patient, desk_->project.spec);
  desk_->project.spec.environments[0].rollback.keep_warm = std::chrono::hours(1);
  EXPECT_TRUE(stop_the_cold(*desk_, "production")->empty());
  EXPECT_TRUE(runs(first));
  std::swap(patient, desk_->project.spec);
  // Not while a run is under way that may want it.
  auto run = desk_->journal->create_run(
      {"run.created", "",
       canonical(
           {{"pipeline", "rollback"}, {"environment", "production"}, {"summary", Json::object()}}),
       1});
  ASSERT_TRUE(run.ok());
  EXPECT_TRUE(stop_the_cold(*desk_, "production")->empty());
  ASSERT_TRUE(
      desk_->journal->append(*run, 1, {{"run.finished", "", R"({"ending":"cancelled"})"}}).ok());
  // A command that comes along does it, without an agent.
  EXPECT_EQ(project_.belay({"deploy", "--ref", "no-such"}).status, 2);
  EXPECT_FALSE(runs(first));
  EXPECT_TRUE(runs(second));
  EXPECT_TRUE(stop_the_cold(*desk_, "production")->empty());
}

TEST_F(Upkeep, AWarmVersionIsStartedAnewForARollbackThatFindsOtherSecretsAndOnlyThen) {
  const auto first = engine::read_releases(*desk_->journal, "production")->live->tag;
  project_.write("page", "two");
  project_.commit("Second");
  ASSERT_EQ(project_.belay({"deploy"}).status, 0);
  const auto second = engine::read_releases(*desk_->journal, "production")->live->tag;
  const auto process = [&](const std::string& release) {
    return read_file(desk_->project.places.environment("production") / "services" /
                     ("web@" + release) / "supervise/pid");
  };
  const auto warm = process(first);
  ASSERT_TRUE(warm.ok());
  project_.write("belay.yaml", [&] {
    auto text = *read_file(project_.folder() / "belay.yaml");
    return text.replace(text.find("keep_warm: 0s"), 13, "keep_warm: 1h");
  }());
  auto done = project_.belay({"rollback", "--yes"});
  ASSERT_EQ(done.status, 0) << done.out << done.err;
  EXPECT_EQ(*process(first), *warm) << "nothing had changed";

  project_.write("../secrets", "TOKEN=rotated\n", 0600);
  done = project_.belay({"rollback", second, "--yes"});
  ASSERT_EQ(done.status, 0) << done.out << done.err;
  EXPECT_NE(done.out.find("another value now: TOKEN"), std::string::npos) << done.out;
  EXPECT_EQ(*process(first), *warm) << "customers were on it";
  const auto value = read_file(desk_->project.places.environment("production") / "services" /
                               ("web@" + second) / "env/TOKEN");
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(*value, "rotated\n");
}

class AllAtOnce : public Upkeep {};

TEST_F(AllAtOnce, CustomersWaitWhileOneReleaseTakesTheOthersPlaceAndNoneIsTurnedAway) {
  auto text = read_file(project_.folder() / "belay.yaml");
  ASSERT_TRUE(text);
  project_.write("belay.yaml", *text + "    strategy: all_at_once\n");
  project_.commit("All at once");
  std::atomic<int> served{0}, turned_away{0};
  std::jthread customer([&](std::stop_token stop) {
    const auto address = fmt::format("http://127.0.0.1:{}/", port_);
    while (!stop.stop_requested()) {
      const auto got = run({.argv = {"curl", "-sf", "-m", "30", "-o", "/dev/null", address}});
      ++(got && got->ok() ? served : turned_away);
    }
  });
  const auto before = engine::read_releases(*desk_->journal, "production")->live->tag;
  const auto done = project_.belay({"deploy"});
  ASSERT_EQ(done.status, 0) << done.out << done.err;
  EXPECT_NE(done.out.find("new requests wait"), std::string::npos) << done.out;
  customer.request_stop();
  customer.join();
  EXPECT_NE(engine::read_releases(*desk_->journal, "production")->live->tag, before);
  EXPECT_GT(served, 0);
  EXPECT_EQ(turned_away, 0);
}

}  // namespace
}  // namespace belay::app
