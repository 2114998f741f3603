// SPDX-License-Identifier: Apache-2.0
#include "app/plan_shape.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace belay::app {

using pipeline::Plan;
using pipeline::Step;

namespace {

// "Vercel", where a platform builds and runs it; else "".
std::string platform_of(const PlanParts& parts, const std::string& name) {
  for (const auto& placed : parts.env->services) {
    if (placed.service != name) continue;
    if (placed.target == pipeline::Placement::Target::vercel) return "Vercel";
    if (placed.target == pipeline::Placement::Target::railway) return "Railway";
  }
  return "";
}

std::string build_title(const PlanParts& parts, const std::string& name) {
  const auto platform = platform_of(parts, name);
  if (platform == "Railway") return name + ", by Railway when it goes live";
  if (is_built_under_lock(parts, name)) return name + ", at Vercel, with its variables set there";
  return platform.empty() ? name : name + ", at " + platform;
}

std::string start_title(const PlanParts& parts, const std::string& name, bool first) {
  const auto platform = platform_of(parts, name);
  if (!platform.empty()) return name + ", left to " + platform;
  return name + (first ? ", at its address at once" : ", beside the live one");
}

}  // namespace

Ids in_order(const PlanParts& parts) {
  Ids order;
  const std::function<void(const std::string&)> add = [&](const std::string& name) {
    const auto* service = parts.release->service(name);
    const bool placed = std::any_of(parts.env->services.begin(), parts.env->services.end(),
                                    [&](const auto& p) { return p.service == name; });
    if (service == nullptr || std::find(order.begin(), order.end(), name) != order.end()) return;
    for (const auto& before : service->needs) add(before);
    if (placed && std::find(order.begin(), order.end(), name) == order.end()) order.push_back(name);
  };
  for (const auto& placed : parts.env->services) add(placed.service);
  return order;
}

Ids answering(const PlanParts& parts) {
  auto names = in_order(parts);
  std::erase_if(names, [&](const auto& name) {
    return parts.release->service(name)->kind == pipeline::Service::Kind::worker;
  });
  return names;
}

bool behind_proxy(const PlanParts& parts) {
  return std::any_of(parts.env->services.begin(), parts.env->services.end(), [](const auto& p) {
    return p.target == pipeline::Placement::Target::host && !p.listen.empty();
  });
}

Fence fence_of(const PlanParts& parts) {
  Fence fence;
  fence.proxied = behind_proxy(parts);
  for (const auto& placed : parts.env->services) {
    if (!placed.hold) continue;
    const auto at = platform_of(parts, placed.service);
    fence.platforms.push_back(
        placed.hold->stop ? fmt::format("{} is stopped at {}", placed.service, at)
                          : fmt::format("{} is deployed anew at {} with {}={}", placed.service, at,
                                        placed.hold->variable, placed.hold->on));
  }
  return fence;
}

std::string Fence::title(const std::string& at_the_proxy) const {
  auto parts = platforms;
  if (proxied) parts.insert(parts.begin(), at_the_proxy);
  return join(parts, ", ");
}

Step hold_step(const Fence& fence, std::string id, bool way_back) {
  auto step = changing(std::move(id), "hold",
                       fence.title(way_back ? "new requests wait" : "customers' requests wait"),
                       "let them go on");
  if (!fence.platforms.empty())
    step.args = {{"platforms", fence.platforms}, {"proxied", fence.proxied}};
  return step;
}

Ids with_prefix(const std::string& prefix, const Ids& names) {
  Ids ids;
  for (const auto& name : names) ids.push_back(prefix + name);
  return ids;
}

bool is_built_under_lock(const PlanParts& parts, const std::string& name) {
  const auto* service = parts.release->service(name);
  return service != nullptr &&
         std::any_of(parts.env->services.begin(), parts.env->services.end(), [&](const auto& p) {
           return p.service == name && p.target == pipeline::Placement::Target::vercel &&
                  has_variables(*service, p);
         });
}

Ids add_builds(Plan& plan, const PlanParts& parts, const Ids& services, const Ids& after,
               const std::string& why) {
  for (const auto& name : services) {
    Step build{"build:" + name, "build", why.empty() ? build_title(parts, name) : name + why,
               after};
    build.args = {{"service", name}};
    plan.steps.push_back(std::move(build));
  }
  return services.empty() ? after : with_prefix("build:", services);
}

Ids add_starts(Plan& plan, const PlanParts& parts, const Ids& services, const Ids& after,
               bool changes) {
  for (const auto& name : services) {
    Ids before = after;
    for (const auto& needed : parts.release->service(name)->needs) {
      if (std::find(services.begin(), services.end(), needed) != services.end())
        before.push_back("start:" + needed);
    }
    // The first release has nothing to stand beside: what is ready is reached at once, because the
    // services that need it ask for it at its address.
    const bool first = changes && plan.live.empty();
    Step step{"start:" + name, "start", start_title(parts, name, first), std::move(before)};
    step.args = {{"service", name}, {"release", "new"}};
    if (first) step.args["open"] = true;
    // Old code may not bear the new data: that it listens is enough until the data is back.
    if (!changes) step.args["listening"] = true;
    step.changes = changes;
    step.undo = changes ? "stop it" : "";
    plan.steps.push_back(std::move(step));
  }
  return with_prefix("start:", services);
}

Step workers_step(const std::string& release, const std::string& undo) {
  auto step = changing("workers", "workers", "the workers of " + release + ", and no others", undo);
  step.args = {{"release", "new"}};
  return step;
}

void back(Plan& plan, std::string id, std::string kind, std::string title, Json args, Ids undoes) {
  Step step{std::move(id), std::move(kind), std::move(title)};
  step.args = std::move(args);
  step.undoes = std::move(undoes);
  plan.back.push_back(std::move(step));
}

}  // namespace belay::app
