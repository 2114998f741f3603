// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "pipeline/freeze.hpp"
#include "pipeline/policy.hpp"

namespace belay::pipeline {

namespace {

Json to_json(const Reviewer& reviewer) {
  Json json{{"name", reviewer.name}, {"email", reviewer.email}, {"keys", reviewer.keys}};
  if (!reviewer.github.empty()) json["github"] = reviewer.github;
  return json;
}

Json list_of(const std::vector<Reviewer>& people) {
  Json list = Json::array();
  for (const auto& person : people) list.push_back(to_json(person));
  return list;
}

std::vector<Reviewer> read_people(const Json& json) {
  std::vector<Reviewer> people;
  for (const auto& each : json) {
    people.push_back({each.at("name").get<std::string>(),
                      each.at("keys").get<std::vector<std::string>>(),
                      each.at("email").get<std::string>(), each.value("github", std::string())});
  }
  return people;
}

ApprovalRule read_rule(const Json& json) {
  ApprovalRule rule;
  json.at("required").get_to(rule.required);
  rule.reviewers = read_people(json.at("reviewers"));
  json.at("self_approval").get_to(rule.self_approval);
  rule.wait = Millis(json.at("wait_ms").get<std::int64_t>());
  rule.expires = Millis(json.at("expires_ms").get<std::int64_t>());
  if (json.value("by", std::string()) == "github") rule.by = Evidence::github;
  return rule;
}

template <class T, class Read>
Result<T> guarded(const char* what, Read read) {
  try {
    return read();
  } catch (const Json::exception& e) {
    return fail(Fault::corrupt, fmt::format("the stored {} cannot be read: {}", what, e.what()));
  }
}

}  // namespace

const char* to_string(Decision decision) {
  return decision == Decision::approve ? "approve" : "reject";
}

Json to_json(const ApprovalRule& rule) {
  Json json{{"required", rule.required},
            {"reviewers", list_of(rule.reviewers)},
            {"self_approval", rule.self_approval},
            {"wait_ms", rule.wait.count()},
            {"expires_ms", rule.expires.count()}};
  if (rule.by == Evidence::github) json["by"] = "github";
  return json;
}

Result<ApprovalRule> rule_from_json(const Json& json) {
  return guarded<ApprovalRule>("approval rule", [&] { return read_rule(json); });
}

std::string canonical_request(const ApprovalRequest& request, Decision decision) {
  return canonical({{"project", request.project},
                    {"environment", request.environment},
                    {"run", request.run},
                    {"digest", request.digest},
                    {"decision", to_string(decision)},
                    {"not_after", belay::to_text(request.not_after)},
                    {"nonce", request.nonce}});
}

Json to_json(const Vote& vote) {
  Json json{{"person", vote.person},
            {"key", vote.key},
            {"decision", to_string(vote.decision)},
            {"reason", vote.reason},
            {"signature", vote.signature},
            {"at", belay::to_text(vote.at)},
            {"digest", vote.digest}};
  if (!vote.evidence.is_null()) json["evidence"] = vote.evidence;
  return json;
}

Result<Vote> vote_from_json(const Json& json) {
  Vote vote;
  std::string decision, at;
  TRY(guarded<Done>("vote", [&] {
    json.at("person").get_to(vote.person);
    json.at("key").get_to(vote.key);
    json.at("decision").get_to(decision);
    json.at("reason").get_to(vote.reason);
    json.at("signature").get_to(vote.signature);
    json.at("at").get_to(at);
    json.at("digest").get_to(vote.digest);
    vote.evidence = json.value("evidence", Json());
    return Done{};
  }));
  if (decision != "approve" && decision != "reject") {
    return fail(Fault::corrupt, fmt::format("the stored vote decides \"{}\"", decision));
  }
  vote.decision = decision == "approve" ? Decision::approve : Decision::reject;
  TRY_LET(vote.at, parse_time(at));
  return vote;
}

Json to_json(const Policy& policy) {
  return {{"approvals", to_json(policy.approvals)},
          {"rollback", to_json(policy.rollback)},
          {"branches", policy.branches},
          {"rollback_branches", policy.rollback_branches},
          {"emergency", list_of(policy.emergency)},
          {"freeze", to_json(policy.freeze)}};
}

Result<Policy> policy_from_json(const Json& json) {
  Policy policy;
  TRY(guarded<Done>("policy", [&] {
    policy.approvals = read_rule(json.at("approvals"));
    policy.rollback = read_rule(json.at("rollback"));
    json.at("branches").get_to(policy.branches);
    json.at("rollback_branches").get_to(policy.rollback_branches);
    policy.emergency = read_people(json.at("emergency"));
    json.at("freeze");
    return Done{};
  }));
  TRY_LET(policy.freeze, freeze_from_json(json["freeze"]));
  return policy;
}

}  // namespace belay::pipeline
