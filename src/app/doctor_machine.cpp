// SPDX-License-Identifier: Apache-2.0
// Programs that Belay starts, the clone it ships from, and the secrets that it will need.
#include <fmt/format.h>
#include <unistd.h>

#include <set>

#include "app/doctor_parts.hpp"
#include "base/process.hpp"
#include "base/text.hpp"
#include "source/source.hpp"

namespace belay::app {

namespace {

struct Tool {
  const char* program;
  const char* package;
  const char* what_for;
};

bool any_host_service(const pipeline::Spec& spec) {
  for (const auto& env : spec.environments) {
    for (const auto& placed : env.services) {
      if (placed.target == pipeline::Placement::Target::host) return true;
    }
  }
  return false;
}

bool anybody_approves(const pipeline::Spec& spec) {
  return std::any_of(spec.environments.begin(), spec.environments.end(), [](const auto& env) {
    return env.approvals.required > 0 ||
           (env.rollback.approvals && env.rollback.approvals->required > 0);
  });
}

std::vector<Tool> tools_for(const pipeline::Spec* spec) {
  std::vector<Tool> tools;
  if (spec == nullptr || !spec->services.empty()) {
    tools.push_back({"git", "git", "releases are commits"});
    tools.push_back({"tar", "tar", "a release is a fresh copy of its commit"});
  }
  if (spec == nullptr || anybody_approves(*spec))
    tools.push_back({"ssh-keygen", "openssh-client", "approvals are SSH signatures"});
  if (spec == nullptr || any_host_service(*spec)) {
    tools.push_back({"runsv", "runit", "keeps services running"});
    tools.push_back({"svlogd", "runit", "rotates their logs"});
    tools.push_back({"chpst", "runit", "starts them as their user"});
    tools.push_back({"haproxy", "haproxy", "moves customers' requests"});
  }
  return tools;
}

// Where a secret is used, by its name.
using Uses = std::map<std::string, std::string>;

void add_uses(Uses& uses, const std::vector<std::string>& names, const std::string& where) {
  for (const auto& name : names) {
    if (!name.starts_with("service.")) uses.emplace(name, where);
  }
}

void add_env(Uses& uses, const std::map<std::string, pipeline::Template>& env,
             const std::string& where) {
  for (const auto& [name, text] : env) add_uses(uses, text.names(), where + ".env." + name);
}

void add_checks(Uses& uses, const std::vector<pipeline::Check>& checks) {
  for (const auto& check : checks) {
    add_uses(uses, pipeline::Template{check.send_body}.names(), "the check " + check.name);
    for (const auto& [name, value] : check.send_headers)
      add_uses(uses, pipeline::Template{value}.names(), "the check " + check.name);
  }
}

void add_vault(Uses& uses, const pipeline::Vault& vault) {
  const auto add = [&uses](const std::optional<pipeline::Template>& text, const char* where) {
    if (text) add_uses(uses, text->names(), where);
  };
  add(vault.key, "vault.key");
  if (vault.s3) {
    add(vault.s3->key, "vault.s3.key");
    add(vault.s3->secret, "vault.s3.secret");
    add(vault.s3->session, "vault.s3.session");
  }
  if (vault.azblob) {
    add(vault.azblob->key, "vault.azblob.key");
    add(vault.azblob->sas, "vault.azblob.sas");
  }
}

Uses uses_of(const Project& project, const std::string& environment) {
  Uses uses;
  const auto& env = *project.spec.environment(environment);
  if (const auto* database = database_of(project.spec, environment)) {
    add_uses(uses, database->uri.names(), "database.uri");
    if (database->migrate && database->migrate->uri)
      add_uses(uses, database->migrate->uri->names(), "database.migrate.uri");
    add_vault(uses, vault_of(project.spec, environment));
  }
  for (const auto& placed : env.services) {
    add_env(uses, placed.env, environment + "." + placed.service);
    for (const auto& token : {placed.token, placed.account_token}) {
      if (token) add_uses(uses, token->names(), placed.service + ".token");
    }
    if (const auto* service = project.spec.service(placed.service))
      add_env(uses, service->env, placed.service);
  }
  add_checks(uses, env.checks);
  return uses;
}

}  // namespace

void examine_tools(const pipeline::Spec* spec, Findings& out) {
  std::vector<std::string> there;
  for (const auto& tool : tools_for(spec)) {
    if (find_program(tool.program))
      there.push_back(tool.program);
    else
      out.bad("tools", fmt::format("{} is not installed: {}", tool.program, tool.what_for),
              fmt::format("apt-get install {}", tool.package));
  }
  if (!there.empty()) out.good("tools", join(there, ", "));
}

void examine_source(const Project& project, Findings& out) {
  auto source = source::make_git(project.folder);
  if (!source) {
    out.bad("source", source.error().message(), "git init, and commit what shall be shipped");
    return;
  }
  auto head = (*source)->resolve("HEAD");
  if (!head) {
    out.bad("source", "the repository has no commit", "git add -A, then: git commit");
    return;
  }
  auto branch = (*source)->current_branch();
  const bool on_branch = branch && branch->has_value();
  out.good("source",
           fmt::format("{} on {}", head->id.substr(0, 7), on_branch ? **branch : "no branch"));
  auto dirty = (*source)->uncommitted();
  const auto file = project.file.filename().string();
  const bool ours = dirty && std::any_of(dirty->begin(), dirty->end(), [&](const auto& path) {
                      return Path(path).filename() == file;
                    });
  if (ours) out.warn("source", file + " has changes that are not committed", "commit them");
  auto remote = (*source)->has_remote();
  auto ruling = (*source)->protected_head();
  if (!remote || !ruling)
    out.warn("source", (remote ? ruling.error() : remote.error()).message(), "git fetch");
  else if (!*remote)
    out.warn("source", "there is no remote: whoever can edit the file here makes the rules",
             "git remote add origin URL, push, and protect the branch there; until then a weaker "
             "rule needs approval under the former one");
  else if (!*ruling)
    out.warn("source", "which branch is protected is not known here",
             "git fetch origin && git remote set-head origin --auto");
  else
    out.good("source", "rules come from the protected branch at " + (*ruling)->id.substr(0, 7));
}

void examine_secrets(const Project& project, const std::string& environment, Secrets& secrets,
                     bool agent, Findings& out) {
  const std::string about = environment + ": secrets";
  std::vector<std::string> good, only_here;
  Secrets for_agent(project.spec.secrets, project.folder, {});
  for (const auto& [name, where] : uses_of(project, environment)) {
    auto secret = secrets.resolve(name);
    if (!secret) {
      out.bad(about, fmt::format("{} (for {}): {}", name, where, secret.error().message()),
              "set it, or write `secrets: { file: FILE }` with mode 600");
      continue;
    }
    good.push_back(name);
    if (secret->reveal().size() < 4)
      out.warn(about, name + " is shorter than 4 characters: it cannot be hidden in outputs",
               "use a longer one");
    if (agent && !for_agent.resolve(name)) only_here.push_back(name);
  }
  if (!good.empty()) out.good(about, join(good, ", "));
  if (!only_here.empty())
    out.warn(about, "the agent does not have " + join(only_here, ", "),
             "write `secrets: { file: FILE }` or `secrets: { command: ... }` in belay.yaml: the "
             "agent has no other source");
}

}  // namespace belay::app
