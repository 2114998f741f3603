// SPDX-License-Identifier: Apache-2.0
#include "engine/steps/steps.hpp"

namespace belay::engine {

StepTable make_steps(Site& site) {
  StepTable table;
  table["test"] = make_test(site);
  table["build"] = make_build(site);
  table["recheck"] = make_recheck(site);
  table["restore_point"] = make_restore_point(site);
  table["migrate"] = make_migrate(site);
  table["start"] = make_start(site);
  table["workers"] = make_workers(site);
  table["stop"] = make_stop(site);
  table["switch"] = make_switch(site);
  table["hold"] = make_hold(site);
  table["lift"] = make_lift(site);
  table["rewind"] = make_rewind(site);
  table["preview"] = make_preview(site);
  table["apply"] = make_apply(site);
  table["check"] = make_check(site);
  table["watch"] = make_watch(site);
  table["tag"] = make_tag(site);
  table["announce"] = make_announce(site);
  table["clean_up"] = make_clean_up(site);
  if (!site.followers.empty()) table["follow"] = make_follow(site);
  if (site.reviews) table["reviews"] = make_reviews(site);
  return table;
}

std::string release_of(const StepContext& context) {
  const auto name = context.step.args.value("release", std::string("new"));
  if (name == "new") return context.plan.release;
  if (name == "live") return context.plan.live;
  return name;
}

}  // namespace belay::engine
