// SPDX-License-Identifier: Apache-2.0
// The one place that names providers: from the texts of belay.yaml that a plan stores to the
// objects that its steps act on.
#pragma once

#include "app/machine.hpp"
#include "app/secrets.hpp"
#include "engine/steps/steps.hpp"

namespace belay::app {

// belay.yaml as a plan keeps it.
struct ConfigTexts {
  std::string present, policy, release, live;       // texts; live may be empty
  std::string folder;                               // of the project
  std::map<std::string, std::string> commits = {};  // of the releases, by tag
};
// The database that a connection string names: mongodb://hosts/NAME?options.
std::string database_in(std::string_view uri);

Json to_json(const ConfigTexts& texts);
Result<ConfigTexts> config_of(const pipeline::Plan& plan);

// Owns everything a Site points at.
class Works {
 public:
  ~Works();
  Works();
  engine::Site site;
  engine::StepTable steps;
  std::shared_ptr<Secrets> secrets;
  bool vault_absent = false;          // no key and no vault yet: looking makes neither
  storage::Storage* store = nullptr;  // the vault's
  std::optional<Secret> vault_key = {};

  struct Parts;
  std::unique_ptr<Parts> parts;
};

struct Wanted {
  bool database = true;  // and the vault
  bool services = true;  // targets, proxy
  bool secrets = true;   // what the services are started with must be there
};

// For a stored run. Connects to nothing yet. missing, naming the name, when a secret that is needed
// is not there.
Result<std::unique_ptr<Works>> wire_run(Desk& desk, const pipeline::Plan& plan);

// For what needs neither database nor store nor platform: the run's tests, or its end before
// anything was changed. On a machine that has none of their secrets.
Result<std::unique_ptr<Works>> wire_bare(Desk& desk, const pipeline::Plan& plan);

// To look at what a plan would change where its services run: no secret needs to be there.
Result<std::unique_ptr<Works>> wire_plan(Desk& desk, const pipeline::Plan& plan);

// For commands beside runs: the present file only.
Result<std::unique_ptr<Works>> wire_present(Desk& desk, const std::string& environment,
                                            Wanted wanted);

}  // namespace belay::app
