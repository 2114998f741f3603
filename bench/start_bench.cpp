// SPDX-License-Identifier: Apache-2.0
// How long people wait for an answer: `belay --version`, and `belay status` in a project whose
// journal holds 1,000 finished runs. The floor is starting a program that does nothing.
//   start_bench BELAY [ROUNDS]
#include <algorithm>
#include <cstdlib>

#include "base/process.hpp"
#include "bench/figure.hpp"
#include "journal/journal.hpp"

namespace {

using namespace belay;
using namespace belay::bench;

constexpr int runs = 1000;

struct Project {
  ScratchFolder scratch = must(ScratchFolder::make("belay-bench"));
  Path folder = scratch.path() / "shop", state = scratch.path() / "state";

  Project() {
    std::filesystem::create_directories(folder);
    must(write_file(folder / "belay.yaml", R"(project: shop
state: ../state
services:
  web:
    path: .
environments:
  production:
    tag: prod
    services:
      web:
        target: command
        activate: "true"
        status: "true"
        rollback: "true"
    checks:
      - { name: It is there, command: test -d / }
    watch: 0s
    first: true
)",
                    0644));
    must(run_ok(here({"git", "init", "--quiet"})));
  }

  Command here(std::vector<std::string> argv) const {
    Command command;
    command.argv = std::move(argv);
    command.folder = folder;
    command.env = {{"HOME", scratch.path().string()}};
    return command;
  }
};

// As the engine leaves them: a deploy every time, ten events each.
void fill(const Path& folder) {
  SystemClock clock;
  const auto journal = must(journal::open_sqlite(folder, clock));
  for (int n = 0; n < runs; ++n) {
    const auto run = must(journal->create_run(
        {"run.created", "",
         fmt::format(
             R"({{"environment":"production","pipeline":"deploy","summary":{{"commit":"{:040x}","release":"prod-{:06}","subject":"Change {}"}}}})",
             n, n, n)}));
    std::int64_t seq = 1;
    for (const char* step : {"restore-point", "start", "switch", "check"}) {
      const std::string body = fmt::format(R"({{"step":"{}"}})", step);
      must(journal->append(run, seq, {{"step.intent", step, body}, {"step.outcome", step, body}}));
      seq += 2;
    }
    must(journal->append(run, seq, {{"run.finished", "", R"({"ending":"done"})"}}));
  }
}

double median_ms(const Project& project, const std::vector<std::string>& argv, int rounds) {
  const Command command = project.here(argv);
  must(run_ok(command));
  std::vector<double> samples;
  for (int n = 0; n < rounds; ++n)
    samples.push_back(1000 * seconds_of([&] { must(run_ok(command)); }));
  std::nth_element(samples.begin(), samples.begin() + rounds / 2, samples.end());
  return samples[static_cast<std::size_t>(rounds / 2)];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) must(fail(Fault::invalid, "start_bench BELAY [ROUNDS]"));
  const std::string belay = std::filesystem::absolute(argv[1]).string();
  const int rounds = argc > 2 ? std::max(5, std::atoi(argv[2])) : 101;
  const Project project;
  fill(project.state / "journal");
  const auto shown = must(run_ok(project.here({belay, "status"})));
  if (shown.out.find(fmt::format("prod-{:06}", runs - 1)) == std::string::npos)
    must(fail(Fault::corrupt, "status does not show the last run: " + shown.out));
  const double nothing = median_ms(project, {"true"}, rounds);
  const auto beside = [&](double took) {
    return fmt::format("starting a program that does nothing: {:.1f} ms; ratio {:.1f}", nothing,
                       took / nothing);
  };
  const double version = median_ms(project, {belay, "--version"}, rounds);
  const double status = median_ms(project, {belay, "status"}, rounds);
  bool passed = show({"belay --version (median)", version, "ms", 20, beside(version)});
  passed &=
      show({"belay status, 1,000 runs in the journal (median)", status, "ms", 30, beside(status)});
  return passed ? 0 : 1;
}
