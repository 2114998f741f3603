// SPDX-License-Identifier: Apache-2.0
// Who merged what, and releases.
#include <fmt/format.h>

#include "github/parts.hpp"

namespace belay::github {

namespace {

// The list does not say who merged.
Result<PullRequest> read_pull(GithubApi& api, std::int64_t number, const std::stop_token& stop) {
  TRY_LET(const auto json, api.get(fmt::format("/pulls/{}", number), stop));
  return PullRequest{number, text_in(json, "title"), text_in(member_in(json, "user"), "login"),
                     text_in(member_in(json, "merged_by"), "login")};
}

}  // namespace

Result<std::vector<PullRequest>> read_pulls(GithubApi& api, const std::string& commit,
                                            const std::stop_token& stop) {
  std::vector<std::int64_t> merged;
  TRY(api.list(
      "/commits/" + commit + "/pulls", {},
      [&](const Json& each) {
        const auto number = number_in(each, "number");
        if (number && !text_in(each, "merged_at").empty()) merged.push_back(*number);
        return true;
      },
      stop));
  std::vector<PullRequest> pulls;
  for (const auto number : merged) {
    TRY_LET(auto pull, read_pull(api, number, stop));
    pulls.push_back(std::move(pull));
  }
  return pulls;
}

// Where the tag is missing GitHub would make one, another than the one that is still to be pushed.
Status publish_release(GithubApi& api, const Release& release, const std::stop_token& stop) {
  const auto name = net::percent_encoded(release.tag);
  TRY(api.get("/git/ref/tags/" + name, stop));
  const auto look = [&]() -> Result<std::optional<Json>> {
    auto found = api.get("/releases/tags/" + name, stop);
    if (found) return std::optional(std::move(found).value());
    if (found.error().fault == Fault::missing) return std::optional<Json>();
    return std::move(found).error();
  };
  TRY(api.make("/releases",
               {{"tag_name", release.tag}, {"name", release.title}, {"body", release.text}}, look,
               stop));
  return {};
}

}  // namespace belay::github
