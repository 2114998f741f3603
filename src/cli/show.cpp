// SPDX-License-Identifier: Apache-2.0
// belay show and belay logs: one run, with its plan, timings, request and output.
#include <fcntl.h>
#include <fmt/format.h>

#include <fstream>

#include "cli/session.hpp"
#include "pipeline/gate.hpp"

namespace belay::cli {

namespace {

int request(const engine::Loaded& loaded, const std::string& run, bool reject) {
  auto ballot = pipeline::ballot_of(loaded.plan, loaded.history, run);
  if (!ballot) return tell(ballot.error());
  // Exactly the bytes that are signed: no newline behind them.
  fmt::print("{}",
             pipeline::canonical_request(ballot->request, reject ? pipeline::Decision::reject
                                                                 : pipeline::Decision::approve));
  return exit_done;
}

int show(Session& session, const Args& args) {
  auto opened = open(session, args, app::Opening::to_look);
  if (!opened) return tell(opened.error());
  auto& desk = *opened->desk;
  const auto run = args.word(0);
  auto loaded = engine::load_run(*desk.journal, run);
  if (!loaded) return tell(loaded.error());
  if (args.has("--request")) return request(*loaded, run, args.has("--reject"));
  if (!session.json) fmt::print("{}\n", plan_for_people(loaded->plan, ""));
  auto quiet = session;  // what failed then is no news for a job
  quiet.job = nullptr;
  Screen screen(quiet, desk.project.places,
                [](std::string_view text) { return std::string(text); });
  for (const auto& event : loaded->events) screen.event(run, loaded->plan, event);
  if (!session.json) {
    fmt::print("{}", ending_for_people(run, *loaded));
    if (auto ballot = pipeline::ballot_of(loaded->plan, loaded->history, run);
        ballot && loaded->history.ending.empty()) {
      const auto state = pipeline::state_of(*ballot, desk.world().clock.now());
      fmt::print("  approvals: {}\n", pipeline::gate_for_people(state));
    }
  }
  return exit_done;
}

// Prints what came to the file since `offset`, in pieces: logs may be large.
void print_news(const Path& path, const std::string& title, std::size_t& offset) {
  std::ifstream file(path, std::ios::binary);
  if (!file.seekg(static_cast<std::streamoff>(offset))) return;
  std::string piece(std::size_t{1} << 16, '\0');
  for (;;) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    const auto count = static_cast<std::size_t>(file.gcount());
    if (count == 0) return;
    if (offset == 0) fmt::print("== {}\n", title);
    fmt::print("{}", std::string_view(piece.data(), count));
    offset += count;
  }
}

int logs(Session& session, const Args& args) {
  auto opened = open(session, args, app::Opening::to_look);
  if (!opened) return tell(opened.error());
  auto& desk = *opened->desk;
  const auto run = args.word(0);
  std::map<std::string, std::size_t> offsets;
  for (;;) {
    auto loaded = engine::load_run(*desk.journal, run);
    if (!loaded) return tell(loaded.error());
    for (const auto* list : {&loaded->plan.steps, &loaded->plan.back}) {
      for (const auto& step : *list) {
        print_news(desk.project.places.log_of(run, step.id), step.id, offsets[step.id]);
      }
    }
    std::fflush(stdout);
    if (!args.has("-f") || !loaded->history.ending.empty()) return exit_done;
    if (!desk.world().clock.sleep(Millis(300), {})) return exit_done;
  }
}

}  // namespace

Command show_command() {
  return {"show",
          "one run: plan, steps with their times, approvals",
          "RUN",
          1,
          1,
          {{"--env", "ENV", "environment"},
           {"--request", "", "exactly the bytes that an approval signs"},
           {"--reject", "", "with --request: the bytes of a rejection"}},
          show,
          manual_of("show")};
}

Command logs_command() {
  return {"logs", "what a run's tests, builds and migrations wrote",
          "RUN",  1,
          1,      {{"--env", "ENV", "environment"}, {"-f", "", "go on until the run has ended"}},
          logs,   manual_of("logs")};
}

}  // namespace belay::cli
