// SPDX-License-Identifier: Apache-2.0
// One issue an incident, found again by a mark that nobody sees.
#include <fmt/format.h>

#include "base/text.hpp"
#include "github/parts.hpp"

namespace belay::github {

namespace {

constexpr std::size_t longest_body = 60'000;  // GitHub takes 65,536 characters
constexpr int most_without_label = 100;       // newest issues, looked through for one just made

std::string hidden(const std::string& mark) {
  return "<!-- belay: " + mark + " -->";
}

bool has_mark(const Json& item, const std::string& mark) {
  return text_in(item, "body").find(hidden(mark)) != std::string::npos;
}

// GitHub lists pull requests among the issues.
bool is_issue(const Json& item) {
  return item.is_object() && !item.contains("pull_request");
}

Result<std::int64_t> number_of(const Json& issue) {
  const auto number = number_in(issue, "number");
  if (!number) return fail(Fault::corrupt, "GitHub's answer has an issue without number");
  return *number;
}

// Only who may label can be taken for us: a mark alone could be anybody's.
Result<std::optional<Json>> open_issue(GithubApi& api, const Incident& incident,
                                       const std::stop_token& stop) {
  std::optional<Json> found;
  TRY(api.list(
      "/issues", {{"state", "open"}, {"labels", incident.labels.front()}},
      [&](const Json& each) {
        if (is_issue(each) && has_mark(each, incident.mark)) found = each;
        return !found;
      },
      stop));
  return found;
}

// Where GitHub dropped the labels. The mark of these very news is nobody else's.
Result<std::optional<Json>> just_made(GithubApi& api, const News& news,
                                      const std::stop_token& stop) {
  std::optional<Json> found;
  int seen = 0;
  TRY(api.list(
      "/issues", {{"state", "open"}, {"sort", "created"}, {"direction", "desc"}},
      [&](const Json& each) {
        if (is_issue(each) && has_mark(each, news.mark)) found = each;
        return !found && ++seen < most_without_label;
      },
      stop));
  return found;
}

// Nothing in somebody else's words is taken for a mark.
std::string without_comments(std::string text) {
  for (auto at = text.find("<!--"); at != std::string::npos; at = text.find("<!--", at))
    text.replace(at, 4, "<! --");
  return text;
}

std::string body_of(const News& news, const std::string& more) {
  return without_comments(news.text.substr(0, longest_body)) + "\n\n" + more + hidden(news.mark) +
         "\n";
}

bool has_label(const Json& issue, const std::string& label) {
  const auto& labels = member_in(issue, "labels");
  return labels.is_array() && std::any_of(labels.begin(), labels.end(), [&](const auto& each) {
           return text_in(each, "name") == label || (each.is_string() && each == label);
         });
}

Status open_one(GithubApi& api, const Incident& incident, const News& news,
                const std::stop_token& stop) {
  const Json body{{"title", printable(news.title)},
                  {"body", body_of(news, hidden(incident.mark) + "\n")},
                  {"labels", incident.labels}};
  const auto look = [&]() -> Result<std::optional<Json>> {
    TRY_LET(auto found, open_issue(api, incident, stop));
    if (found) return found;
    return just_made(api, news, stop);
  };
  TRY_LET(const auto issue, api.make("/issues", body, look, stop));
  if (has_label(issue, incident.labels.front())) return {};
  return fail(Fault::refused,
              fmt::format("GitHub dropped the label {} of issue {}: the token may not push to {}; "
                          "without it the issue is not found again and stays open",
                          incident.labels.front(), number_in(issue, "number").value_or(0),
                          api.repository()));
}

Status comment_on(GithubApi& api, const Json& issue, const News& news,
                  const std::stop_token& stop) {
  if (has_mark(issue, news.mark)) return {};
  TRY_LET(const auto number, number_of(issue));
  const auto path = fmt::format("/issues/{}/comments", number);
  const auto look = [&]() -> Result<std::optional<Json>> {
    std::optional<Json> found;
    TRY(api.list(
        path, {},
        [&](const Json& each) {
          if (has_mark(each, news.mark)) found = each;
          return !found;
        },
        stop));
    return found;
  };
  const auto text = fmt::format("**{}**\n\n", printable(news.title));
  TRY(api.make(path, {{"body", text + body_of(news, "")}}, look, stop));
  return {};
}

// 410: it has none.
template <class T>
Result<T> with_remedy(Result<T> result, const GithubApi& api) {
  if (result || result.error().text.find(": 410 ") == std::string::npos) return result;
  auto error = std::move(result).error();
  error.text += fmt::format("; switch issues on for {}, or take github_issue out of notify",
                            api.repository());
  return error;
}

Result<Done> report(GithubApi& api, const Incident& incident, const News& news,
                    const std::stop_token& stop) {
  TRY_LET(const auto open, open_issue(api, incident, stop));
  TRY(open ? comment_on(api, *open, news, stop) : open_one(api, incident, news, stop));
  return Done{};
}

Result<bool> close(GithubApi& api, const Incident& incident, const News& news,
                   const std::stop_token& stop) {
  TRY_LET(const auto open, open_issue(api, incident, stop));
  if (!open) return false;
  TRY(comment_on(api, *open, news, stop));
  TRY_LET(const auto number, number_of(*open));
  TRY(api.set("PATCH", fmt::format("/issues/{}", number),
              {{"state", "closed"}, {"state_reason", "completed"}}, stop));
  return true;
}

}  // namespace

Status report_in_issue(GithubApi& api, const Incident& incident, const News& news,
                       const std::stop_token& stop) {
  TRY(with_remedy(report(api, incident, news, stop), api));
  return {};
}

Result<bool> close_issue(GithubApi& api, const Incident& incident, const News& news,
                         const std::stop_token& stop) {
  return with_remedy(close(api, incident, news, stop), api);
}

}  // namespace belay::github
