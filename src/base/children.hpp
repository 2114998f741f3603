// SPDX-License-Identifier: Apache-2.0
// Children that outlive us: a build, a migration, a user's own program. Each runs under a tiny
// supervisor in a session of its own, which writes the exit status under the child's key. A later
// process finds the child again by that key: still running, ended, or unknown.
// When the supervisor is killed, its child dies with its process group. What a child leaves in the
// background when it ends by itself goes on.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/process.hpp"

namespace belay {

struct ChildSpec {
  std::string key;  // the step's stable key; letters, digits, '-', '_', '.'
  std::vector<std::string> argv;
  Path folder;
  Environment env = {};   // the whole environment; may hold secrets, never written down
  std::string user = {};  // runs as this user; empty: as we are
  Millis limit = std::chrono::hours(1);
};

enum class ChildState {
  absent,   // never started under this key
  running,  // its supervisor is alive
  ended,    // it ended; status is known
  unknown,  // it was started; no supervisor, no status (the host went down, or kill -9)
};

struct ChildStatus {
  ChildState state = ChildState::absent;
  int status = 0;          // as in Finished, when ended
  bool timed_out = false;  // the limit ended it
};

class Children {
 public:
  virtual ~Children() = default;
  // Durable before it returns: a later look() says running or ended, or, after a crash of the
  // host, unknown. conflict when the key was started before: look() first, never start twice.
  virtual Status start(const ChildSpec& spec) = 0;
  virtual Result<ChildStatus> look(const std::string& key) = 0;
  // Waits until it has ended or is unknown. `output` gets what the child wrote, from `offset` on,
  // as it comes; stdout and stderr in one stream. cancelled: the child goes on.
  virtual Result<ChildStatus> wait(const std::string& key,
                                   const std::function<void(std::string_view)>& output,
                                   std::stop_token stop) = 0;
  // Ends it with its whole process group: SIGTERM, then SIGKILL after `grace`. Fine when it has
  // ended already.
  virtual Status end(const std::string& key, Millis grace) = 0;
  // The whole output so far.
  virtual Result<std::string> output(const std::string& key) = 0;
  // Keeps this in the place of what an ended child wrote. Fine twice.
  virtual Status keep(const std::string& key, std::string_view output) = 0;
  // Removes the record; ended or unknown children only.
  virtual Status forget(const std::string& key) = 0;
};

// Keeps its records in `folder` (created, 0700), one sub-folder a key.
std::unique_ptr<Children> make_children(Path folder);

}  // namespace belay
