// SPDX-License-Identifier: Apache-2.0
#include "github/github_api.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace belay::github {

namespace {

constexpr std::size_t largest_answer = std::size_t{16} << 20;
constexpr int most_redirects = 3;
constexpr Millis part_limit = std::chrono::minutes(2);  // of a part of a file
constexpr int most_pages = 100;  // a server that never ends its list is not followed
constexpr int limited_tries = 3;
constexpr int most_made = 2;  // of what nothing is seen after its answer was lost
constexpr int looks_for_lost = 3;
constexpr Millis between_looks = std::chrono::seconds(2);
constexpr Millis unnamed_limit = std::chrono::seconds(60);  // what GitHub asks for at least

// {"message", "errors": [{"resource", "field", "code", "message"} or text]}
std::string said_in(const net::Response& response) {
  const auto json = parse_json(response.body);
  if (!json || !json->is_object()) return {};
  auto text = text_in(*json, "message");
  const auto& errors = member_in(*json, "errors");
  for (const auto& each : errors.is_array() ? errors : Json::array()) {
    if (each.is_string()) {
      text += "; " + each.get<std::string>();
    } else if (const auto message = text_in(each, "message"); !message.empty()) {
      text += "; " + message;
    } else {
      text += fmt::format("; {} {} {}", text_in(each, "resource"), text_in(each, "field"),
                          text_in(each, "code"));
    }
  }
  return printable(text.substr(0, 500));
}

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 307 || status == 308;
}

// <https://api.github.com/...&page=2>; rel="next", <...>; rel="last"
std::string next_page(const net::Response& response) {
  for (const auto& part : split(response.header("link"), ',')) {
    const auto open = part.find('<'), end = part.find('>');
    if (open == std::string::npos || end == std::string::npos || end < open) continue;
    if (part.find("rel=\"next\"", end) != std::string::npos)
      return part.substr(open + 1, end - open - 1);
  }
  return {};
}

// Without the query: it may be long, and the path says what was asked for.
std::string place_in(const net::Request& request) {
  const auto url = net::parse_url(request.url);
  return fmt::format("GitHub, {} {}", request.method, url ? url->path : "");
}

}  // namespace

GithubApi::GithubApi(GithubConfig config, Clock& clock, Random& random)
    : config_(std::move(config)),
      clock_(clock),
      random_(random),
      client_(net::make_client(clock, config_.trust)) {}

std::string GithubApi::url_of(const std::string& path, const net::Query& query) const {
  const auto whole =
      path.starts_with("//") ? path.substr(1) : "/repos/" + config_.repository + path;
  return config_.endpoint + whole + (query.empty() ? "" : "?" + net::query_text(query));
}

net::Request GithubApi::request(const char* method, const std::string& url,
                                const Json& body) const {
  net::Request request;
  request.method = method;
  request.url = url;
  request.headers = {{"authorization", "Bearer " + config_.token.reveal()},
                     {"accept", "application/vnd.github+json"},
                     {"x-github-api-version", "2022-11-28"},
                     {"user-agent", "belay"}};
  if (!body.is_null()) {
    request.body = canonical(body);
    request.headers["content-type"] = "application/json";
  }
  request.secrets = {config_.token};
  request.timeout = config_.limit;
  request.largest_body = largest_answer;
  return request;
}

// The wait that GitHub asks for. Nothing: this is no answer about a limit.
std::optional<Millis> GithubApi::limited(const net::Response& response) const {
  if (response.status != 403 && response.status != 429) return std::nullopt;
  if (const auto asked = net::asked_to_wait(response, clock_.now())) return asked;
  const auto reset = response.header("x-ratelimit-reset");
  const bool number = !reset.empty() && reset.size() < 12 &&
                      reset.find_first_not_of("0123456789") == std::string::npos;
  if (response.header("x-ratelimit-remaining") == "0" && number) {
    const TimePoint at{std::chrono::seconds(std::stoll(reset))};
    return std::max(Millis(0), at - clock_.now()) + Millis(1000);
  }
  const bool says_so = response.body.find("rate limit") != std::string::npos;
  return response.status == 429 || says_so ? std::optional(unnamed_limit) : std::nullopt;
}

Error GithubApi::refusal_of(const net::Response& response, const std::string& what) const {
  const auto text = fmt::format("{}: {} {}", what, response.status, said_in(response));
  if (const auto wait = limited(response)) {
    return fail(Fault::busy,
                fmt::format("{} (a rate limit; free again in {})", text, for_people(*wait)));
  }
  if (is_redirect(response.status))
    return fail(Fault::refused,
                text + "; the repository has moved: name it under github.repository");
  switch (response.status) {
    case 401: return fail(Fault::denied, text + "; GitHub does not take the token");
    case 403: return fail(Fault::denied, text + "; the token lacks this right");
    case 404: return fail(Fault::missing, text + "; it is not there, or the token may not see it");
    case 409: return fail(Fault::conflict, text);
    default: break;
  }
  return response.status < 500 ? fail(Fault::refused, text)
                               : unknown_effect(Fault::unreachable, text);
}

Result<Json> GithubApi::json_of(const net::Response& response, const std::string& what) const {
  if (response.status < 200 || response.status > 299) return refusal_of(response, what);
  if (response.status == 204) return Json();
  auto json = parse_json(response.body);
  if (!json) return fail(Fault::corrupt, what + ": the answer is no JSON");
  return json;
}

bool GithubApi::ours(const std::string& url) const {
  return url.starts_with(config_.endpoint + "/");
}

// The token goes to no other place than where it was meant for.
Result<net::Response> GithubApi::follow(net::Request request, Send how,
                                        const std::stop_token& stop) {
  for (int hop = 0;; ++hop) {
    TRY_LET(auto answer, send_unlimited(request, how, stop));
    const auto there = answer.header("location");
    if (!is_redirect(answer.status) || !ours(there) || hop == most_redirects) return answer;
    request.url = there;
  }
}

Result<net::Response> GithubApi::send_unlimited(const net::Request& request, Send how,
                                                const std::stop_token& stop) {
  if (how == Send::once) return client_->send(request, stop);
  TRY_LET(auto sent, net::send_patiently(
                         *client_, [&]() -> Result<net::Request> { return request; },
                         config_.patience, clock_, random_, stop));
  return std::move(sent.response);
}

// What GitHub limits, it did not do: that may be sent again, whatever it is.
Result<net::Response> GithubApi::send(const net::Request& request, Send how,
                                      const std::stop_token& stop) {
  for (int attempt = 1;; ++attempt) {
    TRY_LET(auto answer, follow(request, how, stop).in(place_in(request)));
    const auto wait = limited(answer);
    const bool worth_it =
        wait && attempt < limited_tries && *wait <= config_.patience.longest_asked;
    if (!worth_it || !clock_.sleep(*wait, stop)) return answer;
  }
}

Result<Json> GithubApi::get(const std::string& path, const std::stop_token& stop,
                            net::Query query) {
  const auto order = request("GET", url_of(path, query), Json());
  TRY_LET(const auto answer, send(order, Send::patiently, stop));
  return json_of(answer, place_in(order));
}

Status GithubApi::list(const std::string& path, net::Query query,
                       const std::function<bool(const Json&)>& wanted, const std::stop_token& stop,
                       const char* member) {
  query.emplace("per_page", "100");
  auto url = url_of(path, query);
  for (int page = 0; page < most_pages && !url.empty(); ++page) {
    const auto order = request("GET", url, Json());
    TRY_LET(const auto answer, send(order, Send::patiently, stop));
    TRY_LET(const auto json, json_of(answer, place_in(order)));
    const auto& items = member == nullptr ? json : member_in(json, member);
    if (!items.is_array()) return fail(Fault::corrupt, place_in(order) + ": the answer is no list");
    for (const auto& each : items) {
      if (!wanted(each)) return {};
    }
    url = next_page(answer);
    if (!url.empty() && !ours(url))
      return fail(Fault::corrupt, place_in(order) + ": its next page is at another place");
  }
  return {};
}

Result<std::string> GithubApi::place_of(const std::string& path, const std::stop_token& stop) {
  const auto order = request("GET", url_of(path), Json());
  TRY_LET(const auto answer, send(order, Send::patiently, stop));
  if (!is_redirect(answer.status)) {
    TRY(json_of(answer, place_in(order)));
    return fail(Fault::corrupt, place_in(order) + ": it says of no place where the bytes are");
  }
  auto place = answer.header("location");
  const auto url = net::parse_url(place);
  const bool open = url && url->scheme == "http" && config_.endpoint.starts_with("https://");
  if (!url || open)
    return fail(Fault::refused, place_in(order) + ": the place where the bytes are has no TLS");
  return place;
}

Result<net::Response> GithubApi::get_part(const std::string& place, std::uint64_t from,
                                          std::uint64_t count, const std::stop_token& stop) {
  net::Request order;
  order.url = place;
  order.headers = {{"range", fmt::format("bytes={}-{}", from, from + count - 1)},
                   {"user-agent", "belay"}};
  // Whoever knows the query may read it all.
  if (const auto url = net::parse_url(place)) order.secrets = {Secret(url->query)};
  order.timeout = part_limit;
  order.largest_body = count;
  return send_unlimited(order, Send::patiently, stop).in(place_in(order));
}

Result<Json> GithubApi::set(const char* method, const std::string& path, const Json& body,
                            const std::stop_token& stop) {
  const auto order = request(method, url_of(path), body);
  TRY_LET(const auto answer, send(order, Send::patiently, stop));
  return json_of(answer, place_in(order));
}

Result<std::optional<Json>> GithubApi::look_again(const Look& look, const std::stop_token& stop) {
  for (int i = 0; i < looks_for_lost; ++i) {
    if (!clock_.sleep(between_looks, stop))
      return unknown_effect(Fault::cancelled, "stopped before it could be looked for");
    TRY_LET(auto found, look());
    if (found) return found;
  }
  return std::optional<Json>();
}

Result<Json> GithubApi::make(const std::string& path, const Json& body, const Look& look,
                             const std::stop_token& stop) {
  TRY_LET(auto found, look());
  for (int tries = 1; !found; ++tries) {
    const auto order = request("POST", url_of(path), body);
    auto answer = send(order, Send::once, stop);
    auto made = answer ? json_of(*answer, place_in(order)) : Result<Json>(answer.error());
    if (made) return made;
    const bool limit = made.error().fault == Fault::busy;
    if (limit || !net::is_passing(answer) || stop.stop_requested()) return made;
    TRY_LET(found, look_again(look, stop));
    if (!found && tries == most_made) return made;
  }
  return std::move(*found);
}

}  // namespace belay::github
