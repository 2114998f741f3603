// SPDX-License-Identifier: Apache-2.0
// What a run stopped to ask, asked where there is a terminal.
#include <fmt/format.h>
#include <signal.h>

#include <iostream>

#include "app/planner.hpp"
#include "base/text.hpp"
#include "cli/session.hpp"
#include "pipeline/decide.hpp"

namespace belay::cli {

namespace {

// While a person thinks, Ctrl-C ends this program: nothing is under way, the run stays stopped.
class Interruptible {
 public:
  Interruptible() {
    sigset_t ends{};
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_UNBLOCK, &ends, &before_);
  }
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;
  ~Interruptible() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

std::optional<bool> ask_about_data() {
  put("Does the data go back too? [type rewind, or keep; anything else decides later] ");
  const Interruptible meanwhile;
  std::string answer;
  std::getline(std::cin, answer);
  const auto word = trim(answer);
  if (word == "rewind") return true;
  if (word == "keep") return false;
  return std::nullopt;
}

Status still_asked(const engine::Loaded& loaded) {
  if (pipeline::open_question(loaded.plan, loaded.history) != nullptr) return {};
  return fail(Fault::refused, "somebody else has answered meanwhile");
}

}  // namespace

bool answer_question(const Session& session, app::Desk& desk, const std::string& run) {
  if (!session.terminal.ask || session.yes || session.json) return false;
  auto loaded = engine::load_run(*desk.journal, run);
  if (!loaded || !still_asked(*loaded)) return false;
  const auto answer = ask_about_data();
  if (!answer) return false;
  const Json body{{"by", app::who_asks(session.env, desk.project.folder).name},
                  {"rewind_data", *answer}};
  auto done = engine::append_event(*desk.journal, run, {"run.resumed", "", canonical(body), 1},
                                   still_asked);
  if (!done) tell(done.error());
  return done.ok();
}

}  // namespace belay::cli
