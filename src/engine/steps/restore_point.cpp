// SPDX-License-Identifier: Apache-2.0
// The verified restore point without which nothing ships. Retention follows a verified new point,
// never comes before it.
#include <fmt/format.h>

#include "base/text.hpp"
#include "engine/releases.hpp"
#include "engine/steps/steps.hpp"
#include "vault/backup.hpp"

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
    TRY_LET(auto expired, apply_retention(point.name));
    if (expired > 0) context.say(fmt::format("{} old restore points were removed", expired));
    return Json{
        {"point", point.name},
        {"summary", fmt::format("{} {} · {} documents, {}", point.name,
                                point.exact ? "exact at " + to_text(point.finished).substr(11, 12)
                                            : "FUZZY: " + point.method,
                                with_commas(point.documents), bytes_for_people(point.bytes))},
        {"exact", point.exact},
        {"documents", point.documents},
        {"bytes", point.bytes},
        {"stored_bytes", point.stored_bytes}};
  }

  Result<vault::Point> take(const StepContext& context) {
    TRY_LET(auto head, site_.journal->head());
    vault::BackupRequest request;
    request.kind = context.step.args.value("kind", std::string("deploy"));
    request.name = (request.kind == "safety" ? "safety-" : "rp-") + context.run;
    request.project = context.plan.project;
    request.environment = context.plan.environment;
    request.run = context.run;
    request.journal_head = fmt::format("{}:{}", head.first, head.second);
    request.fenced = context.step.args.value("fenced", false);
    return vault::take_restore_point(
        *site_.database, *site_.vault, request, *site_.clock,
        [&](const vault::Progress& p) {
          context.reporter.progress(context.run, context.step,
                                    {p.what, p.done, p.total, "documents"});
        },
        context.stop);
  }

  // Points that a release could still need are never removed by age.
  Result<int> apply_retention(const std::string& fresh) {
    TRY_LET(auto points, site_.vault->list());
    TRY_LET(auto releases, read_releases(*site_.journal, site_.environment));
    std::vector<std::string> needed{fresh};
    if (const auto* before = releases.before_live())
      needed.push_back(releases.data_of(before->tag).name);
    const auto& keep = site_.present.vault.keep;
    const auto gone = vault::expired(points, {keep.last, keep.days, keep.safety_days},
                                     site_.clock->now(), needed);
    for (const auto& name : gone) TRY(site_.vault->forget(name));
    if (!gone.empty()) {
      TRY_LET(auto freed, site_.vault->prune());
      static_cast<void>(freed);
    }
    return static_cast<int>(gone.size());
  }

  Site& site_;
};

}  // namespace

std::unique_ptr<StepKind> make_restore_point(Site& site) {
  return std::make_unique<RestorePoint>(site);
}

}  // namespace belay::engine
