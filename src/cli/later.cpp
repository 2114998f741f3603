// SPDX-License-Identifier: Apache-2.0
// A run that is made here and goes on elsewhere: where people approve in between, on machines that
// are thrown away.
#include <fmt/format.h>

#include "app/planner.hpp"
#include "cli/job_report.hpp"
#include "cli/session.hpp"

namespace belay::cli {

namespace {

// Lets the first step that is begun be the only one.
class OneStep final : public engine::Reporter {
 public:
  OneStep(engine::Reporter& shown, std::stop_source& leave) : shown_(shown), leave_(leave) {}
  void event(const std::string& run, const pipeline::Plan& plan,
             const pipeline::Event& event) override {
    if (event.kind == "step.intent") leave_.request_stop();
    shown_.event(run, plan, event);
  }
  void progress(const std::string& run, const pipeline::Step& step,
                const engine::Progress& progress) override {
    shown_.progress(run, step, progress);
  }
  void output(const std::string& run, const pipeline::Step& step, std::string_view text) override {
    shown_.output(run, step, text);
  }

 private:
  engine::Reporter& shown_;
  std::stop_source& leave_;
};

// A plan's tests come before all else, so whoever is asked to approve it knows how they went.
Result<engine::RunState> test_it(Session& session, app::Desk& desk, const pipeline::Plan& plan,
                                 const std::string& run) {
  TRY_LET(auto works, app::wire_bare(desk, plan));
  const auto secrets = works->secrets;
  desk.machine->hide(secrets);
  Screen screen(session, desk.project.places,
                [secrets](std::string_view text) { return secrets->mask(text); });
  std::stop_source leave;
  OneStep reporter(screen, leave);
  engine::Runner runner(*desk.journal, works->steps, desk.world(), reporter, *desk.claims);
  auto state = runner.drive(run, {}, {false, {}, leave.get_token(), {}});
  screen.rest();
  return state;
}

}  // namespace

int make_for_later(Session& session, app::Desk& desk, const pipeline::Plan& plan) {
  auto run = desk.journal->create_run({"run.created", "", canonical(app::created_body(plan)), 1});
  if (!run) return tell(run.error());
  if (session.job != nullptr) {
    tell(*session.job, {{"run_id", *run},
                        {"release_tag", plan.release},
                        {"digest", pipeline::digest(plan)},
                        {"status", "planned"}});
    session.job->summary(summary_of(plan, *run));
  }
  if (!plan.steps.empty() && plan.steps.front().kind == "test") {
    auto state = test_it(session, desk, plan, *run);
    if (!state) return tell(state.error());
    if (*state != engine::RunState::interrupted) return tell_end(session, desk, *run, *state);
  }
  if (!session.json)
    put(fmt::format("\nRun {0} is made, digest {1}. It goes on with: belay resume {0}\n", *run,
                    pipeline::digest(plan).substr(0, 16)));
  return exit_done;
}

}  // namespace belay::cli
