// SPDX-License-Identifier: Apache-2.0
// What Belay asks of Vercel's REST API, one function a request. Source: vercel.com/docs/rest-api,
// and what the official client sends.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "base/json.hpp"
#include "net/url.hpp"
#include "target/vercel.hpp"

namespace belay::target {

struct Deployment {
  std::string id;
  std::string host;    // its own address
  std::string state;   // readyState: QUEUED, BUILDING, READY, ERROR, ...
  std::string reason;  // what Vercel says of a failure
  std::map<std::string, std::string> meta;
};

// READY; or over without being that; anything else, also what nobody knows, is still under way.
bool is_ready(const Deployment& deployment);
bool is_over(const Deployment& deployment);

struct Created {
  std::optional<Deployment> deployment;
  std::vector<std::string> missing;  // SHA-1 digests of files to upload first
};

struct AliasRequest {
  std::string to, state;  // deployment; pending, in-progress, succeeded, failed, skipped
};

struct VercelVariable {
  std::string id, name;
  std::optional<Secret> value;  // nothing: Vercel does not show it
  bool elsewhere = false;       // another environment of the project has it, too
};

// Of a project: who may ask its deployments at their own addresses.
struct Protection {
  bool on = false;                            // for those of production
  std::optional<std::set<std::string>> keys;  // what lets automation past; nothing: not shown
};

class VercelApi {
 public:
  VercelApi(const VercelConfig& config, Clock& clock, Random& random);

  // By its id, or by a host that points at it. Nothing: there is none.
  Result<std::optional<Deployment>> deployment(const std::string& id_or_host,
                                               const std::stop_token& stop);
  // Of the project, for production, newest first, for as long as `wanted` says true: those made
  // after `since`, else the last two thousand.
  Status deployments(const std::function<bool(const Deployment&)>& wanted,
                     const std::optional<TimePoint>& since, const std::stop_token& stop);
  Status upload(std::string content, const std::string& sha1, const std::stop_token& stop);
  // Sent once: after an error whose effect is unknown, look for it.
  Result<Created> create(const Json& body, const std::stop_token& stop);
  // Vercel has taken the order; whether it is done is read from the domain. Safe to repeat.
  Status promote(const std::string& id, const std::stop_token& stop);
  Status roll_back(const std::string& id, const std::stop_token& stop);
  Result<std::optional<AliasRequest>> last_alias_request(const std::stop_token& stop);
  // What its build wrote.
  Result<std::string> log(const std::string& id, const std::stop_token& stop);
  Status remove(const std::string& id);
  // The project's variables for production. The values of those in `shown` are asked for, too.
  Result<std::vector<VercelVariable>> variables(const std::set<std::string>& shown,
                                                const std::stop_token& stop);
  // Both are safe to repeat: a name that is there by then gets the value.
  Status add_variables(const std::map<std::string, Secret>& values, const std::stop_token& stop);
  Status change_variable(const std::string& id, const Secret& value, const std::stop_token& stop);
  Result<Protection> protection(const std::stop_token& stop);
  // What answers there, whatever its status.
  Result<net::Response> look_at(const Preview& preview, const std::stop_token& stop);

 private:
  net::Request request(const std::string& method, const std::string& path,
                       net::Query query = {}) const;
  // Repeated while it passes.
  Result<net::Response> ask(const net::Request& request, const std::stop_token& stop);
  Result<Json> get(const std::string& path, net::Query query, const std::stop_token& stop);
  Result<std::string> project_id(const std::stop_token& stop);
  Status point(const char* version, const char* verb, const std::string& id,
               const std::stop_token& stop);

  VercelConfig config_;
  Clock& clock_;
  Random& random_;
  std::unique_ptr<net::Client> client_;
  std::mutex mutex_;
  std::string project_id_;
};

}  // namespace belay::target
