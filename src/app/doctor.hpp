// SPDX-License-Identifier: Apache-2.0
// What could go wrong later, looked at now. Changes nothing but what opening the state makes (its
// folders and an empty journal), and Belay's own marker documents in the database named `belay`.
// What can be mended safely carries its mend, which the caller may offer.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/places.hpp"
#include "base/json.hpp"
#include "base/secret.hpp"

namespace belay::app {

enum class Grade { good, warn, bad };
const char* to_string(Grade grade);

struct Mend {
  std::string question;                        // "install the agent as a runit service?"
  std::function<Result<std::string>()> apply;  // what was done, for people; safe to repeat
};

struct Finding {
  std::string about;  // "journal", "production: database"
  Grade grade = Grade::good;
  std::string found, remedy;  // no remedy when good
  std::optional<Mend> mend = {};
};

struct Checkup {
  std::optional<Path> file;  // --file
  Path here;
  Getenv env;
  std::string environment;  // empty: all of them
  Path program;             // this belay, as an agent's unit would start it
  std::function<void(const Secret&)> on_secret = {};  // see Secrets
};

// Every finding, in an order that can be read from above. Never fails: what cannot be looked at is
// a finding.
std::vector<Finding> examine(const Checkup& checkup);

bool any_bad(const std::vector<Finding>& findings);
Json to_json(const Finding& finding);

}  // namespace belay::app
