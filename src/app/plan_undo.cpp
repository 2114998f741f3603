// SPDX-License-Identifier: Apache-2.0
// What people read beside each step: what takes it back, or that nothing does.
#include "app/plan_steps.hpp"

namespace belay::app {

namespace {

struct Words {
  const char* kind;
  const char* undo;
  const char* cannot;
};

constexpr const char* nothing = "nothing to undo";

// Of steps that say nothing themselves. A step whose kind is missing here has neither.
constexpr Words usual[] = {
    {"test", nothing, ""},
    {"build", "nothing to undo: unseen", ""},
    {"approve", nothing, ""},
    {"lock", "freed when the run ends", ""},
    {"recheck", nothing, ""},
    {"restore_point", "nothing to undo: it is kept", ""},
    {"start", "nothing to undo: unseen", ""},
    {"check", nothing, ""},
    {"lift", nothing, ""},
    {"watch", nothing, ""},
    {"tag", "", "the tag stays"},
    {"announce", "", "what was told is told"},
    {"clean_up", "", "what it removes is built anew when needed"},
};

}  // namespace

void say_undo(pipeline::Plan& plan) {
  for (auto& step : plan.steps) {
    if (!step.undo.empty() || !step.cannot_undo.empty()) continue;
    for (const auto& words : usual) {
      if (step.kind != words.kind) continue;
      step.undo = words.undo;
      step.cannot_undo = words.cannot;
    }
  }
}

void say_undo_of_data(pipeline::Step& migrate, bool restore_point, pipeline::DataReturn rule) {
  if (!restore_point) {
    migrate.cannot_undo = "no restore point is taken (--skip-backup): what it changes stays";
    return;
  }
  switch (rule) {
    case pipeline::DataReturn::automatic: migrate.undo = "rewind to the restore point"; return;
    case pipeline::DataReturn::ask:
      migrate.undo = "rewind to the restore point, when a person says so";
      return;
    case pipeline::DataReturn::never:
      migrate.cannot_undo = "rollback.database: never: what it changes stays";
      return;
  }
}

}  // namespace belay::app
