// SPDX-License-Identifier: Apache-2.0
// What Belay asks of Vercel's REST API, one function a request. Source: vercel.com/docs/rest-api,
// and what the official client sends.
#pragma once

#include <map>
#include <mutex>
#include <optional>

#include "base/json.hpp"
#include "net/url.hpp"
#include "target/vercel.hpp"

namespace belay::target {

struct Deployment {
  std::string id;
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
