// SPDX-License-Identifier: Apache-2.0
// Runs another program to its end, here and now. For programs that must outlive us: children.hpp.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/time.hpp"

namespace belay {

using Environment = std::map<std::string, std::string>;

struct Command {
  std::vector<std::string> argv;  // argv[0] is looked up on PATH
  Path folder = {};               // where it runs; empty: here
  Environment env = {};           // added to, and winning over, the inherited one
  bool inherit_env = true;        // false: only `env` and PATH, HOME, LANG, TMPDIR, USER
  std::string input = {};         // its standard input
  Millis limit = std::chrono::minutes(10);
  std::size_t output_limit = std::size_t{64} << 20;
};

struct Finished {
  int status = 0;  // exit status; 128 + signal when a signal ended it
  std::string out;
  std::string err;
  bool ok() const { return status == 0; }
};

// Waits for the program and everything it wrote. timeout: it was ended with its process group;
// cancelled: the stop token was used; missing: no such program. A program that ran and failed is
// a value, not an error.
Result<Finished> run(const Command& command, std::stop_token stop = {});

// As run(), and a non-zero status is an error that carries the last lines of its standard error.
Result<Finished> run_ok(const Command& command, std::stop_token stop = {});

// The path of a program on PATH (also /usr/sbin and /sbin, where Debian keeps haproxy).
std::optional<Path> find_program(const std::string& name);

}  // namespace belay
