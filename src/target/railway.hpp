// SPDX-License-Identifier: Apache-2.0
// A service on Railway, by its GraphQL API. Railway builds and puts live in one: prepare() only
// notes what is meant, activate() has the commit deployed, or hands its files over, and waits until
// Railway's own health check lets it be live; when it does not, what was live stays. Which
// deployment belongs to which release is kept in `records`, with what was there before each order:
// after a lost answer Belay finds what it may have made instead of making another.
#pragma once

#include "base/random.hpp"
#include "base/records.hpp"
#include "net/patience.hpp"
#include "target/target.hpp"

namespace belay::target {

// How writers are held while data goes back: what is live is stopped; or a variable of the
// application's own is set, and it is deployed anew with that, because a deployment keeps the
// variables that it was made with.
struct RailwayHold {
  bool stop = false;
  std::string variable = {}, on = {}, off = {};
};

struct RailwayConfig {
  std::string project;      // its id
  std::string environment;  // there: its id or name
  std::string service;      // there: its id or name
  Secret token;
  bool project_token = true;  // false: an account's or a workspace's
  std::string endpoint = "https://backboard.railway.com/graphql/v2";
  Millis limit = std::chrono::minutes(45);  // of a deployment
  std::shared_ptr<Records> records;         // what is known of each release
  std::optional<RailwayHold> hold = {};     // nothing: its writers cannot be held
  // Of a service that is connected to no repository: this folder of the commit, as a .tar.gz, is
  // handed over. Not given: Railway fetches the commit itself.
  std::function<Result<std::string>(const std::string& commit, const std::string& folder,
                                    std::stop_token stop)>
      packed = {};
  // A keyed fingerprint of variables: a rollback of Railway's own brings the former values, so
  // where this differs from then the commit is deployed anew. Not given: it always is.
  std::function<std::string(const Environment&)> fingerprint = {};
  net::Patience patience = {};
  net::Trust trust = {};
};

// Connects to nothing yet. Waits for deployments by `clock`.
std::unique_ptr<Target> make_railway(RailwayConfig config, Clock& clock, Random& random);

}  // namespace belay::target
