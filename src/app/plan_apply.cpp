// SPDX-License-Identifier: Apache-2.0
// The plan of `belay salvage apply`: discarded writes put back, under the rule for rollbacks.
#include <fmt/format.h>

#include "app/on_github.hpp"
#include "app/plan_begin.hpp"
#include "app/plan_sources.hpp"
#include "app/planner.hpp"
#include "engine/points.hpp"
#include "engine/put_back.hpp"

namespace belay::app {

using pipeline::Plan;
using pipeline::Step;

namespace {

// "what salvage-9 keeps, only of shop.orders, where nobody has changed it since"
std::string apply_title(const Json& args) {
  std::string text = "what " + args.at("apply").get<std::string>() + " keeps";
  if (args.contains("added")) text += ", only documents that the restore point did not have";
  if (args.contains("collection")) text += ", only of " + args["collection"].get<std::string>();
  if (args.contains("id")) text += ", only _id " + args["id"].get<std::string>();
  return text + ", where nobody has changed it since";
}

Json apply_arguments(const ApplyRequest& request) {
  Json args{{"apply", request.salvage}};
  if (request.added) args["added"] = true;
  if (!request.collection.empty()) args["collection"] = request.collection;
  if (!request.id.empty()) args["id"] = request.id;
  return args;
}

// As things stand; the run looks again when it has the lock.
Result<Json> what_it_would_do(Desk& desk, const std::string& environment, const Json& args) {
  TRY_LET(const auto choice, engine::apply_choice(args));
  TRY_LET(auto works, wire_present(desk, environment, {true, false}));
  auto& site = works->site;
  if (site.vault == nullptr)
    return fail(Fault::invalid, "belay.yaml has no database for " + environment);
  TRY_LET(const auto salvage, engine::salvage_meant(site, {{"undo", args.at("apply")}}, ""));
  TRY_LET(const auto preview,
          vault::preview_apply(*site.database, *site.vault, salvage, choice, {}));
  auto json = engine::to_json(preview);
  json["salvage"] = salvage;
  return json;
}

}  // namespace

void apply_steps(Plan& plan, const PlanParts& parts, const Json& args) {
  const auto salvage = args.at("apply").get<std::string>();
  add_lock(plan, *parts.env, add_gate(plan, *parts.policy, {}));
  Step look{"preview", "apply", "what would be put back from " + salvage};
  look.args = args;
  look.args["only_look"] = true;
  look.undo = "nothing to undo";
  auto after = then(plan.steps, std::move(look), {"recheck"});
  Step apply = changing("apply", "apply", apply_title(args), "");
  apply.args = args;
  apply.cannot_undo = "what is put back stays";
  after = then(plan.steps, std::move(apply), after);
  Step announce{"announce", "announce", "tell people"};
  announce.args = {{"event", "put_back"}};
  then(plan.steps, std::move(announce), after);
  say_undo(plan);
}

Result<Plan> plan_apply(Desk& desk, const ApplyRequest& request) {
  const auto args = apply_arguments(request);
  TRY_LET(const auto preview, what_it_would_do(desk, request.environment, args));
  TRY_LET(auto source, source_of(desk.project.folder));
  TRY_LET(const auto* env, environment_of(desk.project.spec, request.environment));
  TRY_LET(auto choice, choose_policy(desk, source.get(), request.environment));
  TRY_LET(auto releases, engine::read_releases(*desk.journal, request.environment));
  Plan plan;
  plan.pipeline = "apply";
  plan.project = desk.project.spec.project;
  plan.environment = request.environment;
  plan.live = releases.live ? releases.live->tag : "";
  plan.requester = request.requester;
  const auto& text = desk.project.text;
  plan.config = to_json({text, choice.text, text, "", desk.project.folder.string(), {}});
  PlanParts parts;
  parts.present = parts.release = &desk.project.spec;
  parts.env = env;
  parts.database = database_of(desk.project.spec, env->name);
  parts.policy = &choice.policy;
  plan.facts = {{"code", false}, {"data", "apply:" + request.salvage}};
  put_policy(plan, choice);
  put_unchecked(plan, desk.project.spec.tls);
  apply_steps(plan, parts, args);
  TRY(settle_gate(desk, plan));
  plan.notes = {{"subject", "put back from " + request.salvage},
                {"estimates", estimates(desk, plan)},
                {"policy", choice.notes},
                {"put_back", preview}};
  TRY(fits_the_journal(plan));
  return plan;
}

}  // namespace belay::app
