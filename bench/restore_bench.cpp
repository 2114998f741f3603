// SPDX-License-Identifier: Apache-2.0
// 200,000 documents (53 MB, 2 indexes): restore point and full restore beside mongodump --gzip and
// mongorestore, a rewind of 200 of them beside restoring all, and the memory each takes.
//   restore_bench            $BELAY_MONGO_TOOLS, else PATH, has the rivals
//   restore_bench --large    memory only: 1 GB of small documents, then 200 documents of 16 MiB
#include <malloc.h>

#include <cstdlib>

#include "base/process.hpp"
#include "bench/data_stage.hpp"

namespace {

using namespace belay;
using namespace belay::bench;

constexpr double most_mib = 128;

struct Cost {
  double seconds = 0, mib = 0;
};

Cost cost_of(const std::function<void()>& work) {
  ::malloc_trim(0);  // what loading left behind is not the work's
  forget_peak();
  Cost cost;
  cost.seconds = seconds_of(work);
  cost.mib = peak_mib();
  return cost;
}

std::optional<Path> rival(const std::string& name) {
  const char* folder = std::getenv("BELAY_MONGO_TOOLS");
  auto found = folder != nullptr ? std::optional<Path>(Path(folder) / name) : find_program(name);
  if (!found) fmt::print("    ({} is neither in $BELAY_MONGO_TOOLS nor on PATH: no rival)\n", name);
  return found;
}

// Seconds; none when it is not installed.
std::optional<double> run_rival(const DataStage& stage, const std::string& name,
                                const std::vector<std::string>& words) {
  const auto program = rival(name);
  if (!program) return std::nullopt;
  Command command;
  command.argv = {program->string(), "--uri=" + stage.server->uri(""), "--gzip", "--quiet",
                  "--archive=" + (stage.folder.path() / "dump").string()};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  return seconds_of([&] { must(run_ok(command)); });
}

vault::RestoreReport restore_as(DataStage& stage, const vault::Point& point,
                                const std::string& name) {
  const auto rename = std::make_optional(std::pair<std::string, std::string>("shop", name));
  auto report =
      must(vault::restore(*stage.vault, point, *stage.database, rename, stage.clock, {}, {}, {}));
  if (!report.complete() || report.documents != point.documents)
    must(fail(Fault::corrupt, "documents are missing from what was restored"));
  return report;
}

bool show_memory(const std::string& what, const Cost& cost) {
  return show({what + ": memory", cost.mib, "MiB", most_mib, ""});
}

bool show_beside(const std::string& what, const Cost& cost, const std::string& rival_name,
                 std::optional<double> took) {
  if (!took) {
    fmt::print("{:<58} {:8.2f} s\n", what, cost.seconds);
    return true;
  }
  return show({what, cost.seconds, "s", *took,
               fmt::format("{}: {:.2f} s; ratio {:.2f}", rival_name, *took, cost.seconds / *took)});
}

bool ordinary() {
  DataStage stage;
  const double loading = seconds_of([&] { load_orders(stage, 200'000); });
  fmt::print("    (loading took {:.0f} s)\n", loading);
  bool passed = true;

  vault::Point point;
  const auto taking = cost_of([&] { point = stage.take("rp-1"); });
  passed &= show_beside("a restore point of 200,000 documents", taking, "mongodump --gzip",
                        run_rival(stage, "mongodump", {"--db=shop"}));
  passed &= show_memory("  ", taking);

  must(stage.server->command("shop", R"({"update": "orders", "updates": [{"q": {"_id":
      {"$gte": 100000, "$lt": 100200}}, "u": {"$set": {"total": -1}}, "multi": true}]})"));
  vault::RewindReport report;
  const auto rewinding = cost_of([&] { report = stage.rewind(point, "salvage-1"); });
  if (report.done.total() != 200) must(fail(Fault::corrupt, "not 200 documents were rewound"));

  const auto restoring = cost_of([&] { restore_as(stage, point, "restored"); });
  passed &= show_beside("a full restore of 200,000 documents", restoring, "mongorestore",
                        run_rival(stage, "mongorestore", {"--nsFrom=shop.*", "--nsTo=rival.*"}));
  passed &= show_memory("  ", restoring);
  passed &= show({"a rewind of 200 of them, at least 3 times faster", rewinding.seconds, "s",
                  restoring.seconds / 3,
                  fmt::format("the full restore: {:.2f} s; {:.1f} times faster", restoring.seconds,
                              restoring.seconds / rewinding.seconds)});
  return show_memory("  ", rewinding) && passed;
}

// `count` documents with `bytes` of text each, which does not compress further than hex does.
void load_text(DataStage& stage, int count, std::size_t bytes) {
  const std::string text = stage.random.hex(bytes);
  std::vector<Bson> batch;
  std::size_t size = 0;
  for (int n = 0; n < count; ++n) {
    batch.push_back(text_document(
        n, std::string_view(text).substr(static_cast<std::size_t>(n) * 61 % bytes, bytes)));
    size += bytes;
    if (size < (std::size_t{16} << 20) && n + 1 < count) continue;
    must(stage.database->insert({"shop", "orders"}, batch));
    batch.clear();
    size = 0;
  }
}

bool large(const std::string& what, int count, std::size_t bytes) {
  DataStage stage;
  load_text(stage, count, bytes);
  vault::Point point;
  const auto taking = cost_of([&] { point = stage.take("rp-1"); });
  fmt::print("{}: a restore point took {:.0f} s\n", what, taking.seconds);
  bool passed = show_memory("  ", taking);
  const auto restoring = cost_of([&] { restore_as(stage, point, "restored"); });
  fmt::print("{}: a full restore took {:.0f} s\n", what, restoring.seconds);
  return show_memory("  ", restoring) && passed;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1) return ordinary() ? 0 : 1;
  if (std::string_view(argv[1]) != "--large") must(fail(Fault::invalid, "restore_bench [--large]"));
  bool passed = large("1 GB in documents of 4 KiB", 262'144, 4000);
  passed &= large("200 documents of 16 MiB", 200, (std::size_t{16} << 20) - 64);
  return passed ? 0 : 1;
}
