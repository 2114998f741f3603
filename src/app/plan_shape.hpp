// SPDX-License-Identifier: Apache-2.0
// What the steps of a deploy and of a rollback have in common, and what an environment calls for.
#pragma once

#include "app/plan_begin.hpp"
#include "app/plan_steps.hpp"

namespace belay::app {

// Of the release, in the order of `needs`.
Ids in_order(const PlanParts& parts);
// Those that customers or other services ask: all but the workers.
Ids answering(const PlanParts& parts);
bool behind_proxy(const PlanParts& parts);

// How those who write are held while data goes back.
struct Fence {
  bool proxied = false;  // customers' requests wait at our proxy
  Ids platforms;         // "backend is stopped at Railway"
  bool any() const { return proxied || !platforms.empty(); }
  // A platform's service is made live only when the data is back: it is not held any more then.
  bool data_first() const { return !platforms.empty(); }
  std::string title(const std::string& at_the_proxy) const;
};
Fence fence_of(const PlanParts& parts);
pipeline::Step hold_step(const Fence& fence, std::string id, bool way_back = false);

Ids with_prefix(const std::string& prefix, const Ids& names);
// It is built with variables that are set on the platform before: under the lock, so that no other
// run sets its own between the two.
bool is_built_under_lock(const PlanParts& parts, const std::string& name);
// Side by side, after `after`; `why` stands in the title instead of where. What comes next comes
// after what is returned.
Ids add_builds(pipeline::Plan& plan, const PlanParts& parts, const Ids& services, const Ids& after,
               const std::string& why = {});
Ids add_starts(pipeline::Plan& plan, const PlanParts& parts, const Ids& services, const Ids& after,
               bool changes);
pipeline::Step workers_step(const std::string& release, const std::string& undo);
void back(pipeline::Plan& plan, std::string id, std::string kind, std::string title, Json args,
          Ids undoes);

}  // namespace belay::app
