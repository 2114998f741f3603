// SPDX-License-Identifier: Apache-2.0
#include "app/on_github.hpp"

#include <fmt/format.h>

#include "app/plan_sources.hpp"
#include "app/trust.hpp"
#include "base/text.hpp"
#include "pipeline/gate.hpp"

namespace belay::app {

using pipeline::Evidence;
using pipeline::Plan;
using pipeline::Workflow;

namespace {

std::string text_of(const Getenv& env, const char* name) {
  const auto at = env.find(name);
  return at == env.end() ? "" : at->second;
}

std::int64_t number_of(const Getenv& env, const char* name) {
  const auto text = text_of(env, name);
  const bool digits = !text.empty() && text.size() < 18 &&
                      text.find_first_not_of("0123456789") == std::string::npos;
  return digits ? std::stoll(text) : 0;
}

Result<std::string> name_of(const pipeline::Github& wanted, const Getenv& env,
                            const std::string& folder) {
  if (!wanted.repository.empty()) return wanted.repository;
  if (const auto job = text_of(env, "GITHUB_REPOSITORY"); github::is_repository(job)) return job;
  if (auto name = repository_of_clone(folder); !name.empty()) return name;
  return fail(Fault::missing,
              "which repository on GitHub? Write github: { repository: OWNER/NAME }; neither "
              "GITHUB_REPOSITORY nor the clone's remote says it");
}

// Told each time: that is recorded, and fails nothing.
class Untold final : public notify::Notifier {
 public:
  explicit Untold(Error why) : why_(std::move(why)) {}
  Status announce(const notify::Announcement&, const std::string&) override { return why_; }

 private:
  Error why_;
};

// Of the services in the order of the file, frontends come last.
std::string page_of(const pipeline::EnvironmentSpec& env) {
  std::string page;
  for (const auto& placed : env.services) {
    if (!placed.domains.empty()) page = "https://" + placed.domains.front();
  }
  return page;
}

// As the protected branch has it: who may say what is approved is part of the policy.
Result<std::unique_ptr<github::Repository>> repository_of_policy(Desk& desk,
                                                                 const ConfigTexts& texts,
                                                                 Secrets& secrets) {
  TRY_LET(const auto policy, spec_of(texts.policy, "belay.yaml (policy)"));
  if (!policy.github)
    return fail(Fault::invalid, "approvals are by: github, and belay.yaml there has no github:");
  TRY_LET(auto trust, trust_of(desk.project.spec.tls, texts.folder, *desk.machine));
  // Whoever starts the program gives it its environment: that names no server whose word counts.
  auto env = desk.project.env;
  env.erase("GITHUB_API_URL");
  return repository_on_github(env, *policy.github, texts.folder, secrets, desk.world().clock,
                              desk.world().random, std::move(trust));
}

pipeline::Review evidence_of(const Workflow& workflow, const github::Review& review) {
  return {workflow.repository, workflow.run, workflow.attempt, review.user,
          review.login,        review.state, review.comment,   review.environments};
}

Json vote_of(const Workflow& workflow, const github::Review& review) {
  const bool reject = review.state == "rejected";
  const auto reason = std::string(trim(review.comment));
  return {{"decision", reject ? "reject" : "approve"},
          {"reason", !reject          ? ""
                     : reason.empty() ? "rejected on GitHub, without a word"
                                      : reason},
          {"evidence", pipeline::to_json(evidence_of(workflow, review))}};
}

bool is_gate(const Workflow& workflow, const std::vector<std::string>& environments) {
  const auto& gates = workflow.environments;
  return std::any_of(environments.begin(), environments.end(), [&](const auto& each) {
    return std::find(gates.begin(), gates.end(), each) != gates.end();
  });
}

// What waits is asked first: a review that is given in between is seen then. Rejections come first,
// else one could come too late to count.
Result<Json> read_reviews(github::Repository& repository, const Workflow& workflow,
                          std::stop_token stop) {
  TRY_LET(const auto waits, repository.waits_for(workflow.run, stop));
  TRY_LET(const auto reviews, repository.reviews(workflow.run, stop));
  Json votes = Json::array();
  for (const char* state : {"rejected", "approved"}) {
    for (const auto& each : reviews) {
      if (each.state == state && is_gate(workflow, each.environments))
        votes.push_back(vote_of(workflow, each));
    }
  }
  return Json{{"votes", std::move(votes)}, {"open", is_gate(workflow, waits)}};
}

// In an attempt after the first the former one's reviews would count again: GitHub keeps them all
// together, and says of none when it was given.
Status only_the_first(const github::WorkflowRun& run, std::int64_t attempt) {
  if (run.attempt != attempt || attempt != 1) {
    return fail(Fault::denied,
                fmt::format("this is attempt {} of workflow run {}: GitHub does not say for which "
                            "attempt a review was given, so nobody is taken to have approved this "
                            "one; start the workflow anew instead of running it again",
                            std::max<std::int64_t>(attempt, run.attempt), run.id));
  }
  if (run.actor == run.triggering_actor) return {};
  return fail(Fault::denied,
              fmt::format("workflow run {} was started by {} and triggered by {}: who asks is not "
                          "clear; start the workflow anew",
                          run.id, run.actor, run.triggering_actor));
}

Status take_workflow(Desk& desk, Plan& plan) {
  const auto& env = desk.project.env;
  const auto id = number_of(env, "GITHUB_RUN_ID");
  if (id == 0) return {};
  TRY_LET(const auto texts, config_of(plan));
  Secrets secrets(desk.project.spec.secrets, desk.project.folder, env);
  TRY_LET(const auto repository,
          repository_of_policy(desk, texts, secrets).in("approvals on GitHub"));
  TRY_LET(const auto run, repository->workflow_run(id, {}).in("approvals on GitHub"));
  TRY(only_the_first(run, number_of(env, "GITHUB_RUN_ATTEMPT")));
  const auto required = number_in(plan.first_of("approve")->args["rule"], "required").value_or(0);
  const bool back = plan.pipeline != "deploy";
  plan.facts["workflow"] = pipeline::to_json(
      Workflow{repository->name(), run.id, run.attempt, run.actor, run.created,
               pipeline::gate_environments(plan.environment, back, static_cast<int>(required))});
  plan.requester = {run.actor, ""};
  return {};
}

Result<std::function<Result<Json>(const Plan&, std::stop_token)>> reader(Desk& desk,
                                                                         const Plan& plan,
                                                                         const ConfigTexts& texts,
                                                                         Secrets& secrets) {
  const auto workflow = pipeline::workflow_of(plan);
  if (!workflow) {
    return fail(Fault::invalid,
                fmt::format("{} of {} is approved on GitHub (approvals.by is github): start its "
                            "workflow there; nobody could approve what is asked for here",
                            plan.pipeline, plan.environment));
  }
  TRY_LET(auto made, repository_of_policy(desk, texts, secrets).in("approvals on GitHub"));
  std::shared_ptr<github::Repository> repository = std::move(made);
  return std::function<Result<Json>(const Plan&, std::stop_token)>(
      [repository, workflow = *workflow](const Plan&, std::stop_token stop) {
        return read_reviews(*repository, workflow, std::move(stop));
      });
}

void add_followers(OnGithub& on, Desk& desk, const engine::Site& site, const ConfigTexts& texts,
                   Secrets& secrets, const net::Trust& trust) {
  auto made = repository_on_github(desk.project.env, *site.present.github, texts.folder, secrets,
                                   desk.world().clock, desk.world().random, trust);
  if (!made) {
    on.followers.push_back(std::make_unique<Untold>(std::move(made).error().in("GitHub")));
    return;
  }
  const Followed followed{std::move(made).value(), page_of(site.env()), job_page(desk.project.env),
                          site.mask};
  on.followers.push_back(make_deployment_follower(followed));
  const auto& releases = site.present.github->releases;
  if (std::find(releases.begin(), releases.end(), site.environment) != releases.end())
    on.followers.push_back(make_release_follower(followed));
  for (const auto& each : site.env().notify) {
    if (each.issue_labels)
      on.followers.push_back(make_issue_follower(followed, *each.issue_labels));
  }
}

}  // namespace

std::string repository_of_clone(const std::string& folder) {
  const auto source = source_of(folder);
  if (!source || *source == nullptr) return {};
  const auto url = (*source)->remote_url();
  return url ? github::repository_of(*url) : "";
}

Result<std::unique_ptr<github::Repository>> repository_on_github(const Getenv& env,
                                                                 const pipeline::Github& wanted,
                                                                 const std::string& folder,
                                                                 Secrets& secrets, Clock& clock,
                                                                 Random& random, net::Trust trust) {
  github::GithubConfig config;
  config.trust = std::move(trust);
  TRY_LET(config.repository, name_of(wanted, env, folder));
  TRY_LET(config.token, secrets.expand(*wanted.token).in("github.token"));
  const auto job = text_of(env, "GITHUB_API_URL");
  if (!wanted.endpoint.empty() || !job.empty())
    config.endpoint = wanted.endpoint.empty() ? job : wanted.endpoint;
  return github::make_github(std::move(config), clock, random);
}

std::string job_page(const Getenv& env) {
  const auto id = number_of(env, "GITHUB_RUN_ID");
  const auto server = text_of(env, "GITHUB_SERVER_URL"), name = text_of(env, "GITHUB_REPOSITORY");
  if (id == 0 || server.empty() || name.empty()) return {};
  return fmt::format("{}/{}/actions/runs/{}", server, name, id);
}

Result<std::unique_ptr<github::Repository>> repository_of_project(Desk& desk) {
  const auto& project = desk.project;
  if (!project.spec.github)
    return fail(Fault::invalid, "belay.yaml has no github:, where files of workflows could be");
  Secrets secrets(project.spec.secrets, project.folder, project.env, project.on_secret);
  TRY_LET(auto trust, trust_of(project.spec.tls, project.folder, *desk.machine));
  return repository_on_github(project.env, *project.spec.github, project.folder.string(), secrets,
                              desk.world().clock, desk.world().random, std::move(trust));
}

Result<OnGithub> on_github(Desk& desk, const Plan& plan, const engine::Site& site,
                           const ConfigTexts& texts, std::shared_ptr<Secrets> secrets) {
  OnGithub on;
  if (plan.steps.empty()) return on;
  if (pipeline::is_reviewed_on_github(plan)) {
    TRY_LET(on.reviews, reader(desk, plan, texts, *secrets));
  }
  if (site.present.github) {
    TRY_LET(const auto trust, trust_of(site.present.tls, texts.folder, *desk.machine));
    add_followers(on, desk, site, texts, *secrets, trust);
  }
  return on;
}

Status settle_gate(Desk& desk, Plan& plan) {
  if (pipeline::is_reviewed_on_github(plan)) TRY(take_workflow(desk, plan));
  return pipeline::can_be_passed(plan);
}

}  // namespace belay::app
