// SPDX-License-Identifier: Apache-2.0
// Deployments and commit statuses: what GitHub's own pages show of a run.
#include <fmt/format.h>

#include "github/parts.hpp"

namespace belay::github {

namespace {

constexpr std::size_t longest_description = 140;
constexpr int most_looked_back = 10;  // at deployments of ours, for the one that was well before

const char* state_of(Stage stage) {
  switch (stage) {
    case Stage::under_way: return "in_progress";
    case Stage::well: return "success";
    case Stage::failed: return "failure";
    case Stage::given_up: return "error";
  }
  return "error";
}

const char* commit_state_of(Stage stage) {
  return stage == Stage::under_way ? "pending" : state_of(stage);
}

// An object, or the text of one, as it was sent.
std::string mark_in(const Json& deployment) {
  const auto& payload = member_in(deployment, "payload");
  if (!payload.is_string()) return text_in(payload, "belay");
  const auto read = parse_json(payload.get<std::string>());
  return read ? text_in(*read, "belay") : "";
}

// All of one project and environment begin so: "shop/production run 7 ...".
std::string beginning_of(const std::string& mark) {
  return mark.substr(0, mark.find(' '));
}

std::string statuses_of(std::int64_t id) {
  return fmt::format("/deployments/{}/statuses", id);
}

Result<std::string> latest_state(GithubApi& api, std::int64_t id, const std::stop_token& stop) {
  std::string state;
  TRY(api.list(
      statuses_of(id), {{"per_page", "1"}},
      [&](const Json& each) {
        state = text_in(each, "state");
        return false;
      },
      stop));
  return state;
}

// Nothing is posted where the latest is that already: also after a lost answer. What is over is not
// under way again.
Status post_state(GithubApi& api, std::int64_t id, const Json& body, const std::stop_token& stop) {
  const auto wanted = body.at("state").get<std::string>();
  const auto look = [&]() -> Result<std::optional<Json>> {
    TRY_LET(const auto now, latest_state(api, id, stop));
    const bool over = wanted == state_of(Stage::under_way) && !now.empty();
    return now == wanted || over ? std::optional(Json()) : std::nullopt;
  };
  TRY(api.make(statuses_of(id), body, look, stop));
  return {};
}

Result<std::int64_t> id_of(const Json& deployment) {
  const auto id = number_in(deployment, "id");
  if (id) return *id;
  // 202: GitHub merged something instead, and deployed nothing; we ask for no merges.
  return fail(Fault::corrupt, "GitHub made no deployment: " + text_in(deployment, "message"));
}

Result<std::int64_t> made(GithubApi& api, const Deployment& wanted, const std::stop_token& stop) {
  const auto look = [&]() -> Result<std::optional<Json>> {
    std::optional<Json> found;
    TRY(api.list(
        "/deployments", {{"environment", wanted.environment}},
        [&](const Json& each) {
          if (mark_in(each) == wanted.mark) found = each;
          return !found;
        },
        stop));
    return found;
  };
  const Json body{{"ref", wanted.commit},
                  {"task", wanted.task},
                  {"auto_merge", false},
                  {"required_contexts", Json::array()},
                  {"payload", {{"belay", wanted.mark}}},
                  {"environment", wanted.environment},
                  {"description", short_text(wanted.description)}};
  TRY_LET(const auto deployment, api.make("/deployments", body, look, stop));
  return id_of(deployment);
}

// GitHub does this by itself, but not where it holds an environment for production.
Status retire_former(GithubApi& api, const Deployment& wanted, std::int64_t mine,
                     const std::stop_token& stop) {
  std::vector<std::int64_t> ours;
  const auto beginning = beginning_of(wanted.mark);
  TRY(api.list(
      "/deployments", {{"environment", wanted.environment}},
      [&](const Json& each) {
        const auto id = number_in(each, "id");
        if (id && *id != mine && beginning_of(mark_in(each)) == beginning) ours.push_back(*id);
        return ours.size() < most_looked_back;
      },
      stop));
  for (const auto id : ours) {
    TRY_LET(const auto state, latest_state(api, id, stop));
    if (state != "success") continue;
    return post_state(api, id, {{"state", "inactive"}}, stop);
  }
  return {};
}

}  // namespace

// Cut between characters.
std::string short_text(const std::string& text) {
  if (text.size() <= longest_description) return text;
  auto end = longest_description - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

Status show_deployment(GithubApi& api, const Deployment& deployment, Stage stage,
                       const std::stop_token& stop) {
  TRY_LET(const auto id, made(api, deployment, stop));
  Json body{{"state", state_of(stage)}, {"description", short_text(deployment.description)}};
  if (!deployment.page.empty()) body["environment_url"] = deployment.page;
  if (!deployment.log.empty()) body["log_url"] = deployment.log;
  TRY(post_state(api, id, body, stop));
  if (stage != Stage::well) return {};
  return retire_former(api, deployment, id, stop);
}

// The latest of a context counts: once more does no harm.
Status show_status(GithubApi& api, const CommitStatus& status, Stage stage,
                   const std::stop_token& stop) {
  Json body{{"state", commit_state_of(stage)},
            {"context", status.context},
            {"description", short_text(status.description)}};
  if (!status.page.empty()) body["target_url"] = status.page;
  TRY(api.set("POST", "/statuses/" + status.commit, body, stop));
  return {};
}

}  // namespace belay::github
