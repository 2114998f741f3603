// SPDX-License-Identifier: Apache-2.0
// A journal on disk, a world on fake time, steps that do what a test says, and any number of
// processes that drive a run one after the other.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

#include "base/file.hpp"
#include "base/text.hpp"
#include "engine/runner.hpp"
#include "tests/support/fake_world.hpp"

namespace belay::engine::testing {

// What dies here is a process, not the machine: in memory where there is such a place, so that a
// thousand runs take seconds.
inline ScratchFolder scratch_folder() {
  if (::access("/dev/shm", W_OK) == 0) ::setenv("TMPDIR", "/dev/shm", 1);
  return ScratchFolder::make("belay-engine").value();
}

// Thrown out of a step or a journal: the process is gone.
struct Death {};

// What the steps do, by step id; what is not said succeeds with an empty result.
struct Script {
  std::map<std::string, std::function<Result<Json>(const StepContext&)>> perform, baseline;
  std::map<std::string, std::function<Result<Checked>(const StepContext&)>> check;
  std::map<std::string, std::function<Status(const StepContext&)>> abandon;

  void note(std::string line) {
    std::lock_guard guard(mutex);
    lines.push_back(std::move(line));
  }
  // "perform build", "check build", "abandon build", in order.
  std::vector<std::string> calls() const {
    std::lock_guard guard(mutex);
    return lines;
  }
  int count(const std::string& line) const {
    const auto all = calls();
    return static_cast<int>(std::count(all.begin(), all.end(), line));
  }

 private:
  mutable std::mutex mutex;
  std::vector<std::string> lines;
};

class Scripted final : public StepKind {
 public:
  Scripted(Script& script, Millis grace = Millis(0)) : script_(script), grace_(grace) {}

  Result<Json> baseline(const StepContext& context) override {
    const auto at = script_.baseline.find(context.step.id);
    return at == script_.baseline.end() ? Result<Json>(Json::object()) : at->second(context);
  }
  Result<Json> perform(const StepContext& context) override {
    script_.note("perform " + context.step.id);
    const auto at = script_.perform.find(context.step.id);
    return at == script_.perform.end() ? Result<Json>(Json::object()) : at->second(context);
  }
  Result<Checked> check(const StepContext& context) override {
    script_.note("check " + context.step.id);
    const auto at = script_.check.find(context.step.id);
    return at == script_.check.end() ? Result<Checked>(Checked{Answer::absent, Json::object(), ""})
                                     : at->second(context);
  }
  Status abandon(const StepContext& context) override {
    script_.note("abandon " + context.step.id);
    const auto at = script_.abandon.find(context.step.id);
    return at == script_.abandon.end() ? Status() : at->second(context);
  }
  Millis grace() const override { return grace_; }

 private:
  Script& script_;
  Millis grace_;
};

class Listener final : public Reporter {
 public:
  void event(const std::string&, const pipeline::Plan&, const pipeline::Event& event) override {
    std::lock_guard guard(mutex_);
    seen_.push_back(event.seq);
  }
  void progress(const std::string&, const pipeline::Step&, const Progress&) override {}
  void output(const std::string&, const pipeline::Step&, std::string_view text) override {
    std::lock_guard guard(mutex_);
    said_ += text;
  }
  std::vector<std::int64_t> seen() const {
    std::lock_guard guard(mutex_);
    return seen_;
  }
  std::string said() const {
    std::lock_guard guard(mutex_);
    return said_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::int64_t> seen_;
  std::string said_;
};

// Rights to drive, as long as they are held.
class HeldClaims final : public Claims {
 public:
  Result<std::unique_ptr<Claim>> claim(const std::string& run) override {
    std::lock_guard guard(mutex_);
    if (!held_.insert(run).second) return fail(Fault::busy, "run " + run + " is driven elsewhere");
    return std::unique_ptr<Claim>(std::make_unique<Held>(*this, run));
  }
  std::string whoami() const override { return "the test"; }
  std::string machine() const override { return on; }
  std::string on;                               // the machine that drives
  std::optional<std::stop_source> may_be_lost;  // used: claims are lost

 private:
  struct Held final : Claim {
    Held(HeldClaims& of, std::string run) : of_(of), run_(std::move(run)) {}
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() override {
      std::lock_guard guard(of_.mutex_);
      of_.held_.erase(run_);
    }
    std::stop_token lost() const override {
      return of_.may_be_lost ? of_.may_be_lost->get_token() : std::stop_token();
    }
    HeldClaims& of_;
    std::string run_;
  };
  std::mutex mutex_;
  std::set<std::string> held_;
};

// Hands on to another journal; a test changes what it wants.
class Passing : public journal::Journal {
 public:
  explicit Passing(journal::Journal& to) : to_(to) {}
  Result<std::string> create_run(journal::NewEvent created) override {
    return to_.create_run(std::move(created));
  }
  Status append(const std::string& run, std::int64_t expected,
                std::vector<journal::NewEvent> events) override {
    return to_.append(run, expected, std::move(events));
  }
  Result<std::vector<journal::Event>> load(const std::string& run, std::int64_t after) override {
    return to_.load(run, after);
  }
  Result<std::vector<journal::RunRow>> runs(const std::string& environment, int limit) override {
    return to_.runs(environment, limit);
  }
  Result<std::vector<journal::RunRow>> open_runs() override { return to_.open_runs(); }
  Result<std::vector<journal::Lock>> locks() override { return to_.locks(); }
  Result<std::vector<journal::Event>> tail(std::int64_t after, int limit) override {
    return to_.tail(after, limit);
  }
  Result<std::int64_t> wait(std::int64_t last, Millis limit, std::stop_token stop) override {
    return to_.wait(last, limit, stop);
  }
  Result<journal::Verification> verify() override { return to_.verify(); }
  Result<std::string> hash_of(std::int64_t id) override { return to_.hash_of(id); }
  Result<std::pair<std::int64_t, std::string>> head() override { return to_.head(); }

 protected:
  journal::Journal& to_;
};

inline pipeline::Step work(std::string id, std::vector<std::string> after = {},
                           bool changes = false, std::string kind = "work") {
  pipeline::Step step;
  step.id = std::move(id);
  step.kind = std::move(kind);
  step.title = step.id;
  step.after = std::move(after);
  step.changes = changes;
  return step;
}

inline pipeline::Step undoing(std::string id, std::vector<std::string> undoes) {
  auto step = work(std::move(id));
  step.undoes = std::move(undoes);
  return step;
}

// lock, prepare, change; back: undo.
inline pipeline::Plan simple_plan() {
  pipeline::Plan plan;
  plan.pipeline = "deploy";
  plan.project = "shop";
  plan.environment = "production";
  plan.release = "prod-20261123-100000";
  plan.live = "prod-20261120-141233";
  plan.requester = {"noor", ""};
  plan.steps = {work("lock", {}, false, "lock"), work("prepare", {"lock"}),
                work("change", {"prepare"}, true)};
  plan.back = {undoing("undo", {"change"})};
  return plan;
}

class RunnerTest : public ::testing::Test {
 protected:
  ScratchFolder scratch_ = scratch_folder();
  FakeWorld world_;
  World seam_ = world_.world();
  std::unique_ptr<journal::Journal> journal_ =
      journal::open_sqlite(scratch_.path() / "state", world_.clock).value();
  Script script_;
  Listener listener_;
  HeldClaims claims_;
  StepTable steps_ = table();

  StepTable table() {
    StepTable made;
    made["work"] = std::make_unique<Scripted>(script_);
    made["slow"] = std::make_unique<Scripted>(script_, std::chrono::seconds(30));
    return made;
  }
  std::string create(const pipeline::Plan& plan = simple_plan()) {
    const Json body{{"pipeline", plan.pipeline},
                    {"environment", plan.environment},
                    {"summary", {{"release", plan.release}}},
                    {"plan", pipeline::to_json(plan)}};
    auto run = journal_->create_run({"run.created", "", canonical(body), 1});
    EXPECT_TRUE(run) << (run ? "" : run.error().message());
    return run ? *run : "";
  }
  Result<RunState> drive(journal::Journal& journal, const std::string& run,
                         std::stop_token stop = {}, DriveOptions options = {}) {
    Runner runner(journal, steps_, seam_, listener_, claims_);
    return runner.drive(run, stop, options);
  }
  Result<RunState> drive(const std::string& run, std::stop_token stop = {},
                         DriveOptions options = {}) {
    return drive(*journal_, run, stop, options);
  }
  // Drives and ends with the run's ending, "stopped: ...", "waiting" or the error.
  std::string ends(const std::string& run, DriveOptions options = {}) {
    auto state = drive(run, {}, options);
    if (!state) return "error: " + state.error().message();
    const auto history = load(run).history;
    switch (*state) {
      case RunState::finished: return history.ending;
      case RunState::needs_person: return "stopped: " + *history.stopped;
      case RunState::waiting: return "waiting";
      case RunState::interrupted: return "interrupted";
    }
    return "";
  }
  Loaded load(const std::string& run) {
    auto loaded = load_run(*journal_, run);
    EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().message());
    return loaded ? *loaded : Loaded{};
  }
  // "step.intent prepare", "step.outcome prepare", "run.finished", ...
  std::vector<std::string> events(const std::string& run) {
    std::vector<std::string> lines;
    for (const auto& event : load(run).events) {
      const auto step = event.body.value("step", std::string());
      lines.push_back(event.kind + (step.empty() ? "" : " " + step));
    }
    return lines;
  }
  void append(const std::string& run, const std::string& kind, const Json& body) {
    auto done = append_event(*journal_, run, {kind, "", canonical(body), 1},
                             [](const Loaded&) { return Status(); });
    EXPECT_TRUE(done) << (done ? "" : done.error().message());
  }
  void cancel(const std::string& run) { append(run, "cancel.requested", {{"because", "leo"}}); }
};

}  // namespace belay::engine::testing
