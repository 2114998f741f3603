// SPDX-License-Identifier: Apache-2.0
#include "target/railway_api.hpp"

#include <fmt/format.h>

#include <array>

#include "base/lower_case.hpp"
#include "base/text.hpp"
#include "net/url.hpp"
#include "target/hosted.hpp"

namespace belay::target {

namespace {

constexpr const char* place_query =
    "query project($id: String!) { project(id: $id) { "
    "environments { edges { node { id name } } } services { edges { node { id name } } } } }";
constexpr const char* deployment_query =
    "query deployment($id: String!) { deployment(id: $id) { id status canRollback "
    "deploymentStopped meta } }";
constexpr const char* deployments_query =
    "query deployments($input: DeploymentListInput!, $first: Int) { "
    "deployments(input: $input, first: $first) { edges { node { id status canRollback "
    "deploymentStopped meta } } } }";
constexpr const char* deploy_order =
    "mutation serviceInstanceDeployV2($environmentId: String!, $serviceId: String!, "
    "$commitSha: String) { serviceInstanceDeployV2(environmentId: $environmentId, "
    "serviceId: $serviceId, commitSha: $commitSha) }";
constexpr const char* roll_back_order =
    "mutation deploymentRollback($id: String!) { deploymentRollback(id: $id) }";
constexpr const char* cancel_order =
    "mutation deploymentCancel($id: String!) { deploymentCancel(id: $id) }";
constexpr const char* stop_order =
    "mutation deploymentStop($id: String!) { deploymentStop(id: $id) }";
constexpr const char* restart_order =
    "mutation deploymentRestart($id: String!) { deploymentRestart(id: $id) }";
constexpr const char* variables_query =
    "query variables($projectId: String!, $environmentId: String!, $serviceId: String, "
    "$unrendered: Boolean) { variables(projectId: $projectId, environmentId: $environmentId, "
    "serviceId: $serviceId, unrendered: $unrendered) }";
constexpr const char* variables_order =
    "mutation variableCollectionUpsert($input: VariableCollectionUpsertInput!) { "
    "variableCollectionUpsert(input: $input) }";
constexpr const char* build_log_query =
    "query buildLogs($deploymentId: String!, $limit: Int, $startDate: DateTime) { "
    "buildLogs(deploymentId: $deploymentId, limit: $limit, startDate: $startDate) { timestamp "
    "message } }";
constexpr const char* running_log_query =
    "query deploymentLogs($deploymentId: String!, $limit: Int, $startDate: DateTime) { "
    "deploymentLogs(deploymentId: $deploymentId, limit: $limit, startDate: $startDate) { timestamp "
    "message } }";
constexpr int newest = 20, log_lines = 500;
constexpr std::string_view graphql_path = "/graphql/v2";
constexpr Millis upload_timeout = std::chrono::minutes(15);

// The first error's message decides; Railway tells a wrong token and a missing right alike.
Fault fault_of(const std::string& message) {
  const auto text = lower_case(message);
  for (const auto* word : {"not authorized", "token not found", "two factor"}) {
    if (text.find(word) != std::string::npos) return Fault::denied;
  }
  return text.find("not found") != std::string::npos ? Fault::missing : Fault::refused;
}

// Railway puts its errors into the body, whatever the status is.
Result<Json> data_of(const net::Response& response, const char* operation) {
  const auto what = fmt::format("Railway, {}: {}", operation, response.status);
  if (response.status == 429) return fail(Fault::busy, what + ": too many requests");
  if (response.status >= 500) return unknown_effect(Fault::unreachable, what);
  const auto json = parse_json(response.body);
  if (!json || !json->is_object())
    return unknown_effect(Fault::corrupt, what + ": the answer is no JSON");
  if (const auto errors = json->find("errors");
      errors != json->end() && errors->is_array() && !errors->empty()) {
    const auto message = text_in(errors->front(), "message");
    return fail(fault_of(message), what + ": " + printable(message.substr(0, 300)));
  }
  const auto data = json->find("data");
  if (data == json->end() || !data->is_object())
    return unknown_effect(Fault::corrupt, what + ": the answer has no data");
  return *data;
}

Result<RailwayDeployment> railway_deployment(const Json& json) {
  RailwayDeployment read{text_in(json, "id"), text_in(json, "status"), "", false, false};
  if (read.id.empty() || read.status.empty())
    return fail(Fault::corrupt, "Railway's answer has a deployment without id or status");
  read.can_roll_back = flag_in(json, "canRollback");
  read.stopped = flag_in(json, "deploymentStopped");
  const auto& meta = member_in(json, "meta");
  read.commit = text_in(meta, "commitHash");
  if (!meta.is_null()) read.meta = meta.dump();
  const auto& deploy = member_in(member_in(meta, "serviceManifest"), "deploy");
  if (const auto& regions = member_in(deploy, "multiRegionConfig"); regions.is_object()) {
    for (const auto& [region, about] : regions.items()) {
      if (!about.is_null()) read.regions.push_back(region);
    }
  } else if (const auto region = text_in(deploy, "region"); !region.empty()) {
    read.regions.push_back(region);
  }
  return read;
}

// The nodes of a connection (edges { node }).
Result<std::vector<Json>> nodes_in(const Json& json, const char* member) {
  const auto& edges = member_in(member_in(json, member), "edges");
  if (!edges.is_array())
    return fail(Fault::corrupt, fmt::format("Railway's answer has no {}", member));
  std::vector<Json> nodes;
  for (const auto& edge : edges) {
    if (const auto& node = member_in(edge, "node"); node.is_object()) nodes.push_back(node);
  }
  return nodes;
}

// The id of the one that has this id or this name.
Result<std::string> id_of(const Json& project, const char* member, const std::string& wanted) {
  TRY_LET(const auto nodes, nodes_in(project, member));
  std::vector<std::string> names;
  for (const auto& node : nodes) {
    if (text_in(node, "id") == wanted || text_in(node, "name") == wanted)
      return text_in(node, "id");
    names.push_back(text_in(node, "name"));
  }
  return fail(Fault::missing, fmt::format("Railway's project has no {} among its {}: {}", wanted,
                                          member, printable(join(names, ", "))));
}

}  // namespace

bool is_up(const RailwayDeployment& deployment) {
  return deployment.status == "SUCCESS" || deployment.status == "SLEEPING";
}

bool is_down(const RailwayDeployment& deployment) {
  constexpr std::array over{"FAILED", "CRASHED", "SKIPPED", "REMOVING", "REMOVED"};
  return std::find(over.begin(), over.end(), deployment.status) != over.end();
}

RailwayApi::RailwayApi(const RailwayConfig& config, Clock& clock, Random& random)
    : config_(config),
      clock_(clock),
      random_(random),
      client_(net::make_client(clock, config.trust)) {}

net::Request RailwayApi::authorized() const {
  net::Request request;
  request.method = "POST";
  if (config_.project_token) {
    request.headers["project-access-token"] = config_.token.reveal();
  } else {
    request.headers["authorization"] = "Bearer " + config_.token.reveal();
  }
  request.timeout = request_timeout;
  request.largest_body = largest_answer;
  request.secrets = {config_.token};
  return request;
}

net::Request RailwayApi::request(const char* operation, const char* query,
                                 const Json& variables) const {
  auto request = authorized();
  request.url = config_.endpoint;
  request.body =
      Json{{"operationName", operation}, {"query", query}, {"variables", variables}}.dump();
  request.headers["content-type"] = "application/json";
  return request;
}

Result<Json> RailwayApi::read(const char* operation, const char* query, const Json& variables,
                              const std::stop_token& stop) {
  const auto asked = request(operation, query, variables);
  TRY_LET(const auto sent, net::send_patiently(
                               *client_, [&]() -> Result<net::Request> { return asked; },
                               config_.patience, clock_, random_, stop)
                               .in("Railway"));
  return data_of(sent.response, operation);
}

Result<Json> RailwayApi::order(const char* operation, const char* query, const Json& variables,
                               const std::stop_token& stop) {
  TRY_LET(const auto answer, ask_once(*client_, request(operation, query, variables),
                                      config_.patience, clock_, random_, stop)
                                 .in("Railway"));
  return data_of(answer, operation);
}

Result<RailwayApi::Place> RailwayApi::place(const std::stop_token& stop) {
  const std::lock_guard guard(mutex_);
  if (place_) return *place_;
  TRY_LET(const auto data, read("project", place_query, {{"id", config_.project}}, stop));
  const auto& project = member_in(data, "project");
  if (!project.is_object())
    return fail(Fault::missing, "Railway has no project " + config_.project);
  Place found;
  TRY_LET(found.environment, id_of(project, "environments", config_.environment));
  TRY_LET(found.service, id_of(project, "services", config_.service));
  place_ = found;
  return found;
}

Result<RailwayDeployment> RailwayApi::deployment(const std::string& id,
                                                 const std::stop_token& stop) {
  TRY_LET(const auto data, read("deployment", deployment_query, {{"id", id}}, stop));
  return railway_deployment(member_in(data, "deployment"));
}

Result<std::vector<RailwayDeployment>> RailwayApi::deployments(const std::stop_token& stop) {
  TRY_LET(const auto here, place(stop));
  const Json input{{"projectId", config_.project},
                   {"environmentId", here.environment},
                   {"serviceId", here.service}};
  TRY_LET(const auto data,
          read("deployments", deployments_query, {{"input", input}, {"first", newest}}, stop));
  TRY_LET(const auto nodes, nodes_in(data, "deployments"));
  std::vector<RailwayDeployment> found;
  for (const auto& node : nodes) {
    TRY_LET(auto each, railway_deployment(node));
    found.push_back(std::move(each));
  }
  return found;
}

Result<std::string> RailwayApi::deploy(const std::string& commit, const std::stop_token& stop) {
  TRY_LET(const auto here, place(stop));
  TRY_LET(const auto data, order("serviceInstanceDeployV2", deploy_order,
                                 {{"environmentId", here.environment},
                                  {"serviceId", here.service},
                                  {"commitSha", commit}},
                                 stop));
  auto id = text_in(data, "serviceInstanceDeployV2");
  if (id.empty())
    return unknown_effect(Fault::corrupt, "Railway did not say which deployment it makes");
  return id;
}

// No part of the published schema: what railwayapp/cli sends (src/controllers/upload.rs).
Result<std::string> RailwayApi::deploy_files(std::string_view archive, const std::string& message,
                                             const std::stop_token& stop) {
  TRY_LET(const auto there, place(stop));
  auto order = authorized();
  auto base = config_.endpoint;
  if (base.ends_with(graphql_path)) base.resize(base.size() - graphql_path.size());
  order.url = fmt::format("{}/project/{}/environment/{}/up?{}", base,
                          net::percent_encoded(config_.project), there.environment,
                          net::query_text({{"serviceId", there.service}, {"message", message}}));
  order.headers["content-type"] = "application/gzip";
  order.large_body = archive;
  order.timeout = upload_timeout;
  TRY_LET(const auto answer,
          ask_once(*client_, order, config_.patience, clock_, random_, stop).in("Railway"));
  const auto what = fmt::format("Railway, files of {} bytes: {}", archive.size(), answer.status);
  if (answer.status == 429) return fail(Fault::busy, what + ": too many requests");
  if (answer.status >= 500) return unknown_effect(Fault::unreachable, what);
  const auto json = parse_json(answer.body);
  if (answer.status != 200) {
    const bool denied = answer.status == 401 || answer.status == 403;
    const auto said = json && json->is_object() ? text_in(*json, "message") : answer.body;
    return fail(denied ? Fault::denied : Fault::refused,
                what + ": " + printable(said.substr(0, 300)));
  }
  auto id = json && json->is_object() ? text_in(*json, "deploymentId") : "";
  if (id.empty()) return unknown_effect(Fault::corrupt, what + ", and no deployment's id");
  return id;
}

Status RailwayApi::roll_back(const std::string& id, const std::stop_token& stop) {
  TRY_LET(const auto data, order("deploymentRollback", roll_back_order, {{"id", id}}, stop));
  if (flag_in(data, "deploymentRollback")) return {};
  return fail(Fault::refused, "Railway did not roll back to " + id);
}

Status RailwayApi::act_on(const char* operation, const char* query, const std::string& id,
                          const std::stop_token& stop) {
  TRY_LET(const auto data, read(operation, query, {{"id", id}}, stop));
  if (flag_in(data, operation)) return {};
  return fail(Fault::refused, fmt::format("Railway, {}: not done for {}", operation, id));
}

Status RailwayApi::cancel(const std::string& id, const std::stop_token& stop) {
  return act_on("deploymentCancel", cancel_order, id, stop);
}

Status RailwayApi::stop_running(const std::string& id, const std::stop_token& stop) {
  return act_on("deploymentStop", stop_order, id, stop);
}

Status RailwayApi::restart(const std::string& id, const std::stop_token& stop) {
  return act_on("deploymentRestart", restart_order, id, stop);
}

Result<std::map<std::string, std::optional<Secret>>> RailwayApi::variables(
    const std::stop_token& stop) {
  TRY_LET(const auto here, place(stop));
  TRY_LET(const auto data, read("variables", variables_query,
                                {{"projectId", config_.project},
                                 {"environmentId", here.environment},
                                 {"serviceId", here.service},
                                 {"unrendered", true}},
                                stop));
  const auto& there = member_in(data, "variables");
  if (!there.is_object()) return fail(Fault::corrupt, "Railway's answer has no variables");
  std::map<std::string, std::optional<Secret>> found;
  for (const auto& [name, value] : there.items()) {
    if (name.starts_with("RAILWAY_")) continue;
    found[name] = value.is_string() ? std::optional(Secret(value.get<std::string>()))
                                    : std::optional<Secret>();
  }
  return found;
}

Status RailwayApi::set_variables(const Environment& values, const std::stop_token& stop) {
  TRY_LET(const auto here, place(stop));
  const Json input{{"projectId", config_.project},
                   {"environmentId", here.environment},
                   {"serviceId", here.service},
                   {"variables", values},
                   {"replace", false},
                   {"skipDeploys", true}};
  TRY_LET(const auto data,
          read("variableCollectionUpsert", variables_order, {{"input", input}}, stop));
  if (flag_in(data, "variableCollectionUpsert")) return {};
  return fail(Fault::refused, "Railway did not take the variables");
}

Result<std::vector<RailwayLine>> RailwayApi::log(Log log, const std::string& id,
                                                 const std::string& since,
                                                 const std::stop_token& stop) {
  const bool build = log == Log::build;
  const auto* operation = build ? "buildLogs" : "deploymentLogs";
  Json variables{{"deploymentId", id}, {"limit", log_lines}};
  if (!since.empty()) variables["startDate"] = since;
  TRY_LET(const auto answer,
          client_->send(request(operation, build ? build_log_query : running_log_query, variables),
                        stop));
  TRY_LET(const auto data, data_of(answer, operation));
  std::vector<RailwayLine> lines;
  for (const auto& each : member_in(data, operation))
    lines.push_back({text_in(each, "timestamp"), text_in(each, "message")});
  return lines;
}

Result<std::string> RailwayApi::last_log(const std::string& id, const std::stop_token& stop) {
  std::string text;
  for (const auto which : {Log::build, Log::running}) {
    TRY_LET(const auto lines, log(which, id, "", stop));
    for (const auto& line : lines) {
      if (!line.text.empty()) text += line.text + "\n";
    }
  }
  return text;
}

}  // namespace belay::target
