// SPDX-License-Identifier: Apache-2.0
// With which secrets a version was last started, as keyed fingerprints: a plan of the way back can
// name those that have another value now, and what is kept tells nobody a value.
// docs/formats/fingerprints.md
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "base/random.hpp"
#include "base/records.hpp"
#include "base/secret.hpp"
#include "pipeline/spec.hpp"
#include "target/target.hpp"

namespace belay::app {

// What of the secrets is another one than when the versions were last started. Names, each in one
// of the sets.
struct SecretChanges {
  std::set<std::string> same, other;
  std::set<std::string> added;  // not among those of the last start
  std::set<std::string> gone;   // were, and belong to it no more
  std::set<std::string> unreadable;
  std::set<std::string> unknown;  // nothing was kept, or with another key than the present one
  bool any() const { return !other.empty() || !added.empty() || !gone.empty(); }
};

class Fingerprints {
 public:
  using Resolve = std::function<Result<Secret>(const std::string& name)>;

  // `keys` has "fingerprint.key"; `prints` has the environment's, under "fingerprints/".
  Fingerprints(std::shared_ptr<Records> keys, std::shared_ptr<Records> prints)
      : keys_(std::move(keys)), prints_(std::move(prints)) {}

  // In the place of what was kept of the version's last start. On failure nothing is kept of
  // either. Makes the key when there is none.
  Status keep(const target::Version& version, const std::set<std::string>& names,
              const Resolve& resolve, Random& random) const;
  // Of all that a version is given at a place of its own, values and names. Makes the key when
  // there is none; empty when that cannot be.
  std::string of(const Environment& env, Random& random) const;
  // Of a release's services with their names. Makes no key.
  SecretChanges compare(const std::string& release,
                        const std::map<std::string, std::set<std::string>>& names_by_service,
                        const Resolve& resolve) const;

 private:
  using Prints = std::map<std::string, std::string>;  // by name

  Result<std::optional<Secret>> key() const;
  Result<Secret> made_key(Random& random) const;
  Status write(const target::Version& version, const std::set<std::string>& names,
               const Resolve& resolve, Random& random) const;
  std::optional<Prints> kept(const target::Version& version, const Secret& key) const;

  std::shared_ptr<Records> keys_, prints_;
};

// The ${NAMES} in what a service is started with: its own env, its placement's, the database's URI.
std::set<std::string> secrets_of(const pipeline::Spec& present, const std::string& environment,
                                 const pipeline::Service& service);

}  // namespace belay::app
