// SPDX-License-Identifier: Apache-2.0
// A program that is kept running by runit: `runsv` in a session of its own starts it, restarts it
// when it dies, and hands what it writes to `svlogd`, which rotates the logs. None of our
// processes has to live for that. The folder:
//   run, finish, sweep, log/run   scripts, written by write()
//   down                          there: it should not run, and does not come back after a reboot
//   group, ended                  its process group; how often and how it ended since start()
//   supervise/                    runit's own
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/process.hpp"

namespace belay {

struct Supervision {
  bool supervised = false;     // its runsv lives
  bool up = false;             // the program runs now
  bool wanted = false;         // runit keeps it up
  pid_t pid = 0;               // the program; leader of its own session and group
  Millis since{0};             // up or down for so long
  int ended = 0;               // times it ended by itself since start()
  bool crash_looping = false;  // ended three times within a minute, and not up for long since
  std::string last_end;        // "exit status 1", "signal 9", "" when it never ended
};

class Supervised {
 public:
  // `name` is for messages; nothing is touched yet.
  Supervised(std::string name, Path folder, Path log_folder, Clock& clock);

  // The scripts. `run` is shell text that begins in `folder` and ends by exec'ing the program; to
  // be reached by signals as a group it must run it with `chpst -P`. Not enabled by this. A running
  // program goes on with the old script until it is started again.
  Status write(std::string_view run);
  bool written() const;
  // Enabled, supervised and told to run; durable before the program runs. Does not wait for it to
  // be ready. Running already: fine.
  Status start();
  // SIGTERM to the program, SIGKILL for its whole group after `grace`; then the supervisor ends
  // too. Not enabled any more, durable before the first signal. Not running: fine.
  Status stop(Millis grace);
  // Starts the supervisor when it is enabled and has none (after a reboot).
  Status revive();
  bool enabled() const;
  Result<Supervision> look() const;
  // Sends a signal to the program; missing when it does not run.
  Status signal(int number) const;
  // The last `bytes` of what it wrote; rotated files included.
  Result<std::string> log(std::size_t bytes) const;
  const Path& folder() const { return folder_; }

 private:
  bool has_supervisor() const;
  Status start_supervisor() const;
  Status control(std::string_view letters) const;
  bool wait_until(Millis limit, const std::function<bool()>& condition) const;
  Status end_supervisor() const;

  std::string name_;
  Path folder_, log_folder_;
  Clock& clock_;
};

}  // namespace belay
