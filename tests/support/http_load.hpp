// SPDX-License-Identifier: Apache-2.0
// Customers: threads that send GET and POST requests one after the other and count what they get.
// Nothing is ever sent again: a request without its whole answer, or with one that is not 200, is
// a failed one. Also the client of the benchmarks and of the demonstration.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/time.hpp"

namespace belay::load {

struct LoadPlan {
  std::uint16_t port = 0;  // on 127.0.0.1
  int clients = 16;
  bool keep_alive = true;  // else a connection for each request
  std::string path = "/";
  int post_every = 3;          // every third is a POST; 0: none
  std::size_t body = 2000;     // bytes of a POST's body, different each time
  std::uint64_t requests = 0;  // all clients together; 0: until stop()
  Millis patience{40'000};     // for an answer
};

struct LoadResult {
  std::uint64_t served = 0, failed = 0;
  std::map<std::string, std::uint64_t> by_release;  // the first word of each answer's body
  std::map<std::string, std::uint64_t> failures;    // how often, by what happened
  Millis slowest{0};
  std::string last_release;  // who gave the last answer
  std::uint64_t all() const { return served + failed; }
  std::string text() const;  // for people
};

// Answers of tests/support/web_server.py are checked to be about the very body that was sent.
class HttpLoad {
 public:
  explicit HttpLoad(LoadPlan plan);  // begins at once
  ~HttpLoad();
  LoadResult stop();  // after the requests under way
  LoadResult wait();  // until plan.requests are done
  LoadResult so_far() const;

 private:
  void customer(int number);
  void note(const std::string& failure, const std::string& release, Millis took);

  LoadPlan plan_;
  std::atomic<bool> stopped_{false};
  std::atomic<std::uint64_t> begun_{0};
  mutable std::mutex lock_;
  LoadResult result_;
  std::vector<std::thread> threads_;
};

}  // namespace belay::load
