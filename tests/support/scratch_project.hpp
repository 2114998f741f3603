// SPDX-License-Identifier: Apache-2.0
// A project in a folder of its own, as a user has one: a git work tree with a belay.yaml, a state
// folder beside it, people with SSH keys. Nothing of the machine's own settings is used.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/process.hpp"

namespace belay::testing {

class ScratchProject {
 public:
  ScratchProject();

  Path folder() const { return scratch_.path() / "shop"; }
  Path state() const { return scratch_.path() / "state"; }
  Path above() const { return scratch_.path(); }

  void write(const std::string& name, const std::string& text, mode_t mode = 0644) const;
  std::string git(std::vector<std::string> words) const;
  std::string commit(const std::string& message) const;  // everything; its full hash
  // Pushed to a remote of our own, whose main branch then is the protected one.
  void protect_main() const;

  // One web service on a `command` target: what is live stands in the file `live`. `more` are
  // further lines of the environment production, already indented by four.
  std::string file(const std::string& more = {}, const std::string& people = {}) const;

  // "user: root", or whoever runs the tests: what a service on this host needs where that is root.
  static std::string user_line();

  // A key pair; the private file. Its public line is in the file with .pub behind it.
  Path key(const std::string& name) const;
  std::string public_key(const std::string& name) const;

  // The real program, in the project's folder; `more` comes on top of the bare environment.
  Finished belay(std::vector<std::string> words, const Environment& more = {}) const;
  Environment environment(const Environment& more = {}) const;
  // What differs from run to run (paths, times, hashes, tags) by names.
  std::string plain(std::string text) const;

 private:
  ScratchFolder scratch_ = ScratchFolder::make("belay-project").value();
};

// Compares with tests/golden/NAME.txt; BELAY_ACCEPT=1 writes it instead.
void expect_golden(const std::string& name, const std::string& text);

// "exit 2\n--- out\n...--- err\n...": one text for both streams and the status.
std::string transcript(const Finished& finished);

}  // namespace belay::testing
