// SPDX-License-Identifier: Apache-2.0
// Twenty switches there and back, and a hold, under the load of customers who count for themselves:
// half of them keep their connection, every third request is a POST of 2 kB, nothing is sent twice.
//   switch_bench [REQUESTS]      100000 when not said
// Goals: no request failed; switching costs customers nothing (the ratio of the slowest answers).
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/listeners.hpp"
#include "tests/support/http_load.hpp"
#include "traffic/traffic.hpp"

namespace {

using namespace belay;

void must(const Status& status) {
  if (status) return;
  fmt::print("failed: {}\n", status.error().message());
  std::exit(2);
}

class Backend {
 public:
  Backend(std::string release, std::uint16_t port) : backend{std::move(release), port} {
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::setenv("BELAY_RELEASE", backend.release.c_str(), 1);
      ::setenv("PORT", std::to_string(port).c_str(), 1);
      ::execlp("node", "node", BELAY_SOURCE_DIR "/bench/web_server.mjs", nullptr);
      ::_exit(127);
    }
    SystemClock clock;
    for (int n = 0; n < 1000 && !answers(port); ++n) clock.sleep(Millis(10), {});
    if (!answers(port)) must(fail(Fault::missing, "no backend; is node installed?"));
  }
  ~Backend() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  traffic::Backend backend;

 private:
  pid_t pid_ = 0;
};

std::uint16_t free_port_from(std::uint16_t port) {
  while (!can_listen("127.0.0.1", port)) ++port;
  return port;
}

load::LoadPlan customers(std::uint16_t port, bool keep_alive, std::uint64_t requests) {
  load::LoadPlan plan;
  plan.port = port;
  plan.clients = 50;
  plan.keep_alive = keep_alive;
  plan.requests = requests;
  return plan;
}

struct Crowd {
  Crowd(std::uint16_t port, std::uint64_t requests)
      : keeping(customers(port, true, requests / 2)),
        closing(customers(port, false, requests / 2)) {}
  std::uint64_t served() const { return keeping.so_far().all() + closing.so_far().all(); }
  load::HttpLoad keeping, closing;
};

std::uint64_t report(const char* what, Crowd& crowd) {
  const auto keeping = crowd.keeping.wait(), closing = crowd.closing.wait();
  fmt::print("{}\n  keep-alive:      {}\n  one connection each: {}\n", what, keeping.text(),
             closing.text());
  return keeping.failed + closing.failed;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t requests = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  SystemClock clock;
  auto scratch = ScratchFolder::make("belay-bench");
  must(scratch ? Status() : Status(scratch.error()));
  const auto port = free_port_from(18080);
  const std::string listen = "127.0.0.1:" + std::to_string(port);
  Backend blue("r1", free_port_from(18100)), green("r2", free_port_from(18110));
  const auto traffic =
      traffic::make_haproxy({scratch->path() / "proxy", scratch->path() / "logs"}, clock);
  must(traffic->install({{"shop", listen}}));
  must(traffic->shift("shop", blue.backend));

  std::uint64_t failed = 0;
  {
    Crowd quiet(port, requests / 5);
    failed += report("no switch (the floor)", quiet);
  }
  {
    Crowd crowd(port, requests);
    Millis longest{0}, sum{0};
    for (std::uint64_t n = 1; n <= 40; ++n) {
      while (crowd.served() < requests * n / 42) clock.sleep(Millis(1), {});
      const auto begin = clock.steady();
      must(traffic->shift("shop", n % 2 == 1 ? green.backend : blue.backend));
      const Millis took = clock.steady() - begin;
      longest = std::max(longest, took);
      sum += took;
      must(traffic->drain("shop", n % 2 == 1 ? "r1" : "r2", std::chrono::seconds(30), {}));
    }
    failed += report("20 switches there and back", crowd);
    fmt::print("  a switch: {} ms on average, {} ms at most\n", sum.count() / 40, longest.count());
  }
  {
    Crowd crowd(port, requests / 5);
    while (crowd.served() < requests / 10) clock.sleep(Millis(1), {});
    const auto begin = clock.steady();
    must(traffic->hold({"shop"}, std::chrono::seconds(25), std::chrono::seconds(10), {}));
    const Millis stood = clock.steady() - begin;
    clock.sleep(std::chrono::seconds(2), {});
    must(traffic->lift({"shop"}));
    failed += report("a hold of 2 s", crowd);
    fmt::print("  the fence stood after {} ms\n", stood.count());
  }
  must(traffic->shut_down());
  fmt::print("failed in all: {} (goal: 0)\n", failed);
  return failed == 0 ? 0 : 1;
}
