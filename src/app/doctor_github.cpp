// SPDX-License-Identifier: Apache-2.0
// The repository on GitHub, and the environments that hold a workflow's jobs until people have
// reviewed them.
#include <fmt/format.h>

#include "app/doctor_parts.hpp"
#include "app/on_github.hpp"
#include "app/trust.hpp"
#include "base/lower_case.hpp"
#include "base/text.hpp"
#include "pipeline/policy.hpp"

namespace belay::app {

using github::BranchRule;
using github::EnvironmentRules;
using pipeline::ApprovalRule;
using pipeline::EnvironmentSpec;

namespace {

constexpr std::size_t most_reviewers = 6;  // of an environment there

struct HoldingPlace {
  std::string name, about;
  ApprovalRule rule = {};
  int wait_minutes = 0;
  BranchRule branches = {};
  bool holds_secrets = false;
};

bool asks_there(const ApprovalRule& rule) {
  return rule.by == pipeline::Evidence::github && rule.required > 0;
}

// A deploy's own environment, a rollback's, and a gate for each further person.
std::vector<HoldingPlace> wanted_of(const pipeline::Policy& policy, const EnvironmentSpec& env) {
  std::vector<HoldingPlace> all;
  const auto minutes = std::chrono::ceil<std::chrono::minutes>(policy.approvals.wait).count();
  const BranchRule branches =
      env.branches.empty() ? BranchRule{} : BranchRule{BranchRule::Kind::patterns, env.branches};
  if (asks_there(policy.approvals))
    all.push_back({env.name, "", policy.approvals, static_cast<int>(minutes), branches, true});
  if (asks_there(policy.rollback))
    all.push_back({env.name + "-rollback", "", policy.rollback, 0, {}, true});
  int gates = 1;
  for (const auto* rule : {&policy.approvals, &policy.rollback}) {
    if (asks_there(*rule)) gates = std::max(gates, rule->required);
  }
  const auto* widest = asks_there(policy.approvals) ? &policy.approvals : &policy.rollback;
  for (const auto& name : pipeline::gate_environments(env.name, false, gates)) {
    if (name != env.name) all.push_back({name, "", *widest, 0, {}, false});
  }
  return all;
}

std::vector<std::string> logins_of(const ApprovalRule& rule) {
  std::vector<std::string> logins;
  for (const auto& person : rule.reviewers) {
    if (!person.github.empty() && logins.size() < most_reviewers) logins.push_back(person.github);
  }
  return logins;
}

bool among(const std::vector<std::string>& logins, const std::string& login) {
  return std::any_of(logins.begin(), logins.end(),
                     [&](const auto& each) { return lower_case(each) == lower_case(login); });
}

std::string text_of(const BranchRule& rule) {
  switch (rule.kind) {
    case BranchRule::Kind::any: return "every branch";
    case BranchRule::Kind::protected_ones: return "protected branches";
    case BranchRule::Kind::patterns: break;
  }
  return join(rule.patterns, ", ");
}

std::string text_of(const HoldingPlace& wanted) {
  return fmt::format(
      "reviewers {}; {}; {}", join(logins_of(wanted.rule), ", "),
      wanted.wait_minutes == 0 ? "no wait" : fmt::format("wait {} min", wanted.wait_minutes),
      text_of(wanted.branches));
}

void compare_reviewers(const EnvironmentRules& now, const HoldingPlace& wanted,
                       std::vector<std::string>& other) {
  const auto logins = logins_of(wanted.rule);
  if (now.reviewers.empty() && now.teams == 0) {
    other.emplace_back("nobody has to review a job there");
    return;
  }
  if (now.teams > 0)
    other.emplace_back("teams may review there, whose people Belay does not count");
  std::vector<std::string> there;
  for (const auto& each : now.reviewers) {
    there.push_back(each.login);
    if (!among(logins, each.login))
      other.push_back(fmt::format("{} may review there and is no reviewer here", each.login));
  }
  for (const auto& login : logins) {
    if (!among(there, login)) other.push_back(fmt::format("{} may not review there", login));
  }
}

std::vector<std::string> differences(const EnvironmentRules& now, const HoldingPlace& wanted) {
  std::vector<std::string> other;
  compare_reviewers(now, wanted, other);
  if (now.prevent_self_review == wanted.rule.self_approval)
    other.emplace_back(wanted.rule.self_approval
                           ? "who starts the workflow may not review, here he may"
                           : "who starts the workflow may review there");
  if (now.wait_minutes != wanted.wait_minutes)
    other.push_back(
        fmt::format("it waits {} min, and should {} min", now.wait_minutes, wanted.wait_minutes));
  auto sorted = [](BranchRule rule) {
    std::sort(rule.patterns.begin(), rule.patterns.end());
    return rule;
  };
  if (sorted(now.branches) != sorted(wanted.branches))
    other.push_back(fmt::format("it takes {}, and should take {}", text_of(now.branches),
                                text_of(wanted.branches)));
  return other;
}

Result<std::string> set(github::Repository& repository, const HoldingPlace& wanted) {
  EnvironmentRules rules;
  for (const auto& login : logins_of(wanted.rule)) {
    TRY_LET(const auto account, repository.account(login, {}));
    if (!account) return fail(Fault::missing, "GitHub has no account " + login);
    rules.reviewers.push_back(*account);
  }
  rules.prevent_self_review = !wanted.rule.self_approval;
  rules.wait_minutes = wanted.wait_minutes;
  rules.branches = wanted.branches;
  TRY(repository.set_environment(wanted.name, rules, {}));
  return fmt::format("environment {} of {}: {}", wanted.name, repository.name(), text_of(wanted));
}

// A mend is applied when the examination is over.
struct Own {
  SystemClock clock;
  SystemRandom random;
  std::unique_ptr<github::Repository> repository;
};
using Shared = std::shared_ptr<github::Repository>;

void examine_one(const Shared& repository, const HoldingPlace& wanted, Findings& out) {
  const auto& about = wanted.about;
  const auto now = repository->environment(wanted.name, {});
  if (!now) {
    out.bad(about, now.error().message(), "mend what it says");
    return;
  }
  const auto other =
      *now ? differences(**now, wanted) : std::vector<std::string>{"there is no such environment"};
  if (other.empty()) {
    out.good(about, text_of(wanted));
    return;
  }
  auto& finding = out.bad(about, join(other, "; "), "belay doctor --fix sets: " + text_of(wanted));
  finding.mend = {fmt::format("Set environment {} of {} on GitHub: {}?", wanted.name,
                              repository->name(), text_of(wanted)),
                  [repository, wanted] { return set(*repository, wanted); }};
}

// Names only: GitHub tells no value.
void examine_their_secrets(const Shared& repository, const std::vector<HoldingPlace>& all,
                           Findings& out) {
  std::vector<std::string> of_deploys;
  for (const auto& wanted : all) {
    const auto names = repository->secrets(wanted.name, {});
    if (!names) continue;  // its environment's finding says why
    const auto about = wanted.about + ", secrets";
    if (!wanted.holds_secrets) {
      if (!names->empty())
        out.bad(about,
                "a gate needs none, and one person's review hands them out: " + join(*names, ", "),
                "remove them there");
      continue;
    }
    std::vector<std::string> missing;
    for (const auto& name : of_deploys) {
      if (std::find(names->begin(), names->end(), name) == names->end()) missing.push_back(name);
    }
    if (of_deploys.empty()) of_deploys = *names;
    if (!missing.empty())
      out.bad(about, "a rollback would lack " + join(missing, ", "), "give them there as well");
  }
}

}  // namespace

void examine_github(Desk& desk, const EnvironmentSpec& env, Secrets& secrets, Findings& out) {
  const auto& spec = desk.project.spec;
  if (!spec.github) return;
  const auto machine = std::make_shared<Own>();
  auto trust = trust_of(spec.tls, desk.project.folder, *desk.machine);
  if (!trust) return;  // told with `tls`
  auto made = repository_on_github(desk.project.env, *spec.github, desk.project.folder.string(),
                                   secrets, machine->clock, machine->random, std::move(*trust));
  if (!made) {
    out.bad(env.name + ": GitHub", made.error().message(),
            "without it GitHub shows nothing, and nobody can approve there");
    return;
  }
  machine->repository = std::move(made).value();
  const Shared repository(machine, machine->repository.get());
  const auto policy = pipeline::policy_of(spec, env);
  auto all = wanted_of(policy, env);
  for (auto& wanted : all) wanted.about = fmt::format("{}: GitHub {}", env.name, wanted.name);
  const auto about = env.name + ": GitHub";
  if (all.empty()) {
    const auto asked = repository->environment(env.name, {});
    if (asked)
      out.good(about, repository->name() + " answers");
    else
      out.bad(about, asked.error().message(), "look at github: in belay.yaml, and at its token");
    return;
  }
  if (spec.github->repository.empty())
    out.warn(about,
             "belay.yaml does not say whose reviews count: whoever starts a job says which "
             "repository is asked",
             "github: { repository: " + repository->name() + " }");
  for (const auto& wanted : all) examine_one(repository, wanted, out);
  examine_their_secrets(repository, all, out);
}

}  // namespace belay::app
