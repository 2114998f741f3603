// SPDX-License-Identifier: Apache-2.0
// A small shop (7,000 documents) whose migration damaged 3,000 of them: how long a restore point
// and the rewind take. The floor of the rewind is the server's own: the driver's plain bulk writes
// that put the same documents there, without any comparison, salvage or transaction.
//   rewind_bench
#include "bench/data_stage.hpp"

namespace {

using namespace belay::bench;

constexpr int documents = 7000, damaged = 3000;
const belay::database::Namespace orders{"shop", "orders"};

void damage(const DataStage& stage, const char* to) {
  must(stage.server->command("shop", fmt::format(R"({{"update": "orders", "updates": [{{"q":
      {{"_id": {{"$lt": {}}}}}, "u": {{"$set": {{"total": {}}}}}, "multi": true}}]}})",
                                                 damaged, to)));
}

}  // namespace

int main() {
  DataStage stage;
  load_orders(stage, documents);
  const auto before = read_all(*stage.database, orders);
  bool passed = true;

  belay::vault::Point point;
  const double scan = seconds_of([&] { read_all(*stage.database, orders); });
  const double taken = seconds_of([&] { point = stage.take("rp-1"); });
  const double again = seconds_of([&] { stage.take("rp-2"); });
  passed &= show({"a restore point of 7,000 documents", taken, "s", 2,
                  fmt::format("reading them alone: {:.2f} s; ratio {:.1f}; a second point over "
                              "the same connection: {:.2f} s",
                              scan, taken / scan, again)});

  damage(stage, "-1");
  belay::vault::RewindReport report;
  const double took = seconds_of([&] { report = stage.rewind(point, "salvage-1"); });
  if (report.done.total() != damaged || read_all(*stage.database, orders) != before)
    must(belay::fail(belay::Fault::corrupt, "the rewind did not bring the documents back"));
  damage(stage, "-2");
  const std::vector<Bson> wanted(before.begin(), before.begin() + damaged);
  const double plain = seconds_of([&] { plainly_replace(*stage.server, orders, wanted); });
  passed &= show(
      {"a rewind of 3,000 documents, verified", took, "s", 5,
       fmt::format("plain bulk writes of the same: {:.2f} s; ratio {:.1f}", plain, took / plain)});
  return passed ? 0 : 1;
}
