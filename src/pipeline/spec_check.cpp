// SPDX-License-Identifier: Apache-2.0
// Checks: what is asked (service, url, tcp, tls, database or command), what must come back, and
// how often it must.
#include <fmt/format.h>

#include <charconv>

#include "base/text.hpp"
#include "pipeline/spec_parts.hpp"

namespace belay::pipeline {

namespace {

const std::vector<std::string> subjects{"service", "url", "tcp", "tls", "database", "command"};

void read_headers(const Field& field, std::map<std::string, std::string>& headers) {
  Keys keys(field, true);
  for (const auto& each : keys.free()) {
    Template value;
    each.secret(value);
    headers[each.last] = value.text;
  }
}

void read_send(const Field& field, Check& check) {
  Keys keys(field);
  read_headers(keys["headers"], check.send_headers);
  auto body = keys["body"], json = keys["json"];
  Template text;
  body.secret(text);
  if (json) {
    text.text = to_json(*json.value).dump();
    check.send_json = true;
    check.send_headers.emplace("Content-Type", "application/json");
  }
  if (body && json) json.complain("send has a body or json, not both");
  check.send_body = text.text;
  keys.finish();
}

// "2s", "2s over 50"
void read_limit(const Field& field, std::string_view text, Check::Percentile& percentile) {
  const auto over = text.find(" over ");
  const auto limit = parse_duration(trim(text.substr(0, over)));
  if (!limit || *limit <= Millis(0)) return field.wrong("a limit like \"2s\" or \"2s over 20\"");
  percentile.limit = *limit;
  if (over == std::string_view::npos) return;
  const auto count = trim(text.substr(over + 6));
  const auto [end, code] =
      std::from_chars(count.data(), count.data() + count.size(), percentile.samples);
  if (code != std::errc() || end != count.data() + count.size() || percentile.samples < 1 ||
      percentile.samples > 100000) {
    field.wrong("a number of samples from 1 to 100000, as in \"p95 < 2s over 20\"");
  }
}

// p95: 2s | "2s over 50" | { under: 2s, samples: 50 }
void read_percentile(const Field& field, int rank, std::optional<Check::Percentile>& into) {
  if (!field) return;
  if (into) field.complain("one percentile a check; write a second check for this one");
  Check::Percentile percentile;
  percentile.rank = rank;
  if (field.is(YamlValue::Kind::scalar)) {
    read_limit(field, field.value->text, percentile);
  } else {
    Keys keys(field);
    keys.required("under", "the limit, as in: under: 2s").duration(percentile.limit, Millis(1));
    keys["samples"].number(percentile.samples, 1, 100000);
    keys.finish();
  }
  into = percentile;
}

// latency: p95 < 2s over 20
void read_latency(const Field& field, std::optional<Check::Percentile>& into) {
  if (!field) return;
  const auto expected = "a rule like \"p95 < 2s over 20\"";
  if (!field.is(YamlValue::Kind::scalar)) return field.wrong(expected);
  const std::string_view text = field.value->text;
  const auto less = text.find('<');
  const auto rank = trim(text.substr(0, less));
  Check::Percentile percentile;
  if (less == std::string_view::npos || rank.size() < 2 || rank.front() != 'p')
    return field.wrong(expected);
  const auto [end, code] =
      std::from_chars(rank.data() + 1, rank.data() + rank.size(), percentile.rank);
  if (code != std::errc() || end != rank.data() + rank.size() || percentile.rank < 1 ||
      percentile.rank > 99) {
    return field.wrong(expected);
  }
  read_limit(field, text.substr(less + 1), percentile);
  if (into) field.complain("one percentile a check; write a second check for this one");
  into = percentile;
}

void read_expected_json(const Field& field, Json& json) {
  if (!field) return;
  if (!field.is(YamlValue::Kind::map)) return field.wrong("a map like { status: ok }");
  Keys keys(field, true);  // complains of a member that is there twice
  json = to_json(*field.value);
}

void read_request(Keys& keys, Check& check) {
  auto path = keys["path"];
  path.text(check.path);
  if (check.path.empty() || check.path.front() != '/') path.wrong("a path that begins with /");
  const std::vector<std::string> methods{"GET",   "HEAD",   "POST",   "PUT",
                                         "PATCH", "DELETE", "OPTIONS"};
  if (const int at = keys["method"].choice(methods); at >= 0) {
    check.method = methods[static_cast<std::size_t>(at)];
  }
  read_send(keys["send"], check);
  keys["status"].number(check.status, 100, 599);
  read_expected_json(keys["json"], check.json);
  keys["body"].command(check.body);
  read_headers(keys["headers"], check.headers);
  if (const auto under = keys["under"]) under.duration(check.under.emplace(), Millis(1));
}

void read_rule(Keys& keys, Check& check) {
  keys["rise"].number(check.rise, 1, 1000);
  keys["fall"].number(check.fall, 1, 1000);
  keys["interval"].duration(check.interval, Millis(10));
  keys["timeout"].duration(check.timeout, Millis(10));
}

void read_percentiles(Keys& keys, Check& check) {
  read_latency(keys["latency"], check.percentile);
  for (const int rank : {50, 90, 95, 99}) {
    read_percentile(keys[fmt::format("p{}", rank)], rank, check.percentile);
  }
}

void read_query(const Field& field, Check& check) {
  check.kind = Check::Kind::database;
  if (field.is(YamlValue::Kind::scalar) && field.value->text == "ping") return;
  if (!field.is(YamlValue::Kind::map))
    return field.wrong("ping, or { collection: ..., filter: ..., at_least: 1 }");
  Keys keys(field);
  std::string collection;
  int at_least = 1;
  keys.required("collection", "the collection that is asked").text(collection);
  auto filter = keys["filter"];
  if (filter && !filter.is(YamlValue::Kind::map)) filter.wrong("a map");
  keys["at_least"].number(at_least, 1, 1000000000);
  keys.finish();
  check.query = {{"collection", collection},
                 {"filter", filter ? to_json(*filter.value) : Json::object()},
                 {"at_least", at_least}};
}

// tcp and tls name a service or an address.
void read_address(const Field& field, Check& check) {
  std::string text;
  field.text(text);
  if (text.empty()) return;
  if (text.find(':') == std::string::npos) {
    check.service = text;
    return;
  }
  const auto listen = parse_listen(text);
  if (!listen || listen->host.empty()) return field.wrong("a service or HOST:PORT");
  check.url = text;
}

void read_url(const Field& field, std::string& url) {
  field.text(url);
  if (url.empty()) return;
  const bool web = url.starts_with("http://") || url.starts_with("https://");
  if (!web || url.find("://") + 3 == url.size())
    field.wrong("an address that begins with http:// or https://");
}

// Exactly one of the subjects says what is asked.
void read_subject(const Field& field, Keys& keys, Check& check) {
  std::vector<Field> found;
  for (const auto& subject : subjects) {
    if (auto each = keys[subject]) found.push_back(each);
  }
  if (found.empty() && !keys.readable()) return;
  if (found.empty())
    return field.complain("says not what to ask; add one of " + join(subjects, ", "));
  if (found.size() > 1) {
    return found[1].complain(
        fmt::format("a check asks one thing; {} is there already", found[0].last));
  }
  const auto& subject = found[0];
  if (subject.last == "service") return subject.text(check.service);
  if (subject.last == "url") return read_url(subject, check.url);
  if (subject.last == "database") return read_query(subject, check);
  check.kind = subject.last == "tcp"   ? Check::Kind::tcp
               : subject.last == "tls" ? Check::Kind::tls
                                       : Check::Kind::command;
  if (check.kind == Check::Kind::command) return subject.command(check.run);
  read_address(subject, check);
}

// What only an HTTP answer has would be ignored elsewhere, so it is refused.
void refuse_foreign(const Field& field, const Keys& keys, const Check& check) {
  const auto foreign = [&](std::string_view key, const char* belongs) {
    if (keys.has(key)) {
      field.complaints->at_key(fmt::format("{}.{}", field.key, key),
                               fmt::format("belongs to a check of {}", belongs));
    }
  };
  if (check.kind != Check::Kind::http) {
    for (const auto* key : {"path", "method", "send", "status", "json", "body", "headers"}) {
      foreign(key, "service or url");
    }
  }
  const bool tls = check.kind == Check::Kind::tls || check.url.starts_with("https://");
  const bool readiness =
      check.service.empty() && check.url.empty() && check.kind == Check::Kind::http;
  if (!tls && !readiness) foreign("days", "tls, or of an https url");
  if (!check.url.empty() && check.kind == Check::Kind::http)
    foreign("path", "a service; url has its own path");
}

void read_check(const Field& field, Check& check) {
  Keys keys(field);
  keys.required("name", "what people will read, as in: name: API health").text(check.name);
  read_subject(field, keys, check);
  read_request(keys, check);
  keys["days"].number(check.certificate_days, 0, 3650);
  read_rule(keys, check);
  read_percentiles(keys, check);
  check.warn_only = keys["severity"].choice({"fail", "warn"}) == 1;
  for (const auto* word : {"max_time", "response_time"}) keys.also_called(word, "under");
  keys.also_called("run", "command");
  keys.also_called("expect", "status");
  keys.also_called("retries", "fall");
  keys.finish();
  refuse_foreign(field, keys, check);
}

}  // namespace

void read_readiness(const Field& field, std::optional<Check>& check) {
  if (!field) return;
  check.emplace();
  check->name = "ready";
  if (field.is(YamlValue::Kind::scalar)) {
    field.text(check->path);
    if (check->path.empty() || check->path.front() != '/') field.wrong("a path that begins with /");
    return;
  }
  Keys keys(field);
  read_request(keys, *check);
  read_rule(keys, *check);
  if (const auto command = keys["command"]) {
    check->kind = Check::Kind::command;
    command.command(check->run);
  }
  keys.finish();
  refuse_foreign(field, keys, *check);
}

void read_checks(const Field& field, std::vector<Check>& checks) {
  for (const auto& each : field.items()) {
    checks.emplace_back();
    read_check(each, checks.back());
  }
}

}  // namespace belay::pipeline
