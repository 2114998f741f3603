// SPDX-License-Identifier: Apache-2.0
#include "engine/releases.hpp"

#include <algorithm>

#include "base/json.hpp"

namespace belay::engine {

namespace {

// What a finished run left behind for the release that it replaced.
DataOf data_left_by(const journal::RunRow& row, const Json& summary) {
  if (row.pipeline == "deploy") {
    if (summary.value("restore_point", true))
      return {DataOf::Kind::point, "rp-" + row.run, row.run, {}};
    return {DataOf::Kind::none, {}, row.run, "run " + row.run + " was made with --skip-backup"};
  }
  const auto data = summary.value("data", std::string("none"));
  if (data != "none") return {DataOf::Kind::undo, "salvage-" + row.run, row.run, {}};
  if (!summary.value("restore_point", true)) {
    return {DataOf::Kind::none, {}, row.run, "run " + row.run + " took no safety point"};
  }
  return {DataOf::Kind::point, "safety-" + row.run, row.run, {}};
}

void take_in(Releases& all, const journal::RunRow& row, const Json& summary) {
  const auto tag = summary.value("release", std::string());
  const bool new_code =
      row.pipeline == "deploy" || (row.pipeline == "rollback" && summary.value("code", true));
  if (row.state != "done" || !new_code || tag.empty()) return;
  if (all.live && all.live->tag != tag) {
    all.ended.push_back({all.live->tag, row.run, data_left_by(row, summary)});
    if (row.pipeline == "rollback") all.left.insert(all.live->tag);
  }
  if (row.pipeline == "deploy") {
    all.shipped.push_back({tag, summary.value("commit", ""), row.run, summary.value("subject", ""),
                           row.finished.value_or(row.created)});
  }
  const auto* release = all.find(tag);
  if (release == nullptr) return;
  all.left.erase(tag);
  all.live = *release;
  all.live_since = row.finished.value_or(row.created);
  all.live_run = row.run;
}

}  // namespace

const Release* Releases::find(const std::string& tag) const {
  const auto at =
      std::find_if(shipped.begin(), shipped.end(), [&](const Release& r) { return r.tag == tag; });
  return at == shipped.end() ? nullptr : &*at;
}

const Release* Releases::before_live() const {
  const Release* newest = nullptr;
  const Release* newest_left = nullptr;
  for (const auto& release : shipped) {
    if (live && release.tag == live->tag) {
      if (newest != nullptr) return newest;
      continue;
    }
    (left.contains(release.tag) ? newest_left : newest) = &release;
  }
  return newest != nullptr ? newest : newest_left;
}

DataOf Releases::data_of(const std::string& tag) const {
  for (auto period = ended.rbegin(); period != ended.rend(); ++period) {
    if (period->release == tag) return period->data;
  }
  return {DataOf::Kind::none, {}, {}, "no run ended a live period of " + tag};
}

Result<Releases> read_releases(journal::Journal& journal, const std::string& environment) {
  TRY_LET(auto rows, journal.runs(environment, 100'000));
  Releases all;
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    TRY_LET(auto summary,
            parse_json(row->summary.empty() ? "{}" : row->summary).in("run " + row->run));
    all.named.insert(summary.value("release", std::string()));
    take_in(all, *row, summary);
  }
  return all;
}

}  // namespace belay::engine
