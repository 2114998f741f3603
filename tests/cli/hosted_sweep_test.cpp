// SPDX-License-Identifier: Apache-2.0
// Whole deploys and rollbacks on Railway and Vercel, with the real program, in trouble at each of
// their requests: the request or its answer lost, 500, 429, and the program killed when the request
// had gone out, and resumed. A selection with a new seed each time; BELAY_SWEEP=all (and, to share
// it between processes, BELAY_SWEEP=2/3) takes all of them.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <random>
#include <regex>

#include "tests/cli/hosted_project.hpp"
#include "tests/cli/runs.hpp"

namespace belay::cli {
namespace {

using belay::testing::HttpFault;
using belay::testing::HttpProxy;
using testing::Background;
using Action = HttpFault::Action;

constexpr int in_a_sample = 4;  // deploys and as many rollbacks
constexpr int most_commands = 6;

struct Point {
  bool at_railway = true;
  int nth = 0;
  std::size_t fault = 0;  // of every_fault(); one more: killed
  std::string text() const {
    constexpr std::array names{"close", "lost", "cut", "500", "429", "killed"};
    return fmt::format("{} {} {}", at_railway ? "railway" : "vercel", nth, names.at(fault));
  }
};
const auto faults = belay::testing::every_fault();

// How many requests go to each.
struct Counts {
  int railway = 0, vercel = 0;
  std::vector<Point> points() const {
    std::vector<Point> all;
    for (std::size_t fault = 0; fault <= faults.size(); ++fault) {
      for (int nth = 1; nth <= railway; ++nth) all.push_back({true, nth, fault});
      for (int nth = 1; nth <= vercel; ++nth) all.push_back({false, nth, fault});
    }
    return all;
  }
};

struct Story : testing::HostedProject {
  std::string former, commit;  // what was live at Vercel before, and the commit that is shipped
  std::atomic<pid_t> pid{0};
  std::string said;
  int made = 0;

  Story() {
    write(railway.proxy().url(), vercel.proxy().url());
    release("first");
  }

  HttpProxy::Plan trouble(const Point& point) {
    if (point.fault < faults.size()) return belay::testing::only(point.nth, faults[point.fault]);
    return [this, nth = point.nth](int number, const std::string&) {
      if (number != nth) return std::optional<HttpFault>();
      belay::eventually([this] { return pid != 0; });
      ::kill(pid, SIGKILL);
      return std::optional(HttpFault{Action::lose_reply});
    };
  }
  void plan(const std::optional<Point>& point) {
    railway.proxy().plan(point && point->at_railway ? trouble(*point) : HttpProxy::Plan());
    vercel.proxy().plan(point && !point->at_railway ? trouble(*point) : HttpProxy::Plan());
  }
  bool reached(const Point& point) {
    return (point.at_railway ? railway : vercel).proxy().count() >= point.nth;
  }

  int run(std::vector<std::string> words) {
    pid = 0;
    Background background(project, std::move(words), {}, tokens);
    pid = background.pid();
    const int status = background.wait();
    said += background.said() + fmt::format("-> {}\n", status);
    return status;
  }
  // The run that is not finished; "" when there is none.
  std::string unfinished() {
    const auto status = project.belay({"status"}, tokens);
    std::smatch found;
    const std::regex line("Run (\\S+) \\(.*is not finished");
    return std::regex_search(status.err, found, line) ? found[1].str() : "";
  }
  // As people do it: the command again where there was no run yet, else `belay resume`. What it
  // ended with.
  int command(const std::vector<std::string>& words) {
    said.clear();
    int status = run(words);
    for (int more = 0; more < most_commands && status > 5; ++more) {
      const auto open = unfinished();
      status = open.empty() ? run(words) : run({"resume", open});
    }
    return status;
  }

  int deploy() {
    former = live();
    commit = release(fmt::format("{}", ++made));
    return command({"deploy", "--yes"});
  }
  int roll_back(const std::string& to) { return command({"rollback", to, "--yes"}); }

  std::size_t at_railway(const std::string& of) const {
    std::size_t count = 0;
    const auto now = railway.state();
    for (const auto& each : now["deployments"]) count += each["meta"]["commitHash"] == of ? 1 : 0;
    return count;
  }
  std::string up_at_railway() const {
    const auto now = railway.state();
    for (const auto& each : now["deployments"])
      if (each["status"] == "SUCCESS") return each["meta"]["commitHash"];
    return "nothing";
  }
  // Of this commit, which Vercel knows by what Belay wrote beside it.
  std::size_t at_vercel(const std::string& of) const {
    std::size_t count = 0;
    const auto now = vercel.state();
    for (const auto& each : now["deployments"])
      count += each["meta"]["belayCommit"] == of && each["readyState"] != "DELETED" ? 1 : 0;
    return count;
  }
  std::string commit_of(const std::string& release) const {
    const auto now = vercel.state();
    for (const auto& each : now["deployments"])
      if (each["meta"]["belayRelease"] == release) return each["meta"]["belayCommit"];
    return "nothing";
  }

  // Exactly one of the two is live, on both sides, and everything was made once.
  void expect_well(int status, const std::string& forward, const std::string& back,
                   std::size_t forward_before, std::size_t back_before) {
    const bool done = status == 0;
    EXPECT_TRUE(status == 0 || status == 1) << said;
    EXPECT_EQ(unfinished(), "") << said;
    EXPECT_EQ(up_at_railway(), done ? forward : back) << said;
    EXPECT_EQ(commit_of(live()), done ? forward : back) << said;
    EXPECT_LE(at_railway(forward), forward_before + 1) << "made twice at Railway\n" << said;
    EXPECT_LE(at_railway(back), back_before + (done ? 0 : 1)) << "made twice at Railway\n" << said;
    EXPECT_LE(at_vercel(forward), 1u) << "made twice at Vercel\n" << said;
    EXPECT_LE(at_vercel(back), 1u) << "made twice at Vercel\n" << said;
    for (const auto& stand_in : {&railway, &vercel})
      EXPECT_EQ(stand_in->state()["complaints"], Json::array());
  }
};

struct Sweep : ::testing::Test {
  Story story;
  Counts there, back;
  std::map<int, int> endings;
  int missed = 0;

  void SetUp() override {
    ASSERT_EQ(story.deploy(), 0) << story.said;
    story.plan({});
    ASSERT_EQ(story.deploy(), 0) << story.said;
    there = counts();
    story.plan({});
    ASSERT_EQ(story.roll_back(story.former), 0) << story.said;
    back = counts();
  }
  Counts counts() { return {story.railway.proxy().count(), story.vercel.proxy().count()}; }
  void note(const std::optional<Point>& point, int status) {
    ++endings[status];
    if (point && !story.reached(*point)) ++missed;
  }

  // One deploy and one way back, each in its trouble.
  void there_and_back(const std::optional<Point>& going, const std::optional<Point>& returning) {
    const auto release = story.live(), before = story.commit_of(release);
    const auto known = story.at_railway(before);
    {
      SCOPED_TRACE("deploy: " + (going ? going->text() : "no trouble"));
      story.plan(going);
      const int status = story.deploy();
      note(going, status);
      story.expect_well(status, story.commit, before, 0, known);
    }
    story.plan({});
    if (story.commit_of(story.live()) != story.commit) {
      ASSERT_EQ(story.deploy(), 0) << story.said;
    }
    SCOPED_TRACE("rollback: " + (returning ? returning->text() : "no trouble"));
    const auto shipped = story.commit;
    const auto many = story.at_railway(before), of_shipped = story.at_railway(shipped);
    story.plan(returning);
    const int status = story.roll_back(release);
    note(returning, status);
    story.expect_well(status, before, shipped, many, of_shipped);
    story.plan({});
    // Where the way back failed, and went its own way back, from there.
    if (status != 0) {
      ASSERT_EQ(story.roll_back(release), 0) << story.said;
    }
  }
};

// "2/3": the second of three parts; "all": 1/1.
std::pair<int, int> part_of_all() {
  const char* text = std::getenv("BELAY_SWEEP");
  int part = 1, parts = 1;
  if (text == nullptr) return {0, 0};
  std::sscanf(text, "%d/%d", &part, &parts);
  return {part, parts};
}

TEST_F(Sweep, InTroubleAtAnyRequestOrKilledAfterItARunEndsWellAndNothingIsMadeTwice) {
  auto going = there.points(), returning = back.points();
  const auto [part, parts] = part_of_all();
  std::random_device chance;
  const char* given = std::getenv("BELAY_SEED");
  const unsigned seed = given != nullptr ? static_cast<unsigned>(std::stoul(given)) : chance();
  std::mt19937 order(parts == 0 ? seed : 1U);
  std::shuffle(going.begin(), going.end(), order);
  std::shuffle(returning.begin(), returning.end(), order);
  const auto all = std::max(going.size(), returning.size());
  std::size_t done = 0;
  for (std::size_t i = 0; i < all && !HasFatalFailure(); ++i) {
    if (parts == 0 && i == in_a_sample) break;
    if (parts != 0 && static_cast<int>(i) % parts != part - 1) continue;
    const auto at = [i](const auto& list) {
      return i < list.size() ? std::optional(list[i]) : std::nullopt;
    };
    there_and_back(at(going), at(returning));
    ++done;
  }
  std::string text;
  for (const auto& [status, count] : endings) text += fmt::format(", exit {}: {}", status, count);
  fmt::print("{} of {} points of a deploy, of {} of a rollback; not reached: {}{}; seed {}\n", done,
             going.size(), returning.size(), missed, text, seed);
}

// One after the other they would take the sum.
TEST_F(Sweep, ARollbackOfBothSidesTakesNoLongerThanThatOfTheSlowerOneAndFiveSeconds) {
  const auto other = story.live();
  story.plan({});
  ASSERT_EQ(story.deploy(), 0) << story.said;
  const auto newest = story.live();
  // A platform that works takes ten seconds or so, and every answer its time.
  const HttpProxy::Plan far = [](int, const std::string&) {
    return std::optional(HttpFault{Action::slow, {}, {}, Millis(100)});
  };
  story.railway.proxy().plan(far);
  story.vercel.proxy().plan(far);
  const auto time_of = [&](const std::string& to, bool railway, bool vercel) {
    story.railway.pace(railway ? 4 : 1);
    story.vercel.pace(vercel ? 18 : 2);
    const auto begun = std::chrono::steady_clock::now();
    EXPECT_EQ(story.roll_back(to), 0) << story.said;
    EXPECT_EQ(story.live(), to);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  };
  const auto neither = time_of(other, false, false);
  const auto railway = time_of(newest, true, false);
  const auto vercel = time_of(other, false, true);
  const auto both = time_of(newest, true, true);
  fmt::print("neither slow {:.1f} s, Railway {:.1f} s, Vercel {:.1f} s, both {:.1f} s\n", neither,
             railway, vercel, both);
  EXPECT_LT(both, std::max(railway, vercel) + 5) << story.said;
  EXPECT_GT(railway + vercel - neither, std::max(railway, vercel) + 5) << "nothing is shown by it";
}

}  // namespace
}  // namespace belay::cli
