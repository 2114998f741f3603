// SPDX-License-Identifier: Apache-2.0
// The people, the windows and the services of one environment; and what environments share.
#include <fmt/format.h>
#include <unistd.h>

#include <set>

#include "app/doctor_parts.hpp"
#include "app/store.hpp"
#include "app/wire.hpp"
#include "base/accounts.hpp"
#include "base/listeners.hpp"
#include "base/ssh_signature.hpp"
#include "base/text.hpp"
#include "pipeline/freeze.hpp"
#include "pipeline/policy.hpp"
#include "pipeline/spec_parts.hpp"

namespace belay::app {

using pipeline::EnvironmentSpec;
using pipeline::Placement;
using pipeline::Spec;

namespace {

// "ssh-ed25519 AAAA... amina@laptop" -> "ed25519"
std::string kind_of_key(const std::string& key) {
  auto kind = key.substr(0, key.find(' '));
  if (kind.starts_with("ssh-")) kind = kind.substr(4);
  if (const auto at = kind.find('@'); at != std::string::npos) kind = kind.substr(0, at);
  return kind;
}

// Reviewers who could really sign, and what is wrong with the others.
std::vector<std::string> able(const pipeline::ApprovalRule& rule, const std::string& about,
                              Findings& out) {
  std::vector<std::string> names;
  std::map<std::string, std::string> owner;
  for (const auto& person : rule.reviewers) {
    if (rule.by == pipeline::Evidence::github) {
      names.push_back(fmt::format("{} ({} on GitHub)", person.name, person.github));
      continue;
    }
    std::set<std::string> kinds;
    for (const auto& key : person.keys) {
      auto print = ssh::fingerprint(key);
      if (!print) {
        out.bad(about, fmt::format("a key of {}: {}", person.name, print.error().message()),
                "put the one line of their .pub file under people." + person.name);
        continue;
      }
      const auto [first, fresh] = owner.emplace(*print, person.name);
      if (!fresh && first->second != person.name)
        out.bad(about, fmt::format("{} and {} have the same key", first->second, person.name),
                "one key belongs to one person");
      kinds.insert(kind_of_key(key));
    }
    if (kinds.empty())
      out.warn(about, person.name + " has no key and cannot approve",
               "add the public key under people." + person.name);
    else
      names.push_back(
          fmt::format("{} ({})", person.name, join({kinds.begin(), kinds.end()}, ", ")));
  }
  return names;
}

void examine_rule(const pipeline::ApprovalRule& rule, const std::string& about, Findings& out) {
  const auto people = able(rule, about, out);
  const auto count = static_cast<int>(people.size());
  const auto text = fmt::format("{} of {}", rule.required, join(people, ", "));
  if (rule.required == 0)
    out.good(about, "none needed");
  else if (count < rule.required)
    out.bad(about, fmt::format("{} needed, but {} could approve", rule.required, count),
            "add reviewers with their keys or accounts, or ask for fewer");
  else if (count == rule.required && !rule.self_approval)
    out.warn(about, text + ": when one of them asks for a deploy, nobody is left to replace them",
             "add a reviewer");
  else
    out.good(about, text);
}

// The proxy of this environment answers for the service: the address is ours.
bool ours(Works* works, const std::string& service) {
  return works != nullptr && works->site.traffic != nullptr &&
         works->site.traffic->look(service).ok();
}

void examine_address(const Placement& placed, Works* works, const std::string& about,
                     Findings& out) {
  const auto address = pipeline::parse_listen(placed.listen);
  if (!address) return;  // a complaint about belay.yaml
  if (ours(works, placed.service)) {
    out.good(about, placed.listen + " is ours");
    return;
  }
  auto free = can_listen(address->host, static_cast<std::uint16_t>(address->port));
  if (free)
    out.good(about, placed.listen + " is free");
  else
    out.bad(about, fmt::format("{}: {}", placed.listen, free.error().message()),
            free.error().fault == Fault::denied ? "ports below 1024 need root; use one from 1024"
                                                : "end what holds it, or write another `listen:`");
}

void examine_nobody(const std::string& service, const std::string& about, Findings& out) {
  const auto us = fmt::format("services.{}.user: ", service);
  if (::geteuid() == 0)
    out.bad(about, "no `user:` is written, and Belay is root: it is not deployed",
            us + "NAME, an account that may do little; `root` if it really must be root");
  else
    out.good(about, "runs as you");
}

// `own` is ours, and opened for the user when he needs it.
void examine_user(const std::string& user, const Path& own, const std::string& about,
                  Findings& out) {
  const auto account = find_account(user);
  if (!account)
    out.bad(about, "there is no user " + user, "adduser --system --group " + user);
  else if (!account->ours() && ::geteuid() != 0)
    out.bad(about, fmt::format("is to run as {}, and only root can do that", user),
            "run Belay as root, or leave `user:` out: then it runs as you");
  else if (const auto closed = account->ours() ? std::nullopt : closed_above(own))
    out.bad(about, fmt::format("{} cannot pass through {}", user, closed->string()),
            fmt::format("chmod o+x {}, or write `state:` with another folder", closed->string()));
  else
    out.good(about, "runs as " + user);
}

void examine_certificate(const Placement& placed, const std::string& about, Findings& out) {
  if (placed.certificate.empty()) return;
  auto text = read_file(placed.certificate, 1 << 20);
  if (!text)
    out.bad(about, text.error().message(), "put the PEM file there");
  else if (text->find("PRIVATE KEY-----") == std::string::npos ||
           text->find("BEGIN CERTIFICATE-----") == std::string::npos)
    out.bad(about, placed.certificate + " does not hold both a certificate and its private key",
            "cat fullchain.pem privkey.pem > " + placed.certificate);
  else
    out.good(about, "certificate and key in " + placed.certificate);
}

void examine_command(const Placement& placed, const std::string& about, Findings& out) {
  const std::pair<const char*, const std::string*> orders[] = {
      {"activate", &placed.activate}, {"status", &placed.status}, {"rollback", &placed.rollback}};
  for (const auto& [name, text] : orders) {
    if (text->empty())
      out.warn(about, fmt::format("has no `{}` command", name),
               fmt::format("write one: without it Belay cannot tell or take back what it did"));
  }
}

// The token, the project and what is named there are right: only asking tells.
void examine_hosted(const Placement& placed, const Result<std::unique_ptr<Works>>& works,
                    const std::string& about, Findings& out) {
  const std::string platform = placed.target == Placement::Target::vercel ? "Vercel" : "Railway";
  if (!works) {
    out.bad(about, works.error().message(), "give it where `secrets:` says, or in the environment");
    return;
  }
  auto status = (*works)->site.target(placed.service).status({placed.service, "doctor"});
  if (!status) {
    out.bad(
        about, status.error().message(),
        "look at what belay.yaml names there, and at the token: it must be one of that project");
    return;
  }
  if (placed.target == Placement::Target::railway && !placed.hold &&
      database_of((*works)->site.present, (*works)->site.environment) != nullptr)
    out.warn(about, "nothing holds it back from writing while data goes back",
             "hold: { stop: true }, or a variable of its own: docs/guide/railway.md");
  // With the names that are given from outside.
  const auto& filled = *(*works)->site.placement(placed.service);
  out.good(about,
           fmt::format("{} answers for {}", platform, filled.project) +
               (filled.domains.empty() ? "" : "; customers are at " + filled.domains.front()));
}

std::string written_vault(const Project& project, const EnvironmentSpec& env) {
  return store_text(env.vault ? *env.vault : project.spec.vault, project.places, project.folder);
}

// Text of the URI and, when it can be resolved, its value: kept here only to compare.
struct UsedDatabase {
  std::string environment, value;
  bool written;  // the environment says it itself
};

void compare(const UsedDatabase& a, const UsedDatabase& b, Findings& out) {
  if (a.value != b.value) return;
  out.warn("environments",
           fmt::format("{} and {} share a database: a rewind of one takes the other's data back",
                       a.environment, b.environment),
           fmt::format("environments.{}.database: {{ uri: ... }}", b.environment));
}

}  // namespace

void examine_reviewers(const Spec& spec, const EnvironmentSpec& env, Findings& out) {
  const auto policy = pipeline::policy_of(spec, env);
  examine_rule(policy.approvals, env.name + ": approvals", out);
  if (!(policy.rollback == policy.approvals))
    examine_rule(policy.rollback, env.name + ": approvals of a rollback", out);
}

void examine_freeze(const EnvironmentSpec& env, TimePoint now, Findings& out) {
  if (env.freeze.empty()) return;
  const std::string about = env.name + ": freeze";
  bool sound = true;
  for (const auto& window : env.freeze) {
    for (const auto& defect : pipeline::defects(window)) {
      sound = false;
      out.bad(about, defect.text, "apt-get install tzdata, or mend the window");
    }
  }
  if (!sound) return;
  if (const auto hit = pipeline::in_freeze(env.freeze, now))
    out.warn(about, "now frozen until " + to_text(hit->until), "deploys wait; rollbacks do not");
  else
    out.good(about, fmt::format("{} windows, their time zones are known", env.freeze.size()));
}

void examine_services(Desk& desk, const EnvironmentSpec& env, Findings& out) {
  auto works = wire_present(desk, env.name, {false, true, false});
  for (const auto& placed : env.services) {
    const std::string about = env.name + ": " + placed.service;
    if (placed.target == Placement::Target::command) {
      examine_command(placed, about, out);
      continue;
    }
    if (is_hosted(placed)) {
      examine_hosted(placed, works, about, out);
      continue;
    }
    const auto user = user_of(desk.project.spec, placed);
    if (user.empty())
      examine_nobody(placed.service, about, out);
    else
      examine_user(user, desk.project.places.state, about, out);
    examine_certificate(placed, about, out);
    if (!placed.listen.empty()) examine_address(placed, works ? works->get() : nullptr, about, out);
  }
}

void examine_sharing(const Project& project, Secrets& secrets, Findings& out) {
  const auto& all = project.spec.environments;
  std::vector<UsedDatabase> used;
  for (const auto& env : all) {
    const auto* database = database_of(project.spec, env.name);
    if (database == nullptr) continue;
    auto uri = secrets.expand(database->uri);
    used.push_back({env.name, uri ? uri->reveal() : database->uri.text, env.database.has_value()});
  }
  for (std::size_t i = 0; i < used.size(); ++i) {
    for (std::size_t j = i + 1; j < used.size(); ++j) {
      if (!used[i].written || !used[j].written) compare(used[i], used[j], out);
    }
  }
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = i + 1; j < all.size(); ++j) {
      const bool written = all[i].vault && all[j].vault;
      if (written || written_vault(project, all[i]) != written_vault(project, all[j])) continue;
      if (database_of(project.spec, all[i].name) == nullptr ||
          database_of(project.spec, all[j].name) == nullptr)
        continue;
      out.warn("environments",
               fmt::format("{} and {} share a vault: who may read one's restore points may read "
                           "the other's",
                           all[i].name, all[j].name),
               fmt::format("environments.{}.vault: {{ store: file:FOLDER }}", all[j].name));
    }
  }
}

}  // namespace belay::app
