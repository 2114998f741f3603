// SPDX-License-Identifier: Apache-2.0
#include "target/vercel_api.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "target/hosted.hpp"

namespace belay::target {

namespace {

constexpr int most_pages = 20;     // of a hundred deployments
constexpr int longest_list = 500;  // a server that never ends its list is not followed

// Lists say `uid` and `state`, a single deployment `id` and `readyState`.
Result<Deployment> deployment_from(const Json& json) {
  Deployment read;
  read.id = text_in(json, "id");
  if (read.id.empty()) read.id = text_in(json, "uid");
  read.host = text_in(json, "url");
  read.state = text_in(json, "readyState");
  if (read.state.empty()) read.state = text_in(json, "state");
  if (read.id.empty() || read.state.empty())
    return fail(Fault::corrupt, "Vercel's answer has a deployment without id or state");
  read.reason = text_in(json, "errorMessage");
  if (read.reason.empty()) read.reason = text_in(json, "readyStateReason");
  if (const auto meta = json.find("meta"); meta != json.end() && meta->is_object()) {
    for (const auto& [name, value] : meta->items()) {
      if (value.is_string()) read.meta[name] = value.get<std::string>();
    }
  }
  return read;
}

// {"error": {"code", "message"}}; some of its APIs say `err`, or leave the envelope out.
Json refusal_in(const net::Response& response) {
  const auto json = parse_json(response.body);
  if (!json || !json->is_object()) return Json::object();
  for (const char* member : {"error", "err"}) {
    if (const auto found = json->find(member); found != json->end() && found->is_object())
      return *found;
  }
  return *json;
}

constexpr const char* production = "production";

// {"target": ["production", ...]}, or one text; of a branch it is a preview's.
bool is_for_production(const Json& json) {
  const auto& target = member_in(json, "target");
  if (target.is_string()) return target == production;
  return target.is_array() && std::find(target.begin(), target.end(), production) != target.end();
}

// "sensitive" is never shown again, "system" is Vercel's own, "secret" only names another place.
bool is_readable(const Json& json) {
  const auto type = text_in(json, "type");
  return type == "encrypted" || type == "plain";
}

Result<VercelVariable> variable_from(const Json& json) {
  VercelVariable read{text_in(json, "id"), text_in(json, "key"), std::nullopt, false};
  if (read.id.empty() || read.name.empty())
    return fail(Fault::corrupt, "Vercel's answer has a variable without id or key");
  const bool shown = text_in(json, "type") == "plain" || flag_in(json, "decrypted");
  if (const auto& value = member_in(json, "value"); shown && value.is_string())
    read.value = Secret(value.get<std::string>());
  const auto& target = member_in(json, "target");
  const auto& custom = member_in(json, "customEnvironmentIds");
  read.elsewhere =
      (target.is_array() && target.size() > 1) || (custom.is_array() && !custom.empty());
  return read;
}

Error refusal_of(const net::Response& response, const std::string& what) {
  const auto said = refusal_in(response);
  const auto text =
      fmt::format("Vercel, {}: {} {}: {}", what, response.status, printable(text_in(said, "code")),
                  printable(text_in(said, "message").substr(0, 300)));
  switch (response.status) {
    case 401:
    case 403: return fail(Fault::denied, text);
    case 404: return fail(Fault::missing, text);
    case 409: return fail(Fault::conflict, text);
    case 429: return fail(Fault::busy, text);
    default: break;
  }
  return response.status < 500 ? fail(Fault::refused, text)
                               : unknown_effect(Fault::unreachable, text);
}

Result<Json> json_of(const net::Response& response, const std::string& what) {
  if (response.status != 200) return refusal_of(response, what);
  auto json = parse_json(response.body);
  if (!json) return fail(Fault::corrupt, "Vercel, " + what + ": the answer is no JSON");
  return json;
}

}  // namespace

bool is_ready(const Deployment& deployment) {
  return deployment.state == "READY";
}

bool is_over(const Deployment& deployment) {
  const auto& state = deployment.state;
  return state.ends_with("ERROR") || state == "CANCELED" || state == "BLOCKED" ||
         state == "DELETED";
}

VercelApi::VercelApi(const VercelConfig& config, Clock& clock, Random& random)
    : config_(config),
      clock_(clock),
      random_(random),
      client_(net::make_client(clock, config.trust)) {}

net::Request VercelApi::request(const std::string& method, const std::string& path,
                                net::Query query) const {
  if (!config_.team.empty())
    query[config_.team.starts_with("team_") ? "teamId" : "slug"] = config_.team;
  net::Request request;
  request.method = method;
  request.url = config_.endpoint + path;
  if (!query.empty()) request.url += "?" + net::query_text(query);
  request.headers = {{"authorization", "Bearer " + config_.token.reveal()},
                     {"accept", "application/json"}};
  if (method != "GET") request.headers["content-type"] = "application/json";
  request.timeout = request_timeout;
  request.largest_body = largest_answer;
  request.secrets = {config_.token};
  return request;
}

Result<net::Response> VercelApi::ask(const net::Request& request, const std::stop_token& stop) {
  TRY_LET(auto sent, net::send_patiently(
                         *client_, [&]() -> Result<net::Request> { return request; },
                         config_.patience, clock_, random_, stop)
                         .in("Vercel"));
  return std::move(sent.response);
}

Result<Json> VercelApi::get(const std::string& path, net::Query query,
                            const std::stop_token& stop) {
  TRY_LET(const auto answer, ask(request("GET", path, std::move(query)), stop));
  return json_of(answer, path);
}

Result<std::optional<Deployment>> VercelApi::deployment(const std::string& id_or_host,
                                                        const std::stop_token& stop) {
  const auto path = "/v13/deployments/" + net::percent_encoded(id_or_host);
  auto json = get(path, {}, stop);
  if (!json && json.error().fault == Fault::missing) return std::optional<Deployment>();
  if (!json) return std::move(json).error();
  TRY_LET(auto read, deployment_from(*json));
  return std::optional(std::move(read));
}

Status VercelApi::deployments(const std::function<bool(const Deployment&)>& wanted,
                              const std::optional<TimePoint>& since, const std::stop_token& stop) {
  TRY_LET(const auto project, project_id(stop));
  net::Query query{{"projectId", project}, {"target", "production"}, {"limit", "100"}};
  if (since) query["since"] = std::to_string(since->time_since_epoch().count());
  const int pages = since ? longest_list : most_pages;
  for (int page = 0; page < pages; ++page) {
    TRY_LET(const auto json, get("/v7/deployments", query, stop));
    const auto list = json.find("deployments");
    if (list == json.end() || !list->is_array())
      return fail(Fault::corrupt, "Vercel's answer has no list of deployments");
    for (const auto& each : *list) {
      TRY_LET(const auto read, deployment_from(each));
      if (!wanted(read)) return {};
    }
    const auto& next = member_in(member_in(json, "pagination"), "next");
    if (!next.is_number_integer()) return {};
    query["until"] = std::to_string(next.get<std::int64_t>());
  }
  return {};
}

Status VercelApi::upload(std::string content, const std::string& sha1,
                         const std::stop_token& stop) {
  auto order = request("POST", "/v2/files");
  order.headers["content-type"] = "application/octet-stream";
  order.headers["x-vercel-digest"] = sha1;
  order.body = std::move(content);
  TRY_LET(const auto answer, ask(order, stop));
  return answer.status == 200 ? Status() : Status(refusal_of(answer, "uploading a file"));
}

Result<Created> VercelApi::create(const Json& body, const std::stop_token& stop) {
  auto order = request("POST", "/v13/deployments",
                       {{"skipAutoDetectionConfirmation", "1"}, {"forceNew", "1"}});
  order.body = body.dump();
  TRY_LET(const auto answer,
          ask_once(*client_, order, config_.patience, clock_, random_, stop).in("Vercel"));
  if (answer.status == 400) {
    const auto said = refusal_in(answer);
    const auto missing = said.find("missing");
    if (text_in(said, "code") == "missing_files" && missing != said.end() && missing->is_array()) {
      Created created;
      for (const auto& each : *missing) {
        if (each.is_string()) created.missing.push_back(each.get<std::string>());
      }
      return created;
    }
  }
  TRY_LET(const auto json, json_of(answer, "creating a deployment"));
  TRY_LET(auto made, deployment_from(json));
  return Created{std::move(made), {}};
}

Status VercelApi::point(const char* version, const char* verb, const std::string& id,
                        const std::stop_token& stop) {
  TRY_LET(const auto project, project_id(stop));
  auto order =
      request("POST", fmt::format("/{}/projects/{}/{}/{}", version, net::percent_encoded(project),
                                  verb, net::percent_encoded(id)));
  order.body = "{}";
  TRY_LET(const auto answer, ask(order, stop));
  // 202: behind a rolling release. 409: another such order is under way, perhaps our own.
  if (answer.status == 200 || answer.status == 201 || answer.status == 202 || answer.status == 409)
    return {};
  return refusal_of(answer, fmt::format("{} of {}", verb, id));
}

Status VercelApi::promote(const std::string& id, const std::stop_token& stop) {
  return point("v10", "promote", id, stop);
}

Status VercelApi::roll_back(const std::string& id, const std::stop_token& stop) {
  return point("v9", "rollback", id, stop);
}

Result<std::optional<AliasRequest>> VercelApi::last_alias_request(const std::stop_token& stop) {
  TRY_LET(const auto json, get("/v9/projects/" + net::percent_encoded(config_.project),
                               {{"rollbackInfo", "true"}}, stop));
  const auto last = json.find("lastAliasRequest");
  if (last == json.end() || !last->is_object()) return std::optional<AliasRequest>();
  return std::optional(AliasRequest{text_in(*last, "toDeploymentId"), text_in(*last, "jobStatus")});
}

Result<std::string> VercelApi::log(const std::string& id, const std::stop_token& stop) {
  TRY_LET(const auto json, get("/v3/deployments/" + net::percent_encoded(id) + "/events",
                               {{"builds", "1"}, {"limit", "-1"}}, stop));
  std::string text;
  if (!json.is_array()) return text;
  for (const auto& each : json) {
    auto line = text_in(each, "text");
    if (line.empty() && each.is_object() && each.contains("payload"))
      line = text_in(each["payload"], "text");
    if (!line.empty()) text += line + (line.ends_with('\n') ? "" : "\n");
  }
  return text;
}

Status VercelApi::remove(const std::string& id) {
  TRY_LET(const auto answer,
          ask(request("DELETE", "/v13/deployments/" + net::percent_encoded(id)), {}));
  if (answer.status == 200 || answer.status == 204 || answer.status == 404) return {};
  return refusal_of(answer, "removing " + id);
}

Result<std::vector<VercelVariable>> VercelApi::variables(const std::set<std::string>& shown,
                                                         const std::stop_token& stop) {
  const auto project = net::percent_encoded(config_.project);
  TRY_LET(const auto json, get("/v10/projects/" + project + "/env", {}, stop));
  const auto& list = member_in(json, "envs");
  if (!list.is_array()) return fail(Fault::corrupt, "Vercel's answer has no list of variables");
  std::vector<VercelVariable> found;
  for (const auto& each : list) {
    if (!is_for_production(each)) continue;
    TRY_LET(auto variable, variable_from(each));
    if (!variable.value && shown.contains(variable.name) && is_readable(each)) {
      TRY_LET(
          const auto one,
          get("/v1/projects/" + project + "/env/" + net::percent_encoded(variable.id), {}, stop));
      TRY_LET(variable, variable_from(one));
    }
    found.push_back(std::move(variable));
  }
  return found;
}

Status VercelApi::add_variables(const std::map<std::string, Secret>& values,
                                const std::stop_token& stop) {
  Json list = Json::array();
  for (const auto& [name, value] : values) {
    list.push_back({{"key", name},
                    {"value", value.reveal()},
                    {"type", "encrypted"},
                    {"target", Json::array({production})}});
  }
  auto order = request("POST", "/v10/projects/" + net::percent_encoded(config_.project) + "/env",
                       {{"upsert", "true"}});
  order.body = list.dump();
  TRY_LET(const auto answer, ask(order, stop));
  if (answer.status != 200 && answer.status != 201) return refusal_of(answer, "adding variables");
  const auto json = parse_json(answer.body);
  if (!json) return fail(Fault::corrupt, "Vercel, adding variables: the answer is no JSON");
  for (const auto& each : member_in(*json, "failed")) {
    const auto& error = member_in(each, "error");
    const auto name =
        text_in(error, "key").empty() ? text_in(error, "envVarKey") : text_in(error, "key");
    return fail(Fault::refused, fmt::format("Vercel, adding the variable {}: {}: {}",
                                            printable(name), printable(text_in(error, "code")),
                                            printable(text_in(error, "message").substr(0, 300))));
  }
  return {};
}

Status VercelApi::change_variable(const std::string& id, const Secret& value,
                                  const std::stop_token& stop) {
  auto order = request("PATCH", "/v9/projects/" + net::percent_encoded(config_.project) + "/env/" +
                                    net::percent_encoded(id));
  order.body = Json{{"value", value.reveal()}}.dump();
  TRY_LET(const auto answer, ask(order, stop));
  return answer.status == 200 ? Status() : Status(refusal_of(answer, "changing a variable"));
}

Result<Protection> VercelApi::protection(const std::stop_token& stop) {
  TRY_LET(const auto json, get("/v9/projects/" + net::percent_encoded(config_.project), {}, stop));
  Protection found;
  for (const auto* member : {"ssoProtection", "passwordProtection", "trustedIps"}) {
    const auto& kind = member_in(json, member);
    // What is not known yet protects, too.
    if (kind.is_object() && text_in(kind, "deploymentType") != "preview") found.on = true;
  }
  if (const auto& keys = member_in(json, "protectionBypass"); keys.is_object()) {
    found.keys.emplace();
    for (const auto& [key, about] : keys.items()) found.keys->insert(key);
  }
  return found;
}

Result<net::Response> VercelApi::look_at(const Preview& preview, const std::stop_token& stop) {
  net::Request look;
  look.url = preview.url;
  look.headers = preview.headers;
  look.timeout = request_timeout;
  look.largest_body = largest_answer;
  return ask(look, stop);
}

Result<std::string> VercelApi::project_id(const std::stop_token& stop) {
  const std::lock_guard guard(mutex_);
  if (!project_id_.empty()) return project_id_;
  TRY_LET(const auto json, get("/v9/projects/" + net::percent_encoded(config_.project), {}, stop));
  project_id_ = text_in(json, "id");
  if (project_id_.empty()) return fail(Fault::corrupt, "Vercel's answer has a project without id");
  return project_id_;
}

}  // namespace belay::target
