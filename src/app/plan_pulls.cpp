// SPDX-License-Identifier: Apache-2.0
// Who merged what, as GitHub knows it: for whoever reads a plan.
#include <map>

#include "app/on_github.hpp"

namespace belay::app {

namespace {

constexpr int most_commits = 10;  // each is asked for: who deploys waits

Result<Json> pulls_between(github::Repository& repository, source::Source& source,
                           const std::string& from, const std::string& to) {
  TRY_LET(const auto commits, source.between(from, to, "", most_commits));
  std::map<std::int64_t, Json> pulls;
  for (const auto& commit : commits) {
    TRY_LET(const auto found, repository.pulls_of(commit.id, {}));
    for (const auto& each : found) {
      pulls.emplace(each.number, Json{{"number", each.number},
                                      {"title", each.title.substr(0, 200)},
                                      {"author", each.author},
                                      {"merged_by", each.merged_by}});
    }
  }
  Json list = Json::array();
  for (auto& [number, pull] : pulls) list.push_back(std::move(pull));
  return list;
}

}  // namespace

void note_pulls(Desk& desk, source::Source& source, pipeline::Plan& plan, const std::string& from) {
  if (!desk.project.spec.github || from.empty() || from == plan.commit) return;
  const auto read = [&]() -> Result<Json> {
    TRY_LET(const auto repository, repository_of_project(desk));
    return pulls_between(*repository, source, from, plan.commit);
  };
  auto pulls = read();
  if (!pulls)
    plan.notes["pulls_unknown"] = pulls.error().message();
  else if (!pulls->empty())
    plan.notes["pulls"] = *pulls;
}

}  // namespace belay::app
