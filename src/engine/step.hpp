// SPDX-License-Identifier: Apache-2.0
// A kind of step: what it does, and how it finds out afterwards whether it was done. Undoing is
// done by kinds of their own, which the plan's way back names.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "base/world.hpp"
#include "pipeline/history.hpp"
#include "pipeline/plan.hpp"

namespace belay::engine {

struct Progress {
  std::string what;                   // "shop.orders"
  std::uint64_t done = 0, total = 0;  // total 0: unknown
  std::string unit;                   // "documents"
};

// Sees a run as it happens, from several threads. Never part of the truth: that is the journal.
class Reporter {
 public:
  virtual ~Reporter() = default;
  virtual void event(const std::string& run, const pipeline::Plan& plan,
                     const pipeline::Event& event) = 0;
  virtual void progress(const std::string& run, const pipeline::Step& step,
                        const Progress& progress) = 0;
  // What a child or the step itself has to say; kept in the run's log.
  virtual void output(const std::string& run, const pipeline::Step& step,
                      std::string_view text) = 0;
};

struct StepContext {
  const std::string& run;
  const pipeline::Plan& plan;
  const pipeline::Step& step;
  const pipeline::History& history;  // as it was when the step was decided on
  std::string key;                   // stable: the same for the attempt, whoever goes on with it
  int attempt = 1;
  Json baseline = Json::object();  // what baseline() said before the attempt
  std::stop_token stop;
  World& world;
  Reporter& reporter;
  // The attempt was begun on another machine, which may still be at it. Its children are unknown.
  bool elsewhere = false;

  void say(std::string_view line) const { reporter.output(run, step, std::string(line) + "\n"); }
  // The result of an earlier step of this run; null when it was not done.
  Json result_of(const std::string& id) const;
};

enum class Answer {
  applied,  // done; the result goes with it
  absent,   // surely not done: perform again
  adopt,    // begun and findable by its key: perform() takes it over
  unknown,  // cannot be told
};

struct Checked {
  Answer answer = Answer::unknown;
  Json result = Json::object();
  std::string evidence;
};

class StepKind {
 public:
  virtual ~StepKind() = default;
  // What the world looks like before; written into the intent. Changes nothing.
  virtual Result<Json> baseline(const StepContext&) { return Json(Json::object()); }
  // Does it. The value goes into the outcome and must hold no secret. Fault::cancelled with the
  // stop token used: the attempt stays open and a later process resolves it.
  virtual Result<Json> perform(const StepContext& context) = 0;
  // After a crash or a lost reply. The default suits steps that converge when performed again.
  virtual Result<Checked> check(const StepContext&) {
    return Checked{Answer::absent, Json::object(), ""};
  }
  // The run was cancelled while the attempt was open: end what still runs. An error stops the run
  // for a person: nothing is taken back under a program that goes on.
  virtual Status abandon(const StepContext&) { return {}; }
  // How long after a lost reply the effect may still arrive.
  virtual Millis grace() const { return Millis(0); }
};

using StepTable = std::map<std::string, std::unique_ptr<StepKind>>;

// refused: a plan with defects, or with a kind of step that the table lacks.
Status can_be_carried_out(const pipeline::Plan& plan, const StepTable& steps);

}  // namespace belay::engine
