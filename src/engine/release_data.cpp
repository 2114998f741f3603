// SPDX-License-Identifier: Apache-2.0
// What the run that ended a release's time really left of its data, and whether that still counts.
#include <fmt/format.h>

#include "engine/loaded.hpp"
#include "engine/releases.hpp"

namespace belay::engine {

namespace {

DataOf none(const std::string& run, std::string why) {
  return {DataOf::Kind::none, {}, run, std::move(why)};
}

std::string salvage_of(const pipeline::History& history) {
  return history.done("rewind") ? history.record("rewind")->result.value("salvage", std::string())
                                : std::string();
}

DataOf from_safety_point(const pipeline::History& history, DataOf planned) {
  if (history.done("safety") && !history.record("safety")->result.contains("failed"))
    return planned;
  return none(planned.run, "run " + planned.run + " could take no safety point");
}

DataOf from_rewind(const Loaded& ended, DataOf planned) {
  const auto salvage = salvage_of(ended.history);
  if (!salvage.empty()) {
    planned.name = salvage;
    return planned;
  }
  const auto data = ended.plan.facts.value("data", std::string("none"));
  const auto* rewind = ended.plan.step("rewind");
  if (data.starts_with("point:") && rewind != nullptr)
    return {DataOf::Kind::point, data.substr(6), rewind->args.value("of", std::string()), {}};
  return none(planned.run, "run " + planned.run + " found nothing to change and kept nothing");
}

// Runs that changed data and were not taken back, one over the other.
class Changes {
 public:
  void add(const std::string& run, const Loaded& later) {
    const auto& history = later.history;
    if (later.plan.pipeline == "deploy") {
      if (history.begun("migrate") && !history.done("back:rewind"))
        standing_.push_back({run, "has migrated the data since", ""});
      return;
    }
    const bool nothing = history.done("rewind") && salvage_of(history).empty();
    if (!history.begun("rewind") || history.done("again:rewind") || nothing) return;
    const auto data = later.plan.facts.value("data", std::string());
    const bool undone = !standing_.empty() && (data == "undo:salvage-" + standing_.back().run ||
                                               data == "undo:" + standing_.back().salvage);
    if (undone)
      standing_.pop_back();
    else
      standing_.push_back({run, "has brought other data back since", salvage_of(history)});
  }
  // Empty: the data is as if there had been none.
  std::string text() const {
    return standing_.empty() ? "" : "run " + standing_.back().run + " " + standing_.back().what;
  }

 private:
  struct Change {
    std::string run, what, salvage;
  };
  std::vector<Change> standing_;
};

// Why what that run's salvage keeps is no longer the whole difference; empty: it still is.
Result<std::string> changed_since(journal::Journal& journal, const std::string& environment,
                                  const std::string& run) {
  TRY_LET(auto rows, journal.runs(environment, 100'000));
  const auto ender =
      std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.run == run; });
  if (ender == rows.end() || !ender->finished) return std::string();
  const auto since = *ender->finished;
  std::erase_if(rows, [&](const auto& row) {
    return row.run == run || (row.finished && *row.finished < since);
  });
  std::reverse(rows.begin(), rows.end());
  // One environment's runs have its lock one after the other; those that still go on come last.
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
    return a.finished.value_or(TimePoint::max()) < b.finished.value_or(TimePoint::max());
  });
  Changes changes;
  for (const auto& row : rows) {
    TRY_LET(auto later, load_run(journal, row.run));
    changes.add(row.run, later);
  }
  return changes.text();
}

}  // namespace

Result<DataOf> data_left(journal::Journal& journal, const std::string& environment,
                         const Releases& releases, const std::string& tag) {
  auto planned = releases.data_of(tag);
  if (planned.kind == DataOf::Kind::none) return planned;
  TRY_LET(auto ended, load_run(journal, planned.run));
  if (ended.plan.pipeline == "deploy") return planned;
  if (planned.kind == DataOf::Kind::point)
    return from_safety_point(ended.history, std::move(planned));
  auto left = from_rewind(ended, std::move(planned));
  if (left.kind != DataOf::Kind::undo) return left;
  TRY_LET(auto why, changed_since(journal, environment, left.run));
  if (why.empty()) return left;
  return none(left.run,
              why + ", and " + left.name + " keeps only what run " + left.run + " changed");
}

}  // namespace belay::engine
