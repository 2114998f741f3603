// SPDX-License-Identifier: Apache-2.0
// The command line: one file a command, its manual (.md) beside it.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "app/machine.hpp"

namespace belay::cli {

// The documented exit codes.
enum Exit : int {
  exit_done = 0,
  exit_failed = 1,  // and rolled back or nothing changed: the service is healthy
  exit_usage = 2,   // usage or configuration
  exit_busy = 3,
  exit_approval = 4,      // waiting for, or refused, an approval
  exit_needs_person = 5,  // failed and not rolled back
  exit_interrupted = 6,   // can be resumed
  exit_changes = 10,      // plan: there are changes
};

struct Terminal {
  bool tty = false;  // standard output is one
  bool ask = false;  // standard input is one as well
  bool color = false;
  int width = 100;
  static Terminal detect(const app::Getenv& env);
};

class Job;

struct Session {  // what every command gets
  app::Getenv env;
  Path here;
  std::optional<Path> file;  // --file, BELAY_FILE
  Terminal terminal;
  bool json = false, yes = false;
  Job* job = nullptr;  // in a job of GitHub Actions
};

struct Args {
  std::map<std::string, std::string> values;  // "--env" -> "production"
  std::set<std::string> flags;                // "--code-only"
  std::vector<std::string> words;             // positional, in order
  std::string get(const std::string& name, const std::string& otherwise = {}) const;
  bool has(const std::string& flag) const { return flags.contains(flag); }
  std::string word(std::size_t at) const { return at < words.size() ? words[at] : std::string(); }
};

struct Option {
  std::string name;   // "--env"
  std::string value;  // "ENV"; empty: a flag
  std::string help;
};

struct Command {
  std::string name;  // "deploy", "audit"
  std::string summary;
  std::string words;  // "[TAG]", "RUN", "create|list|show|verify [POINT]"
  std::size_t words_least = 0, words_most = 0;
  std::vector<Option> options;
  int (*run)(Session&, const Args&) = nullptr;
  std::string manual;  // the .md beside it, embedded
};

const std::vector<Command>& commands();
int run_command_line(int argc, const char* const* argv);

// To standard output, at once. A terminal that was closed, a pipe that nobody reads and a full disk
// behind it stop nothing: a run goes on.
void put(std::string_view text);

// The manual that stands beside the command's source; empty when there is none.
std::string manual_of(const std::string& command);

}  // namespace belay::cli
