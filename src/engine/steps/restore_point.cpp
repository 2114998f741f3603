// SPDX-License-Identifier: Apache-2.0
// The verified restore point without which nothing ships. Retention follows a verified new point,
// never comes before it.
#include <fmt/format.h>

#include "base/text.hpp"
#include "engine/points.hpp"
#include "engine/steps/steps.hpp"

namespace belay::engine {

namespace {

class RestorePoint final : public StepKind {
 public:
  explicit RestorePoint(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    auto taken = take_and_tidy(context);
    const bool may_fail = context.step.args.value("may_fail", false);
    if (taken || !may_fail || taken.error().fault == Fault::cancelled) return taken;
    // Customers are on good code already: going forward to the bad one again would help nobody.
    return Json{{"failed", taken.error().message()},
                {"summary", "NO SAFETY POINT: " + taken.error().message()}};
  }

 private:
  Result<Json> take_and_tidy(const StepContext& context) {
    TRY_LET(auto point, take(context));
    tidy(context, point);
    return Json{
        {"point", point.name},
        {"summary", fmt::format("{} {} · {} documents, {}", point.name,
                                point.exact ? "exact at " + time_of_day(vault::instant_of(point))
                                            : "FUZZY: " + point.method,
                                with_commas(point.documents), bytes_for_people(point.bytes))},
        {"exact", point.exact},
        {"documents", point.documents},
        {"bytes", point.bytes},
        {"stored_bytes", point.stored_bytes}};
  }

  Result<vault::Point> take(const StepContext& context) {
    vault::BackupRequest request;
    request.kind = context.step.args.value("kind", std::string("deploy"));
    request.name = (request.kind == "safety" ? "safety-" : "rp-") + context.run;
    request.project = context.plan.project;
    request.environment = context.plan.environment;
    request.run = context.run;
    request.by = context.plan.requester.name;
    request.databases = site_.database_names;
    TRY_LET(request.journal_head, anchor_of(*site_.journal));
    request.fenced = context.step.args.value("fenced", false);
    TRY_LET(request.origin, origin_of(*site_.journal, context.run));
    return take_verified_point(
        site_, *site_.database, request,
        [&](const vault::Progress& p) {
          context.reporter.progress(context.run, context.step,
                                    {p.what, p.done, p.total, "documents"});
        },
        context.stop);
  }

  // The point is there and good: what fails from here on is told, and stops nothing.
  void tidy(const StepContext& context, const vault::Point& point) {
    if (!site_.backups.empty()) {
      if (auto written = vault::write_metadata(site_.backups, point); !written)
        context.say("warning: no metadata file: " + written.error().message());
    }
    auto expired = apply_retention(site_, point);
    if (!expired) {
      context.say("warning: old restore points were not removed: " + expired.error().message());
    } else if (*expired > 0) {
      context.say(fmt::format("{} old restore points and salvages were removed", *expired));
    }
  }

  Site& site_;
};

}  // namespace

std::unique_ptr<StepKind> make_restore_point(Site& site) {
  return std::make_unique<RestorePoint>(site);
}

}  // namespace belay::engine
