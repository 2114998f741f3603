// SPDX-License-Identifier: Apache-2.0
// What a durable step costs: an intent and an outcome, each on the disk before we go on. The floor
// is what the disk asks for the same: two appends of as many bytes, each with fdatasync. Both are
// measured in turns, so that a busy machine slows both. Goal: at most 1.5 times the floor.
//
// journal_bench [folder] [rounds]
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "journal/journal.hpp"

namespace {

using namespace belay;
using Micros = std::chrono::duration<double, std::micro>;
using Wall = std::chrono::steady_clock;

constexpr double goal = 1.5;

struct Spread {
  double p50, p99;
};

Spread spread(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return {samples[samples.size() / 2], samples[samples.size() * 99 / 100]};
}

// The file grows as the write-ahead log does before its first checkpoint, then is written over.
class Floor {
 public:
  Floor(const Path& path, std::size_t bytes)
      : file_(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)),
        block_(bytes, 'f') {}

  bool step() {
    for (int i = 0; i < 2; ++i) {
      const auto size = static_cast<off_t>(block_.size());
      if (::pwrite(file_.get(), block_.data(), block_.size(), at_) != size) return false;
      if (::fdatasync(file_.get()) != 0) return false;
      at_ = at_ + size > 4'000'000 ? 0 : at_ + size;
    }
    return true;
  }

 private:
  Fd file_;
  std::string block_;
  off_t at_ = 0;
};

Status step(journal::Journal& journal, const std::string& run, std::int64_t& seq) {
  const std::string key = "7-migrate-1";
  TRY(journal.append(run, seq, {{"step.intent", key, R"({"baseline":"d-1","step":"migrate"})"}}));
  TRY(journal.append(run, seq + 1, {{"step.outcome", key, R"({"result":"done"})"}}));
  seq += 2;
  return {};
}

journal::NewEvent created() {
  return {"run.created", "", R"({"environment":"production","pipeline":"deploy","summary":{}})"};
}

// How many bytes one append adds to the log, on a journal of its own.
Result<std::size_t> bytes_of_an_append(const Path& folder, Clock& clock) {
  TRY_LET(auto journal, journal::open_sqlite(folder, clock));
  TRY_LET(const std::string run, journal->create_run(created()));
  const Path log = folder / "journal.db-wal";
  const auto before = std::filesystem::file_size(log);
  std::int64_t seq = 1;
  for (int i = 0; i < 10; ++i) TRY(step(*journal, run, seq));
  return static_cast<std::size_t>(std::filesystem::file_size(log) - before) / 20;
}

Status callers(const Path& folder, Clock& clock, int count) {
  TRY_LET(auto journal, journal::open_sqlite(folder, clock));
  std::vector<std::string> runs;
  for (int i = 0; i < count; ++i) {
    TRY_LET(std::string run, journal->create_run(created()));
    runs.push_back(std::move(run));
  }
  const int steps = 4000 / count;
  const auto begin = Wall::now();
  {
    std::vector<std::jthread> threads;
    for (const auto& run : runs) {
      threads.emplace_back([&journal, run, steps] {
        std::int64_t seq = 1;
        for (int i = 0; i < steps; ++i) {
          if (!step(*journal, run, seq)) std::abort();
        }
      });
    }
  }
  const double seconds = std::chrono::duration<double>(Wall::now() - begin).count();
  fmt::print("{:4} callers: {:>7} durable events/s\n", count,
             with_commas(static_cast<std::uint64_t>(steps * count * 2 / seconds)));
  return {};
}

Result<double> measure(const Path& folder, int rounds) {
  SystemClock clock;
  TRY_LET(const std::size_t bytes, bytes_of_an_append(folder / "size", clock));
  TRY_LET(auto journal, journal::open_sqlite(folder / "journal", clock));
  TRY_LET(const std::string run, journal->create_run(created()));
  Floor floor(folder / "floor", bytes);
  std::vector<double> floors, steps;
  std::int64_t seq = 1;
  for (int i = 0; i < rounds; ++i) {
    auto begin = Wall::now();
    if (!floor.step()) return errno_error(errno, "cannot write the floor's file");
    floors.push_back(Micros(Wall::now() - begin).count());
    begin = Wall::now();
    TRY(step(*journal, run, seq));
    steps.push_back(Micros(Wall::now() - begin).count());
  }
  const Spread low = spread(floors), high = spread(steps);
  double load[1] = {0};
  ::getloadavg(load, 1);
  fmt::print("{} rounds, {} bytes an append, load {:.1f}\n", rounds, bytes, load[0]);
  fmt::print("floor (two fdatasyncs): p50 {:6.0f} us, p99 {:6.0f} us\n", low.p50, low.p99);
  fmt::print("a durable step:         p50 {:6.0f} us, p99 {:6.0f} us\n", high.p50, high.p99);
  fmt::print("ratio: {:.2f} (goal: at most {:.1f})\n", high.p50 / low.p50, goal);
  for (const int count : {1, 8, 32, 128}) {
    TRY(callers(folder / fmt::format("callers-{}", count), clock, count));
  }
  return high.p50 / low.p50;
}

}  // namespace

int main(int argc, char** argv) {
  const Path base = argc > 1 ? Path(argv[1]) : std::filesystem::temp_directory_path();
  const int rounds = argc > 2 ? std::max(100, std::atoi(argv[2])) : 3000;
  const Path folder = base / fmt::format("belay-journal-bench-{}", ::getpid());
  const auto ratio = measure(folder, rounds);
  [[maybe_unused]] const Status removed = remove_tree(folder);
  if (!ratio) {
    fmt::print(stderr, "{}\n", ratio.error().message());
    return 2;
  }
  return *ratio <= goal ? 0 : 1;
}
