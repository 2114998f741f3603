// SPDX-License-Identifier: Apache-2.0
// environments: where services run, by whose leave, how traffic moves, how to come back.
#include <fmt/format.h>

#include <charconv>

#include "base/text.hpp"
#include "pipeline/freeze.hpp"
#include "pipeline/spec_parts.hpp"

namespace belay::pipeline {

namespace {

void read_tag(const Field& field, std::string& tag) {
  std::string text;
  field.text(text);
  if (text.empty()) return;
  const bool good =
      text.front() >= 'a' && text.front() <= 'z' && text.size() <= 40 &&
      text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") == std::string::npos;
  if (!good) {
    return field.complain(
        fmt::format("expected small letters and digits, beginning with a letter, as "
                    "in: tag: prod; found \"{}\"",
                    text.substr(0, 60)));
  }
  tag = text;
}

void read_freeze(const Field& field, std::vector<Freeze>& freeze) {
  for (const auto& each : field.items()) {
    Keys keys(each);
    Freeze window;
    const std::map<std::string, Field> members{
        {"from", keys.required("from", "as in: from: Fri 16:00")},
        {"to", keys.required("to", "as in: to: Mon 08:00")},
        {"zone", keys.required("zone", "as in: zone: Europe/Paris")}};
    members.at("from").text(window.from);
    members.at("to").text(window.to);
    members.at("zone").text(window.zone);
    keys.finish();
    for (const auto& defect : defects(window)) {
      const auto& member = members.at(defect.member);
      if (member && member.is(YamlValue::Kind::scalar)) member.complain(defect.text);
    }
    freeze.push_back(std::move(window));
  }
}

void read_listen(const Field& field, std::string& listen) {
  std::string text;
  field.text(text);
  if (text.empty()) return;
  if (!parse_listen(text)) {
    return field.complain(fmt::format(
        "expected HOST:PORT or :PORT, as in 127.0.0.1:8080 or :443; found \"{}\"", text));
  }
  listen = text;
}

// Those of a platform may come from where its token comes from, as whole addresses too.
void read_hosted_domains(const Field& field, std::vector<std::string>& domains) {
  if (!field.is(YamlValue::Kind::list)) {
    if (field) field.reference(domains.emplace_back());
    return;
  }
  for (const auto& each : field.items()) {
    std::string domain;
    each.reference(domain);
    if (!domain.empty()) domains.push_back(std::move(domain));
  }
}

void read_host(Keys& keys, Placement& place) {
  read_listen(keys["listen"], place.listen);
  const auto domains = keys["domains"];
  if (is_hosted(place))
    read_hosted_domains(domains, place.domains);
  else
    domains.texts(place.domains);
  keys["certificate"].text(place.certificate);
  keys["user"].text(place.user);
}

void read_commands(Keys& keys, Placement& place) {
  keys["prepare"].command(place.prepare);
  keys["activate"].command(place.activate);
  keys["status"].command(place.status);
  keys["rollback"].command(place.rollback);
  keys["limit"].duration(place.limit, std::chrono::seconds(1));
}

// { stop: true } | { variable: MAINTENANCE, on: "1", off: "0" }
void read_platform_hold(const Field& field, std::optional<PlatformHold>& hold) {
  if (!field) return;
  hold.emplace();
  Keys keys(field);
  keys["stop"].flag(hold->stop);
  keys["variable"].name(hold->variable);
  keys["on"].text(hold->on);
  keys["off"].text(hold->off);
  keys.finish();
  if (!keys.readable() || hold->stop == !hold->variable.empty()) {
    return field.complain(
        "expected stop: true (the service is stopped while data goes back), or variable: NAME (the "
        "application's own, which keeps it from writing)");
  }
  if (hold->stop) {
    for (const auto* key : {"on", "off"}) {
      if (keys.has(key)) field.complain(fmt::format("{}: belongs to variable: NAME", key));
    }
  } else if (hold->on == hold->off) {
    field.complain("on and off are the same value");
  }
}

void read_hosted(Keys& keys, Placement& place) {
  keys["project"].reference(place.project);
  keys["team"].reference(place.team);
  keys["service"].reference(place.their_service);
  keys["environment"].reference(place.their_environment);
  keys["endpoint"].text(place.endpoint);
  place.upload = keys["source"].choice({"commit", "upload"}) == 1;
  read_named_secret(keys["token"], place.token);
  read_named_secret(keys["account_token"], place.account_token);
  read_named_secret(keys["bypass"], place.bypass);
  read_platform_hold(keys["hold"], place.hold);
}

using Target = Placement::Target;

constexpr const char* name_of(Target target) {
  switch (target) {
    case Target::host: return "host";
    case Target::command: return "command";
    case Target::vercel: return "vercel";
    case Target::railway: return "railway";
  }
  return "";
}

// Whose each key is; what is not here, all have.
const std::map<std::string, std::vector<Target>> keys_of_targets{
    {"listen", {Target::host}},
    {"certificate", {Target::host}},
    {"user", {Target::host}},
    {"domains", {Target::host, Target::vercel, Target::railway}},
    {"prepare", {Target::command}},
    {"activate", {Target::command}},
    {"status", {Target::command}},
    {"rollback", {Target::command}},
    {"limit", {Target::command, Target::vercel, Target::railway}},
    {"project", {Target::vercel, Target::railway}},
    {"token", {Target::vercel, Target::railway}},
    {"endpoint", {Target::vercel, Target::railway}},
    {"team", {Target::vercel}},
    {"service", {Target::railway}},
    {"environment", {Target::railway}},
    {"account_token", {Target::railway}},
    {"source", {Target::railway}},
    {"bypass", {Target::vercel}},
    {"hold", {Target::railway}}};

void refuse_other_target(const Field& field, const Keys& keys, const Placement& place) {
  const auto target = place.target;
  const auto say = [&](const std::string& key, std::string text) {
    field.complaints->at_key(fmt::format("{}.{}", field.key, key), std::move(text));
  };
  for (const auto& [key, targets] : keys_of_targets) {
    const bool ours = std::find(targets.begin(), targets.end(), target) != targets.end();
    if (ours || !keys.has(key)) continue;
    say(key, fmt::format("belongs to target: {}; this one is {}", name_of(targets.front()),
                         name_of(target)));
  }
  const auto need = [&](const char* key, const char* hint) {
    if (!keys.has(key)) say(key, fmt::format("missing; {}", hint));
  };
  if (target == Target::command) need("activate", "the program that makes a release live");
  if (target == Target::vercel) {
    need("project", "its id or name at Vercel, as in: project: prj_...");
    need("token", "as in: token: ${VERCEL_TOKEN}");
    if (place.domains.empty())
      say("domains", "missing; where customers are, as in: domains: [shop.example.org]");
  }
  if (target == Target::railway) {
    need("project", "its id at Railway, as in: project: 6b2f...");
    if (keys.has("token") == keys.has("account_token"))
      say("token", "expected one of token: ${NAME} (the project's) and account_token: ${NAME}");
  }
}

void read_placement(const Field& field, Placement& place) {
  Keys keys(field);
  const int target = keys["target"].choice({"host", "command", "vercel", "railway"});
  // What belongs to another target is not worth a second complaint.
  if (target < 0 && keys.has("target")) return;
  if (target > 0) place.target = static_cast<Target>(target);
  if (is_hosted(place)) place.limit = std::chrono::minutes(45);
  read_host(keys, place);
  read_env(keys["env"], place.env);
  if (const auto file = keys["env_file"]) file.relative_path(place.env_file.emplace());
  read_commands(keys, place);
  read_hosted(keys, place);
  for (const auto* word : {"port", "bind", "address"}) keys.also_called(word, "listen");
  for (const auto* word : {"domain", "hostname"}) keys.also_called(word, "domains");
  for (const auto* word : {"cert", "tls"}) keys.also_called(word, "certificate");
  keys.also_called("deploy", "activate");
  keys.also_called("timeout", "limit");
  keys.finish();
  refuse_other_target(field, keys, place);
}

void read_strategy(const Field& field, Strategy& strategy) {
  if (!field) return;
  const auto choose = [&](const Field& kind) {
    const int at = kind.choice({"blue_green", "all_at_once"}, {"canary"});
    if (at >= 0) strategy = at == 0 ? Strategy::blue_green : Strategy::all_at_once;
    return at >= 0;
  };
  if (!field.is(YamlValue::Kind::map)) {
    choose(field);
    return;
  }
  Keys keys(field);
  // The rest of a canary is not worth a second complaint.
  if (!choose(keys.required("kind", "one of blue_green, all_at_once")) && keys.has("kind")) return;
  keys.later("steps", "canary, with its steps,");
  keys.later("hold", "canary, with its hold,");
  keys.finish();
}

// auto: [checks] | [] | true | false
void read_automatic(const Field& field, bool& automatic) {
  if (!field) return;
  if (field.is(YamlValue::Kind::scalar)) {
    if (field.value->text == "true" || field.value->text == "false") return field.flag(automatic);
    field.choice({"checks"}, {"errors", "latency"});
    return;
  }
  if (!field.is(YamlValue::Kind::list))
    return field.wrong("a list like [checks], or [] to be asked");
  automatic = !field.value->items.empty();
  for (const auto& each : field.items()) each.choice({"checks"}, {"errors", "latency"});
}

void read_rollback(const Field& field, RollbackRule& rollback) {
  Keys keys(field);
  read_automatic(keys["auto"], rollback.automatic);
  switch (keys["database"].choice({"auto", "ask", "never"}, {"migration"})) {
    case 0: rollback.database = DataReturn::automatic; break;
    case 2: rollback.database = DataReturn::never; break;
    default: break;
  }
  keys["keep_warm"].duration(rollback.keep_warm);
  keys["budget"].duration(rollback.budget, std::chrono::seconds(1));
  if (const auto approvals = keys["approvals"]) {
    read_approvals(approvals, rollback.approvals.emplace());
    if (rollback.approvals->wait > Millis(0))
      approvals.complaints->at_key(approvals.key + ".wait", "a rollback never waits; leave it out");
  }
  keys["branches"].texts(rollback.branches);
  keys["emergency"].texts(rollback.emergency);
  keys.also_called("automatic", "auto");
  keys.also_called("data", "database");
  keys.finish();
}

void read_notify(const Field& field, std::vector<Notification>& notify) {
  for (const auto& each : field.items()) {
    Keys keys(each);
    Notification notification;
    keys["command"].command(notification.run);
    read_issue(keys["github_issue"], notification);
    for (const auto* later : {"slack", "teams", "discord", "webhook", "email"}) {
      keys.later(later, later);
    }
    keys.also_called("run", "command");
    keys.finish();
    if (each.is(YamlValue::Kind::map) && each.value->keys.empty()) {
      each.complain("missing; a program to run, as in: command: ./ops/announce");
    }
    if (keys.has("command") && keys.has("github_issue"))
      each.complain("one place each; write a second item for the other");
    if (!notification.run.empty() || notification.issue_labels)
      notify.push_back(std::move(notification));
  }
}

void read_services_of(const Field& field, std::vector<Placement>& services) {
  Keys keys(field);
  for (const auto& each : keys.named("a service")) {
    services.emplace_back();
    services.back().service = each.last;
    read_placement(each, services.back());
  }
}

void read_policy(Keys& keys, EnvironmentSpec& environment) {
  environment.tag = environment.name;
  auto tag = keys["tag"];
  if (tag) environment.tag.clear();
  read_tag(tag, environment.tag);
  if (!tag && environment.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") !=
                  std::string::npos) {
    tag.complain("missing; small letters and digits, as in: tag: prod");
  }
  keys["branches"].texts(environment.branches);
  if (const auto approvals = keys["approvals"]) read_approvals(approvals, environment.approvals);
  read_freeze(keys["freeze"], environment.freeze);
}

}  // namespace

std::optional<Listen> parse_listen(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  Listen listen{std::string(text.substr(0, colon)), 0};
  const auto digits = text.substr(colon + 1);
  const auto [end, code] =
      std::from_chars(digits.data(), digits.data() + digits.size(), listen.port);
  if (code != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (listen.port < 1 || listen.port > 65535) return std::nullopt;
  auto& host = listen.host;
  if (host == "*" || host == "0.0.0.0" || host == "[::]") host.clear();
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return std::nullopt;
    host = host.substr(1, host.size() - 2);
    return host.find_first_not_of("0123456789abcdefABCDEF:.") == std::string::npos
               ? std::optional(listen)
               : std::nullopt;
  }
  const bool plain = host.find_first_not_of(
                         "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                         "0123456789.-_") == std::string::npos;
  return plain ? std::optional(listen) : std::nullopt;
}

void read_approvals(const Field& field, Approvals& approvals) {
  Keys keys(field);
  keys.required("required", "how many of the reviewers must approve, as in: required: 2")
      .number(approvals.required, 0, 100);
  keys["reviewers"].texts(approvals.reviewers);
  keys["self_approval"].flag(approvals.self_approval);
  if (keys["by"].choice({"signature", "github"}) == 1) approvals.by = Evidence::github;
  keys["wait"].duration(approvals.wait);
  auto expires = keys["expires"];
  expires.duration(approvals.expires, std::chrono::minutes(1));
  if (approvals.wait >= approvals.expires) {
    expires.complain(fmt::format("nobody could ever pass: the wait of {} is not shorter than {}",
                                 belay::to_text(approvals.wait),
                                 belay::to_text(approvals.expires)));
  }
  keys.also_called("count", "required");
  for (const auto* word : {"people", "approvers", "users"}) keys.also_called(word, "reviewers");
  keys.also_called("timeout", "expires");
  keys.finish();
}

void read_environment(const Field& field, EnvironmentSpec& environment) {
  Keys keys(field);
  read_policy(keys, environment);
  read_services_of(keys["services"], environment.services);
  read_strategy(keys["strategy"], environment.strategy);
  read_checks(keys["checks"], environment.checks);
  keys["watch"].duration(environment.watch);
  read_rollback(keys["rollback"], environment.rollback);
  if (const int at = keys["busy"].choice({"queue", "supersede", "refuse"}); at >= 0) {
    environment.busy = at == 0 ? Busy::queue : at == 1 ? Busy::supersede : Busy::refuse;
  }
  keys["hold"].duration(environment.hold, std::chrono::seconds(1));
  keys["first"].flag(environment.first);
  read_notify(keys["notify"], environment.notify);
  read_database(keys["database"], environment.database);
  if (const auto vault = keys["vault"]) read_vault(vault, environment.vault.emplace());
  for (const auto* word : {"health", "probes"}) keys.also_called(word, "checks");
  for (const auto* word : {"notifications", "announce"}) keys.also_called(word, "notify");
  keys.also_called("reviewers", "approvals");
  keys.also_called("deploy", "strategy");
  keys.also_called("prefix", "tag");
  keys.finish();
}

}  // namespace belay::pipeline
