// SPDX-License-Identifier: Apache-2.0
#include "app/github_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "app/starting_parts.hpp"
#include "base/text.hpp"

namespace belay::app {

namespace {

constexpr int people_required = 2;

// Whole commits, as the tags of these versions name them.
constexpr const char* checkout =
    "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1";
constexpr const char* upload =
    "actions/upload-artifact@bbbca2ddaa5d8feaa63e36b76fdaad77386f024f # v7.0.0";

using Lines = std::vector<std::string>;

struct Names {  // of services, by where they go
  std::string backend, frontend;
};

bool is_frontend(const FoundService& service) {
  static const std::set<std::string> names{"frontend", "web", "client", "site", "ui", "www"};
  return !service.worker && names.contains(service.name);
}

// One at Vercel, everything else on Railway.
Names names_of(const Found& found) {
  Names names;
  for (const auto& service : found.services) {
    if (found.services.size() > 1 && is_frontend(service) && names.frontend.empty())
      names.frontend = service.name;
    else if (!service.worker && names.backend.empty())
      names.backend = service.name;
  }
  return names;
}

std::string upper_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

std::string service_lines(const Found& found, const std::string& environment) {
  const auto names = names_of(found);
  const auto end = "_" + upper_case(environment) + "}";
  std::string out;
  for (const auto& service : found.services) {
    out += "      " + service.name + ":\n";
    if (service.name == names.frontend) {
      out += "        target: vercel\n        project: ${VERCEL_PROJECT_ID" + end +
             "\n        team: ${VERCEL_ORG_ID}\n        token: ${VERCEL_TOKEN}\n        domains: "
             "[\"${FRONTEND_URL" +
             end + "\"]\n";
      continue;
    }
    out +=
        "        target: railway             # `service:` and `environment:` are called there as "
        "here\n        project: ${RAILWAY_PROJECT_ID" +
        end + "\n        token: ${RAILWAY_TOKEN}\n";
    if (service.name == names.backend) out += "        domains: [\"${BACKEND_URL" + end + "\"]\n";
  }
  return out;
}

std::string approvals_line(const std::string& environment) {
  if (environment != "production") return "    approvals: { required: 0 }\n";
  return fmt::format(
      "    approvals: {{ required: {}, by: github }}   # the reviewers of production and of its "
      "gates\n",
      people_required);
}

std::string environment_lines(const Found& found, const std::string& environment,
                              const std::string& tag) {
  std::string out = fmt::format("  {}:\n    tag: {}\n", environment, tag);
  if (environment == "production") out += "    branches: [main]\n";
  out += approvals_line(environment) + "    services:\n" + service_lines(found, environment);
  out += "    database:\n      uri: ${MONGODB_URI_" + upper_case(environment) + "}\n";
  if (const auto migrate = migrate_line(found); !migrate.empty()) out += "    " + migrate;
  if (environment == "staging") {
    out += fmt::format(
        "    vault:\n      store: s3:{}-backups/staging\n      s3: {{ key: "
        "\"${{AWS_ACCESS_KEY_ID}}\", secret: \"${{AWS_SECRET_ACCESS_KEY}}\", region: eu-central-1 "
        "}}\n      key: ${{BELAY_VAULT_KEY}}\n",
        found.project);
  }
  out += check_lines(found);
  out += "    watch: 60s\n    rollback: { auto: [checks], database: ask, budget: 15m }\n";
  return out;
}

std::string hosted_file(Found found, const std::string& repository, const std::string& people) {
  for (auto& service : found.services) {
    // A migration runs in a copy of the commit that nobody has built.
    if (!service.migrate.empty() && !service.build.empty())
      service.migrate = service.build + " && " + service.migrate;
  }
  found.user.clear();
  std::string out = first_lines(found);
  out += fmt::format(
      "# The bucket is yours: put its name and region here. The key of the vault is 32 random "
      "bytes,\n"
      "# as of `openssl rand -hex 32`; keep a copy of it away from GitHub and from the bucket.\n"
      "vault:\n"
      "  store: s3:{}-backups/production\n"
      "  s3:\n"
      "    key: ${{AWS_ACCESS_KEY_ID}}\n"
      "    secret: ${{AWS_SECRET_ACCESS_KEY}}\n"
      "    region: eu-central-1\n"
      "  key: ${{BELAY_VAULT_KEY}}\n",
      found.project);
  out +=
      "journal: store                  # in the project's vault: each job is another machine\n"
      "# Shows releases there, and who approved them.\n";
  out += repository.empty()
             ? "github: { token: \"${GITHUB_TOKEN}\" }   # with repository: OWNER/NAME, of whose "
               "reviews no job has a say\n"
             : "github: { repository: " + repository + ", token: \"${GITHUB_TOKEN}\" }\n";
  out +=
      "# Who may approve, by their logins on GitHub. Nothing ships to production before they stand "
      "here:\n";
  out += people.empty() ? "# people: { amina: { github: LOGIN }, leo: { github: LOGIN } }\n"
                        : "people: " + people + "\n";
  out += "environments:\n" + environment_lines(found, "production", "prod") +
         environment_lines(found, "staging", "staging");
  return out;
}

Lines with(const std::string& text) {
  auto lines = split(text, '\n');
  while (!lines.empty() && trim(lines.back()).empty()) lines.pop_back();
  return lines;
}

std::string secret(const std::string& name) {
  return name + ": ${{ secrets." + name + " }}";
}

// An address is no secret, and one that is kept as a secret is hidden from the environment's page.
std::string address(const std::string& name) {
  return name + ": ${{ vars." + name + " || secrets." + name + " }}";
}

Lines store_secrets() {
  return {secret("AWS_ACCESS_KEY_ID"), secret("AWS_SECRET_ACCESS_KEY"), secret("BELAY_VAULT_KEY")};
}

Lines secrets_of(const std::string& environment) {
  const auto end = "_" + upper_case(environment);
  auto lines = store_secrets();
  for (const auto& name :
       {"MONGODB_URI" + end, std::string("RAILWAY_TOKEN"), "RAILWAY_PROJECT_ID" + end,
        std::string("VERCEL_TOKEN"), std::string("VERCEL_ORG_ID"), "VERCEL_PROJECT_ID" + end})
    lines.push_back(secret(name));
  lines.push_back(address("BACKEND_URL" + end));
  lines.push_back(address("FRONTEND_URL" + end));
  lines.push_back(address("NEXT_PUBLIC_API_URL" + end));
  lines.push_back(secret("NEXT_PUBLIC_GOOGLE_MAPS_API_KEY"));
  lines.push_back("GITHUB_TOKEN: ${{ github.token }}");
  return lines;
}

// What people type goes into variables only: in a script it would be run.
Lines inputs_of(const std::string& job) {
  Lines lines{job == "deploy" ? "REF: ${{ inputs.tag || github.sha }}" : "TAG: ${{ inputs.tag }}"};
  if (job == "deploy") {
    lines.push_back("SKIP_TESTS: ${{ inputs.skip_tests }}");
    lines.push_back("SKIP_BACKUP: ${{ inputs.skip_backup }}");
  } else {
    lines.push_back("SKIP_DATABASE: ${{ inputs.skip_database }}");
  }
  lines.push_back("SKIP_HEALTH_CHECK: ${{ inputs.skip_health_check }}");
  lines.push_back("REASON: ${{ inputs.reason }}");
  return lines;
}

Lines options_of(const std::string& job) {
  Lines lines;
  const auto when = [&lines](const std::string& name, const std::string& option) {
    lines.push_back("if [ \"$" + name + "\" = true ]; then words+=(" + option + "); fi");
  };
  if (job == "deploy") {
    when("SKIP_TESTS", "--skip-tests");
    when("SKIP_BACKUP", "--skip-backup");
  } else {
    when("SKIP_DATABASE", "--code-only");
  }
  when("SKIP_HEALTH_CHECK", "--skip-checks");
  lines.push_back("if [ -n \"$REASON\" ]; then words+=(\"--reason=$REASON\"); fi");
  if (job == "rollback") lines.push_back("if [ -n \"$TAG\" ]; then words+=(\"$TAG\"); fi");
  return lines;
}

// One more person each: GitHub lets one of an environment's reviewers pass it.
Lines gates() {
  Lines lines;
  for (int gate = 2; gate <= people_required; ++gate) {
    const auto some = with(fmt::format(R"(gate-{0}:
  name: Approval {0} of {1}
  needs: plan
  runs-on: ubuntu-24.04
  timeout-minutes: 5
  environment: production-gate-{0}
  steps:
    - name: Passed
      env:
        RUN: ${{{{ needs.plan.outputs.run_id }}}}
      run: echo "Run $RUN has passed gate {0}.")",
                                       gate, people_required));
    lines.insert(lines.end(), some.begin(), some.end());
  }
  return lines;
}

std::string needs_gates() {
  std::string out;
  for (int gate = 2; gate <= people_required; ++gate) out += fmt::format(", gate-{}", gate);
  return out;
}

Lines permissions() {
  Lines lines{"contents: write          # the release's tag"};
  for (const char* line : {"actions: read            # who approved this run", "deployments: write",
                           "issues: write", "statuses: write"})
    lines.emplace_back(line);
  return lines;
}

struct Filling {
  std::set<std::string> words;               // of #if
  std::map<std::string, std::string> texts;  // @name@ within a line
  std::map<std::string, Lines> blocks;       // a line that is @name@ alone
};

std::string filled_line(std::string line, const Filling& filling) {
  for (const auto& [name, text] : filling.texts) {
    const auto mark = "@" + name + "@";
    for (auto at = line.find(mark); at != std::string::npos; at = line.find(mark, at + text.size()))
      line.replace(at, mark.size(), text);
  }
  return line + "\n";
}

std::string filled(const std::string& text, const Filling& filling) {
  std::string out;
  std::vector<bool> shown{true};
  for (const auto& line : with(text)) {
    if (line.starts_with("#if ")) {
      shown.push_back(shown.back() && filling.words.contains(line.substr(4)));
    } else if (line == "#end") {
      shown.pop_back();
    } else if (shown.back()) {
      const std::string word(trim(line));
      const auto block = word.size() > 2 && word.front() == '@' && word.back() == '@'
                             ? filling.blocks.find(word.substr(1, word.size() - 2))
                             : filling.blocks.end();
      if (block == filling.blocks.end()) {
        out += filled_line(line, filling);
        continue;
      }
      for (const auto& each : block->second) out += line.substr(0, line.find('@')) + each + "\n";
    }
  }
  return out;
}

std::string capital(std::string word) {
  word.front() = upper_case(word).front();
  return word;
}

std::string workflow(const Found& found, const std::string& environment, const std::string& job) {
  const auto names = names_of(found);
  const bool back = job == "rollback";
  Filling filling;
  filling.words = {environment, job};
  filling.texts = {
      {"environment", environment},
      {"Environment", capital(environment)},
      {"job", job},
      {"Job", capital(job)},
      {"place", environment == "production" && back ? "production-rollback" : environment},
      {"page", names.frontend.empty() ? names.backend : names.frontend},
      {"command", back ? "rollback" : "deploy \"--ref=$REF\""},
      {"days", back ? "90" : "30"},
      {"needs_gates", needs_gates()},
      {"checkout", checkout},
      {"upload", upload}};
  auto plan_secrets = store_secrets();
  if (environment == "production") plan_secrets.push_back("GITHUB_TOKEN: ${{ github.token }}");
  if (back) plan_secrets.push_back(secret("MONGODB_URI_PRODUCTION"));
  filling.blocks = {{"plan_secrets", plan_secrets},
                    {"secrets", secrets_of(environment)},
                    {"inputs", inputs_of(job)},
                    {"options", options_of(job)},
                    {"gates", gates()},
                    {"permissions", permissions()}};
  filling.blocks["backup"] = with(filled(github_template("backup.yml"), filling));
  return filled(github_template("workflow.yml"), filling);
}

}  // namespace

std::vector<WrittenFile> github_files(const Found& found, const std::string& repository,
                                      const std::string& people) {
  std::vector<WrittenFile> files{
      {"belay.yaml", hosted_file(found, repository, people)},
      {".github/actions/belay/action.yml", github_template("action.yml")}};
  for (const char* environment : {"production", "staging"}) {
    for (const char* job : {"deploy", "rollback"}) {
      files.push_back({fmt::format(".github/workflows/{}-{}.yml", environment, job),
                       workflow(found, environment, job)});
    }
  }
  return files;
}

}  // namespace belay::app
