// SPDX-License-Identifier: Apache-2.0
// A plan is data: the ordered steps of one run, and the way back, made before anything happens.
// It is stored whole in run.created; a run never looks at belay.yaml again.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/time.hpp"

namespace belay::pipeline {

struct Step {
  std::string id;                       // "build:backend"; unique in the plan
  std::string kind;                     // "build": the engine's table of kinds knows it
  std::string title;                    // for people: "npm test in a copy of a41d07c"
  std::vector<std::string> after = {};  // ids of this list that must be done before
  Json args = Json::object();
  bool changes = false;          // once begun, a failure goes the way back
  std::string undo = {};         // for people: "switch back, < 1 s"; empty: nothing to undo
  std::string cannot_undo = {};  // for people: why this cannot be undone
  std::vector<std::string> undoes =
      {};  // way back only: performed when one of these was begun; empty: always
  bool operator==(const Step&) const = default;
};

struct Person {
  std::string name, email;
  bool operator==(const Person&) const = default;
};

struct Plan {
  std::string pipeline;  // "deploy", "rollback", "rewind", "apply" (of a salvage)
  std::string project, environment;
  std::string release;      // the tag: a label, fixed when planning
  std::string commit, ref;  // what is shipped, and what was asked for
  std::string live;         // the release that was live when planning; empty: none
  Person requester;
  std::vector<Step> steps, back;
  // belay.yaml three times: build, run, test, env come from the release's own commit, the policy
  // from the protected branch, everything else from the present file. References, never secrets.
  Json config =
      Json::object();           // {"release": text, "policy": text, "present": text, "from": {...}}
  Json facts = Json::object();  // changes, target of a rollback ...: part of what is signed
  Json notes = Json::object();  // for people only: estimates, warnings; not in the digest

  const Step* step(std::string_view id) const;        // in steps, then in back
  const Step* first_of(std::string_view kind) const;  // in steps
};

Json to_json(const Plan& plan);
// refused, by name, when the plan has a newer format.
Result<Plan> plan_from_json(const Json& json);

// SHA-256 (hex) over the canonical form of what will be done: without release label, estimates and
// notes. Same input, same digest.
std::string digest(const Plan& plan);

// A plan that the engine cannot carry out: unknown ids in `after` and `undoes`, twice the same id,
// circles. Empty: sound.
std::vector<std::string> defects(const Plan& plan);

}  // namespace belay::pipeline
