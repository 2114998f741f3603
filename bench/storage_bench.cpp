// SPDX-License-Identifier: Apache-2.0
// A store over the network, on a server in memory beside it: the memory of `belay backup verify`
// with 10,000 objects, and how fast objects go up beside curl with the same bytes over as many
// connections.
//   storage_bench BELAY
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "base/hash.hpp"
#include "base/md5.hpp"
#include "base/process.hpp"
#include "bench/figure.hpp"
#include "bench/s3_shelf.hpp"
#include "storage/s3.hpp"
#include "vault/vault.hpp"

namespace {

using namespace belay;
using namespace belay::bench;

constexpr int objects = 10'000;
constexpr double most_mib = 64;
constexpr double within = 1.25;  // of curl's time: four fifths of its rate
constexpr int small_ones = 200;
constexpr std::size_t mib = std::size_t{1} << 20;
// A line of 1 Gbit/s a connection.
constexpr std::uint64_t gigabit = 125'000'000;

storage::S3Config config_of(const S3Shelf& shelf, const std::string& prefix) {
  storage::S3Config config;
  config.bucket = "bench";
  config.prefix = prefix;
  config.endpoint = shelf.url();
  config.path_style = true;
  config.key = {"id", Secret("secret"), {}};
  return config;
}

// --- memory
// -----------------------------------------------------------------------------------

// A block holds a few documents of its own, so that there are as many objects.
void fill(storage::Storage& store, const Secret& key, SystemClock& clock, SystemRandom& random) {
  const auto vault = must(vault::open_vault(store, key, clock, random));
  vault::SavedCollection saved;
  saved.facts.ns = {"shop", "orders"};
  Md5 md5;
  for (int block = 0; block < objects; ++block) {
    auto writer = vault->write_layer();
    for (int n = 0; n < 10; ++n) {
      const auto document = must(database::from_json(
          fmt::format(R"({{"_id": {}, "text": "{}"}})", block * 10 + n, random.hex(500))));
      must(writer->add(document));
      md5.add(document);
    }
    auto layer = must(writer->finish());
    saved.base.documents += layer.documents;
    saved.base.bytes += layer.bytes;
    std::move(layer.blocks.begin(), layer.blocks.end(), std::back_inserter(saved.base.blocks));
  }
  saved.documents = saved.base.documents;
  saved.bytes = saved.base.bytes;
  saved.md5 = md5.finish();
  vault::Point point;
  point.name = "large";
  point.kind = "manual";
  point.finished = clock.now();
  point.databases = {"shop"};
  point.documents = saved.documents;
  point.bytes = saved.bytes;
  point.collections = {saved};
  must(vault->commit(point));
}

double peak_of(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  return 0;
}

// The most memory that it had, looked at until it ends.
double run_and_watch(const Command& command) {
  std::vector<char*> argv;
  for (const auto& word : command.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  if (::posix_spawn(&pid, argv[0], nullptr, nullptr, argv.data(), environ) != 0)
    must(fail(Fault::internal, "cannot start " + command.argv.front()));
  double peak = 0;
  int status = 0;
  while (::waitpid(pid, &status, WNOHANG) == 0) {
    peak = std::max(peak, peak_of(pid));
    ::usleep(2000);
  }
  if (status != 0) must(fail(Fault::corrupt, "it did not verify"));
  return peak;
}

bool memory(const std::string& belay) {
  SystemClock clock;
  SystemRandom random;
  const S3Shelf shelf;
  const Secret key(std::string(64, 'a'));
  const auto store = must(storage::make_s3(config_of(shelf, "vault/"), clock, random));
  fill(*store, key, clock, random);
  const auto scratch = must(ScratchFolder::make("belay-bench"));
  const Path folder = scratch.path() / "shop";
  std::filesystem::create_directories(folder);
  must(write_file(folder / "belay.yaml",
                  fmt::format("project: shop\nstate: ../state\n"
                              "database: {{ uri: \"mongodb://127.0.0.1:1/shop\" }}\n"
                              "vault:\n  store: s3:bench/vault/\n  key: ${{VAULT_KEY}}\n"
                              "  s3: {{ key: \"${{S3_ID}}\", secret: \"${{S3_SECRET}}\", endpoint: "
                              "\"{}\", path_style: true }}\n"
                              "services: {{ web: {{ run: ./web, check: / }} }}\n"
                              "environments:\n  production:\n    services: {{ web: {{ listen: "
                              "\"127.0.0.1:1\" }} }}\n",
                              shelf.url())));
  ::setenv("VAULT_KEY", key.reveal().c_str(), 1);
  ::setenv("S3_ID", "id", 1);
  ::setenv("S3_SECRET", "secret", 1);
  Command command;
  command.argv = {belay, "backup", "verify", "large", "--file", (folder / "belay.yaml").string()};
  double peak = 0;
  const double took = seconds_of([&] { peak = run_and_watch(command); });
  return show({fmt::format("belay backup verify, {} objects in S3: peak memory", objects), peak,
               "MiB", most_mib,
               fmt::format("{:.1f} s, {:.2f} ms an object", took, 1000 * took / objects)});
}

// --- upload
// -----------------------------------------------------------------------------------

struct Rates {
  double ours = 0, curl = 0;  // seconds
};

// The middle of three, ours and curl's in turn: the machine is the same for both.
template <class Ours, class Curl>
Rates race(const Ours& ours, const Curl& curl) {
  std::vector<double> a, b;
  for (int round = 0; round < 3; ++round) {
    a.push_back(seconds_of([&] { ours(round); }));
    b.push_back(seconds_of(curl));
  }
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  return {a[1], b[1]};
}

bool show_race(const std::string& what, const Rates& rates, std::size_t bytes) {
  const double megabytes = static_cast<double>(bytes) / 1e6;
  return show({what, rates.ours / rates.curl, "x", within,
               fmt::format("{:.0f} MB/s, curl {:.0f} MB/s: {:.0f} % of it", megabytes / rates.ours,
                           megabytes / rates.curl, 100 * rates.curl / rates.ours)});
}

// From memory to memory, the hash that each signed request has is most of the work: curl's time is
// taken with that of the same hashes.
void add_hashes(Rates& rates, std::string_view bytes, int times) {
  std::size_t letters = 0;
  const double took = seconds_of([&] {
    for (int n = 0; n < times; ++n) letters += sha256_hex(bytes).size();
  });
  if (letters != 64 * static_cast<std::size_t>(times)) must(fail(Fault::internal, "no hashes"));
  fmt::print("    curl alone: {:.2f} x; the hashes take {:.2f} s\n", rates.ours / rates.curl, took);
  rates.curl += took;
}

// `files` of `bytes` each to the server, over so many connections.
Command curl_of(const S3Shelf& shelf, const Path& folder, int files, std::size_t bytes,
                int connections) {
  Command command;
  command.argv = {"curl", "--silent", "--show-error", "--fail", "--output", "/dev/null"};
  if (connections > 1) {
    command.argv.insert(command.argv.end(),
                        {"--parallel", "--parallel-max", std::to_string(connections)});
  }
  for (int n = 0; n < files; ++n) {
    const Path file = folder / fmt::format("{}-{}", bytes, n);
    if (!std::filesystem::exists(file)) must(write_file(file, std::string(bytes, 'x')));
    command.argv.insert(command.argv.end(), {"--upload-file", file.string(),
                                             fmt::format("{}/bench/sink/{}", shelf.url(), n)});
    if (n + 1 < files) command.argv.insert(command.argv.end(), {"--output", "/dev/null"});
  }
  return command;
}

bool upload(const std::string& how, const S3Shelf& shelf, bool with_hashes) {
  SystemClock clock;
  SystemRandom random;
  const auto config = config_of(shelf, "sink/");
  const auto store = must(storage::make_s3(config, clock, random));
  const auto scratch = must(ScratchFolder::make("belay-bench"));
  const std::string large(256 * mib, 'x'), small(mib, 'x');
  const auto parts = static_cast<int>(large.size() / config.part_bytes);
  const auto lanes = static_cast<int>(config.lanes);
  const auto curl_parts = curl_of(shelf, scratch.path(), parts, config.part_bytes, lanes);
  const auto curl_small = curl_of(shelf, scratch.path(), small_ones, mib, 1);
  const std::string beside = with_hashes ? "curl's and the hashes'" : "curl's";
  auto in_parts = race([&](int round) { must(store->put("large" + std::to_string(round), large)); },
                       [&] { must(run_ok(curl_parts)); });
  if (with_hashes)
    add_hashes(in_parts, std::string_view(large).substr(0, config.part_bytes), parts);
  bool passed = show_race(fmt::format("256 MiB in parts, {}: time beside {}", how, beside),
                          in_parts, large.size());
  auto one_by_one = race(
      [&](int round) {
        for (int n = 0; n < small_ones; ++n)
          must(store->put(fmt::format("small{}-{}", round, n), small));
      },
      [&] { must(run_ok(curl_small)); });
  if (with_hashes) add_hashes(one_by_one, small, small_ones);
  passed &=
      show_race(fmt::format("{} objects of 1 MiB, {}: time beside {}", small_ones, how, beside),
                one_by_one, static_cast<std::size_t>(small_ones) * mib);
  return passed;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) must(fail(Fault::invalid, "storage_bench BELAY"));
  bool passed = memory(std::filesystem::absolute(argv[1]).string());
  passed &= upload("a line of 1 Gbit/s each", S3Shelf(gigabit), false);
  passed &= upload("no line between", S3Shelf(), true);
  return passed ? 0 : 1;
}
