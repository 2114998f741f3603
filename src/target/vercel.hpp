// SPDX-License-Identifier: Apache-2.0
// A service on Vercel, by its REST API. A version is a production deployment that no domain points
// at until it is promoted. What Belay made is known again by the deployment's `meta`, so that a
// lost answer, or a machine that is gone, leaves nothing doubled and nothing forgotten.
#pragma once

#include "base/random.hpp"
#include "net/patience.hpp"
#include "target/target.hpp"

namespace belay::target {

struct VercelConfig {
  std::string project;  // its id or name
  std::string team;     // "team_..." or its slug; empty: the token's own account
  std::string domain;   // where customers are: whose deployment is live is read there
  Secret token;
  Secret bypass;  // past the deployment protection; empty: none is known
  std::string endpoint = "https://api.vercel.com";
  Millis limit = std::chrono::minutes(45);  // of a build, or of pointing the domains
  net::Patience patience = {};
  net::Trust trust = {};
};

// Connects to nothing yet. Waits for a build or for domains by `clock`.
std::unique_ptr<Target> make_vercel(VercelConfig config, Clock& clock, Random& random);

}  // namespace belay::target
