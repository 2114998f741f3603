// SPDX-License-Identifier: Apache-2.0
// The least that an S3 can be: in memory, on loopback, quick. Checks no signature. What is put
// under "sink/" is counted and forgotten, parts too.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/file.hpp"

namespace belay::bench {

class S3Shelf {
 public:
  // `bytes_a_second`: what each connection takes at most; 0: as much as comes.
  explicit S3Shelf(std::uint64_t bytes_a_second = 0);
  ~S3Shelf();
  S3Shelf(const S3Shelf&) = delete;
  S3Shelf& operator=(const S3Shelf&) = delete;

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::uint64_t sunk() const;

 private:
  struct Request;
  class Wire;
  void accept_all(const std::stop_token& stop);
  void serve(int fd);
  void answer(Wire& wire, const Request& request, std::string body);
  void list(Wire& wire, const std::string& query);

  std::uint64_t pace_ = 0;
  int port_ = 0;
  Fd listening_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> objects_;
  std::uint64_t sunk_ = 0;
  std::vector<int> open_;
  std::vector<std::jthread> serving_;
  std::jthread accepting_;
};

}  // namespace belay::bench
