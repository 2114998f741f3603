// SPDX-License-Identifier: Apache-2.0
// What Belay asks of Railway's GraphQL API, one function an operation. Source: its published schema
// (introspection), which its documentation contradicts in places; the schema counts.
#pragma once

#include <mutex>

#include "base/json.hpp"
#include "target/railway.hpp"

namespace belay::target {

struct RailwayDeployment {
  std::string id, status;
  std::string commit;  // of its meta; empty: not said
  bool can_roll_back = false;
  bool stopped = false;                   // nothing of it runs
  std::vector<std::string> regions = {};  // where it runs, as far as Railway says
  std::string meta = {};                  // all that Railway says of where it came from
};

struct RailwayLine {
  std::string at, text;  // a time as Railway writes it: RFC 3339, by which its lines are ordered
};

// Live, or live and asleep until the next request.
bool is_up(const RailwayDeployment& deployment);
// Never again. What is neither, also a status that nobody knows, is under way.
bool is_down(const RailwayDeployment& deployment);

class RailwayApi {
 public:
  RailwayApi(const RailwayConfig& config, Clock& clock, Random& random);

  // missing when there is none.
  Result<RailwayDeployment> deployment(const std::string& id, const std::stop_token& stop);
  // Of the service in the environment, newest first, the last twenty.
  Result<std::vector<RailwayDeployment>> deployments(const std::stop_token& stop);
  // Sent once each: after an error whose effect is unknown, look for what it made.
  Result<std::string> deploy(const std::string& commit, const std::stop_token& stop);
  // The same with a tree, as `railway up` hands it over; `message` is shown with it.
  Result<std::string> deploy_files(std::string_view archive, const std::string& message,
                                   const std::stop_token& stop);
  Status roll_back(const std::string& id, const std::stop_token& stop);
  // Safe to repeat. refused when it is too late for that.
  Status cancel(const std::string& id, const std::stop_token& stop);
  // Both safe to repeat; whether it is done is read from the deployment.
  Status stop_running(const std::string& id, const std::stop_token& stop);
  Status restart(const std::string& id, const std::stop_token& stop);
  // Lines of that time and later; empty: the last five hundred. Asked once.
  enum class Log { build, running };
  Result<std::vector<RailwayLine>> log(Log log, const std::string& id, const std::string& since,
                                       const std::stop_token& stop);
  // What both say last.
  Result<std::string> last_log(const std::string& id, const std::stop_token& stop);
  // The service's own, as they are written there; sealed ones, and Railway's, are not among them.
  Result<std::map<std::string, std::optional<Secret>>> variables(const std::stop_token& stop);
  // For deployments made from now on. Safe to repeat.
  Status set_variables(const Environment& values, const std::stop_token& stop);

 private:
  struct Place {
    std::string environment, service;  // ids
  };
  net::Request authorized() const;
  net::Request request(const char* operation, const char* query, const Json& variables) const;
  Result<Json> read(const char* operation, const char* query, const Json& variables,
                    const std::stop_token& stop);
  Result<Json> order(const char* operation, const char* query, const Json& variables,
                     const std::stop_token& stop);
  Status act_on(const char* operation, const char* query, const std::string& id,
                const std::stop_token& stop);
  Result<Place> place(const std::stop_token& stop);

  RailwayConfig config_;
  Clock& clock_;
  Random& random_;
  std::unique_ptr<net::Client> client_;
  std::mutex mutex_;
  std::optional<Place> place_;
};

}  // namespace belay::target
