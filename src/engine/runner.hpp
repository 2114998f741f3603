// SPDX-License-Identifier: Apache-2.0
// The durable runner: load, decide, write the intent, act, write the outcome. Whatever ends this
// process, a later one goes on from the journal.
#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "engine/loaded.hpp"
#include "engine/step.hpp"
#include "journal/journal.hpp"

namespace belay::engine {

// The right to drive a run, freed by the kernel when its process dies.
class Claim {
 public:
  virtual ~Claim() = default;
  // Used when the right was lost all the same: another machine may drive the run from now on.
  virtual std::stop_token lost() const { return {}; }
};
class Claims {
 public:
  virtual ~Claims() = default;
  // busy, naming the process, when another one drives the run.
  virtual Result<std::unique_ptr<Claim>> claim(const std::string& run) = 0;
  virtual std::string whoami() const = 0;  // "pid 4711 on host"
  // Whether nobody drives the run, as far as can be seen.
  virtual bool is_free(const std::string& run) { return claim(run).ok(); }
  // Where the children of runs driven from here are. Empty: there is one machine only.
  virtual std::string machine() const { return {}; }
};

enum class RunState {
  finished,      // run.finished is in the journal
  needs_person,  // stopped; resumable
  waiting,       // for people or a lock, and the caller does not want to wait
  interrupted,   // a stop token was used; resumable
};

struct DriveOptions {
  bool wait = true;  // stay while people, timers or a lock are waited for
  // Drives a run that stands in the way, was asked to stop, and is driven by nobody. Not given:
  // somebody else must.
  std::function<void(const std::string& run)> drive_other = {};
  // Used: the step in progress comes to its end, and no other is begun; behind a fence the drive
  // goes on until customers are let through. `stop` leaves at once.
  std::stop_token leave = {};
  // What a person has to do before the wait can end; told once.
  std::function<void(const std::string& text)> tell = {};
};

class Runner {
 public:
  Runner(journal::Journal& journal, const StepTable& steps, World& world, Reporter& reporter,
         Claims& claims)
      : journal_(journal), steps_(steps), world_(world), reporter_(reporter), claims_(claims) {}

  // Drives the run to its end, or to where a person is needed. Safe to call again, by any process,
  // at any time; busy when another process drives it. A journal that cannot be written: its error,
  // before any further effect.
  Result<RunState> drive(const std::string& run, std::stop_token stop, DriveOptions options = {});

 private:
  journal::Journal& journal_;
  const StepTable& steps_;
  World& world_;
  Reporter& reporter_;
  Claims& claims_;
};

}  // namespace belay::engine
