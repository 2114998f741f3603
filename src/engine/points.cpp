// SPDX-License-Identifier: Apache-2.0
#include "engine/points.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"
#include "engine/loaded.hpp"
#include "engine/releases.hpp"
#include "vault/owner.hpp"
#include "vault/rewind.hpp"

namespace belay::engine {

namespace {

vault::Place place_of(const Site& site) {
  return {site.present.project, site.environment, site.database_names};
}

struct Meant {
  std::string name;
  std::optional<vault::Owner> owner;  // none: named by hand
};

Result<Meant> meant(const Site& site, const Json& args, const char* what, const std::string& run) {
  Meant out{args.value(what, std::string()), std::nullopt};
  std::string of = args.value("of", std::string());
  if (const auto at = out.name.find("{run}"); at != std::string::npos) {
    out.name.replace(at, 5, run);
    of = run;
  }
  if (of.empty()) return out;
  TRY_LET(const auto origin, origin_of(*site.journal, of));
  out.owner = vault::Owner{site.present.project, site.environment, of, origin};
  return out;
}

// What stays, however old: the points and salvages of these runs, and those of these names.
struct Needed {
  std::set<std::string> runs, names;
  template <class Kept>
  bool operator()(const Kept& one) const {
    return runs.contains(one.run) || names.contains(one.name);
  }
};

// An open run may wait for people for a day, and then go back to what its plan names.
void add_meant(Needed& needed, const pipeline::Plan& plan) {
  for (const auto& step : plan.steps) {
    const auto of = step.args.value("of", std::string());
    if (!of.empty()) needed.runs.insert(of);  // else it is of no run, as are all made by hand
    for (const char* what : {"point", "undo", "apply"}) {
      if (step.args.contains(what)) needed.names.insert(step.args[what].get<std::string>());
    }
  }
}

Result<Needed> needed_of(const Site& site) {
  TRY_LET(auto releases, read_releases(*site.journal, site.environment));
  Needed needed;
  if (const auto* before = releases.before_live()) {
    TRY_LET(const auto data, data_left(*site.journal, site.environment, releases, before->tag));
    if (!data.run.empty()) needed.runs.insert(data.run);
    needed.names.insert(data.name);
  }
  TRY_LET(auto open, site.journal->open_runs());
  for (const auto& row : open) {
    TRY_LET(const auto run, load_run(*site.journal, row.run));
    needed.runs.insert(row.run);
    add_meant(needed, run.plan);
  }
  return needed;
}

// What `restore --overwrite` saved of some other database belongs to no environment.
bool is_ours(const Site& site, const vault::PointSummary& point) {
  if (point.project != site.present.project) return false;
  return point.environment == site.environment ||
         (point.environment.empty() && point.kind == "safety");
}

Result<int> forget_points(const Site& site, const Needed& needed, const std::string& fresh) {
  TRY_LET(auto points, site.vault->list());
  std::erase_if(points, [&](const auto& one) { return !is_ours(site, one); });
  std::vector<std::string> stay{fresh};
  for (const auto& one : points) {
    if (needed(one)) stay.push_back(one.name);
  }
  const auto& env = site.env();
  const auto& keep = env.vault ? env.vault->keep : site.present.vault.keep;
  const auto gone =
      vault::expired(points, {keep.last, keep.days, keep.safety_days}, site.clock->now(), stay);
  int forgotten = 0;
  for (const auto& name : gone) {
    auto done = site.vault->forget(name);
    if (!done && done.error().fault == Fault::busy) continue;  // the store's lock keeps it for now
    TRY(std::move(done));
    ++forgotten;
  }
  return forgotten;
}

Result<int> forget_salvages(const Site& site, const Needed& needed) {
  TRY_LET(auto salvages, vault::list_salvages(*site.vault));
  std::erase_if(salvages, [&](const auto& one) {
    return one.project != site.present.project || one.environment != site.environment ||
           needed(one);
  });
  const auto& env = site.env();
  const auto& keep = env.vault ? env.vault->keep : site.present.vault.keep;
  const auto gone = vault::expired_salvages(salvages, keep.safety_days, site.clock->now());
  TRY(vault::forget_salvages(*site.vault, gone));
  return static_cast<int>(gone.size());
}

Result<vault::VerifyReport> read_afresh(const Site& site, const std::string& point,
                                        std::stop_token stop) {
  if (site.verify_afresh) return site.verify_afresh(point, stop);
  return site.vault->verify(point, {}, stop);
}

}  // namespace

Result<std::string> origin_of(journal::Journal& journal, const std::string& run) {
  TRY_LET(auto events, journal.load(run));
  if (events.empty()) return fail(Fault::corrupt, "run " + run + " has no first event");
  return events.front().hash;
}

Result<std::string> anchor_of(journal::Journal& journal) {
  TRY_LET(const auto head, journal.head());
  return head.first == 0 ? std::string() : fmt::format("{}:{}", head.first, head.second);
}

Result<vault::Point> take_verified_point(const Site& site, database::Database& database,
                                         const vault::BackupRequest& request,
                                         const vault::OnProgress& progress, std::stop_token stop) {
  TRY_LET(auto point,
          vault::take_restore_point(database, *site.vault, request, *site.clock, progress, stop));
  const std::string where = "verifying restore point " + point.name;
  auto report = read_afresh(site, point.name, stop);
  if (!report && report.error().fault != Fault::corrupt) return std::move(report).error().in(where);
  std::vector<std::string> problems =
      report ? std::move(report->problems) : std::vector<std::string>{report.error().message()};
  if (report && problems.empty() && report->documents != point.documents) {
    problems.push_back(fmt::format("{} documents came back of {}", with_commas(report->documents),
                                   with_commas(point.documents)));
  }
  if (problems.empty()) return point;
  const auto removed = site.vault->forget(point.name);
  if (!removed && removed.error().fault != Fault::busy) return Error(removed.error()).in(where);
  return fail(Fault::corrupt,
              fmt::format(
                  "it does not come back from {} as it was written, and {}: {}. "
                  "Look at the disk, then take it again",
                  site.vault->where(),
                  removed ? "was removed" : "cannot be removed, " + removed.error().message(),
                  join(problems, "; ")))
      .in(where);
}

Result<vault::Point> point_meant(const Site& site, const Json& args, const std::string& run) {
  TRY_LET(const auto wanted, meant(site, args, "point", run));
  TRY_LET(auto point, wanted.owner ? vault::load_own_point(*site.vault, wanted.name, *wanted.owner)
                                   : site.vault->load(wanted.name));
  TRY(vault::fits(point, place_of(site)));
  return point;
}

Result<std::string> salvage_meant(const Site& site, const Json& args, const std::string& run) {
  TRY_LET(const auto wanted, meant(site, args, "undo", run));
  TRY_LET(auto salvage, wanted.owner
                            ? vault::load_own_salvage(*site.vault, wanted.name, *wanted.owner)
                            : vault::load_salvage(*site.vault, wanted.name));
  TRY(vault::fits(salvage, place_of(site)));
  return salvage.name;
}

Result<int> apply_retention(const Site& site, const vault::Point& fresh) {
  TRY_LET(const auto needed, needed_of(site));
  TRY_LET(const int points, forget_points(site, needed, fresh.name));
  TRY_LET(const int salvages, forget_salvages(site, needed));
  if (points + salvages > 0) {
    TRY_LET(auto freed, site.vault->prune());
    static_cast<void>(freed);
  }
  return points + salvages;
}

}  // namespace belay::engine
