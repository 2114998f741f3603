// SPDX-License-Identifier: Apache-2.0
// The data half of the way back. Which state: the plan says so, never "the newest".
#include <fmt/format.h>

#include "base/text.hpp"
#include "engine/points.hpp"
#include "engine/steps/steps.hpp"
#include "vault/rewind.hpp"

namespace belay::engine {

namespace {

Json difference_json(const vault::Difference& one) {
  return {{"collection", one.ns.text()},
          {"reverted", one.reverted},
          {"removed", one.removed},
          {"brought_back", one.brought_back},
          {"collection_removed", one.collection_removed},
          {"collection_created", one.collection_created},
          {"catalogue", one.catalogue},
          {"samples", one.samples}};
}

struct Sums {
  std::uint64_t reverted = 0, removed = 0, brought_back = 0;
};

Sums sum(const vault::Preview& preview) {
  Sums all;
  for (const auto& one : preview.differences) {
    all.reverted += one.reverted;
    all.removed += one.removed;
    all.brought_back += one.brought_back;
  }
  return all;
}

Json preview_json(const vault::Preview& preview) {
  Json list = Json::array();
  for (const auto& one : preview.differences) list.push_back(difference_json(one));
  const auto all = sum(preview);
  return {{"differences", list},
          {"reverted", all.reverted},
          {"removed", all.removed},
          {"brought_back", all.brought_back},
          {"compared", preview.compared}};
}

vault::OnProgress progress_of(const StepContext& context) {
  return [&context](const vault::Progress& p) {
    context.reporter.progress(context.run, context.step, {p.what, p.done, p.total, "documents"});
  };
}

class Rewind final : public StepKind {
 public:
  explicit Rewind(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    const std::string salvage =
        (context.step.args.value("again", false) ? "salvage-again-" : "salvage-") + context.run;
    vault::RewindRequest request{salvage, context.plan.project, context.plan.environment,
                                 context.run};
    TRY_LET(request.origin, origin_of(*site_.journal, context.run));
    request.databases = site_.database_names;
    if (context.step.args.value("again", false)) {
      // The salvage is complete before the first document is changed; where nothing differed there
      // is none.
      auto undo = salvage_meant(site_, context.step.args, context.run);
      if (!undo && undo.error().fault == Fault::missing)
        return Json{{"summary", "no document had been changed"}};
      if (!undo) return std::move(undo).error();
    }
    std::string as_of;  // the instant that the data is brought to; empty: what it was before
    TRY_LET(auto report, go(context, request, as_of));
    const auto all = sum(report.done);
    Json result = preview_json(report.done);
    result["salvage"] = report.salvage;
    result["verified"] = report.verified;
    if (!as_of.empty()) result["as_of"] = as_of;
    result["summary"] =
        report.salvage.empty()
            ? "nothing differed"
            : fmt::format("{} reverted, {} taken back, {} brought back · kept in {}",
                          with_commas(all.reverted), with_commas(all.removed),
                          with_commas(all.brought_back), report.salvage);
    return result;
  }

 private:
  Result<vault::RewindReport> go(const StepContext& context, const vault::RewindRequest& request,
                                 std::string& as_of) {
    if (context.step.args.contains("undo")) {
      TRY_LET(const auto undo, salvage_meant(site_, context.step.args, context.run));
      return vault::undo_rewind(*site_.database, *site_.vault, undo, request, *site_.clock,
                                progress_of(context), context.stop);
    }
    TRY_LET(auto point, point_meant(site_, context.step.args, context.run));
    as_of = to_text(vault::instant_of(point));
    return vault::rewind(*site_.database, *site_.vault, point, request, *site_.clock,
                         progress_of(context), context.stop);
  }

  Site& site_;
};

class Preview final : public StepKind {
 public:
  explicit Preview(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    TRY_LET(auto point, point_meant(site_, context.step.args, context.run));
    TRY_LET(auto preview, vault::preview_rewind(*site_.database, *site_.vault, point,
                                                progress_of(context), context.stop));
    Json result = preview_json(preview);
    const auto all = sum(preview);
    result["summary"] = fmt::format(
        "going back to {} would revert {}, take back {} and bring back {} documents", point.name,
        with_commas(all.reverted), with_commas(all.removed), with_commas(all.brought_back));
    return result;
  }

 private:
  Site& site_;
};

}  // namespace

std::unique_ptr<StepKind> make_rewind(Site& site) {
  return std::make_unique<Rewind>(site);
}
std::unique_ptr<StepKind> make_preview(Site& site) {
  return std::make_unique<Preview>(site);
}

}  // namespace belay::engine
