// SPDX-License-Identifier: Apache-2.0
// Each call to the world, one at a time, fails or loses its reply: the run still ends well, and
// code, data and fence agree with how it ended.
#include "tests/engine/shop.hpp"

namespace belay::engine::testing {
namespace {

using fake::FaultPlan;
using fake::Trouble;

struct Case {
  const char* name;
  bool rollback, bad;
  Trouble trouble;
};
void PrintTo(const Case& one, std::ostream* out) {
  *out << one.name;
}

Setting setting_of(const Case& one) {
  Setting setting;
  setting.second_is_live = one.rollback;
  if (one.bad) setting.bad = second_release;
  return setting;
}

pipeline::Plan plan_of(const Case& one, Shop& shop) {
  return one.rollback ? shop.rollback_plan() : shop.deploy_plan();
}

std::map<std::string, FaultPlan*> troubles(Shop& shop) {
  return {{"backend", &shop.backend.faults},
          {"frontend", &shop.frontend.faults},
          {"mailer", &shop.mailer.faults},
          {"proxy", &shop.traffic.faults},
          {"database", &shop.database.plan}};
}

struct Call {
  std::string who, name;
  int nth = 1;
};

// Every call that the run makes, each with how often it was made before.
std::vector<Call> calls_of(const Case& one) {
  Shop shop(setting_of(one));
  const auto run = shop.create(plan_of(one, shop));
  std::map<std::string, std::size_t> before;
  for (const auto& [who, plan] : troubles(shop)) before[who] = plan->calls().size();
  shop.finish(run);
  std::vector<Call> all;
  for (const auto& [who, plan] : troubles(shop)) {
    const auto calls = plan->calls();
    std::map<std::string, int> seen;
    for (std::size_t i = before[who]; i < calls.size(); ++i)
      all.push_back({who, calls[i], ++seen[calls[i]]});
  }
  return all;
}

// "" when code, data and fence are as the ending says.
std::string contradiction(Shop& shop, const Case& one, const std::string& ending,
                          const Json& at_first) {
  const bool forward = ending == "done";
  const auto live_before = one.rollback ? second_release : first_release;
  const auto wanted = one.rollback ? first_release : second_release;
  const auto state = shop.state();
  if (ending != "done" && ending != "rolled_back" && ending != "failed")
    return "it ended " + ending;
  if (!state.at("locks").empty()) return "a lock is left";
  for (const char* service : {"backend", "frontend"}) {
    const auto& route = state.at("routes").at(service);
    if (route.at("held").get<bool>()) return std::string(service) + " is held";
    if (route.at("active") != (forward ? wanted : live_before))
      return fmt::format("{} is on {} after {}", service, route.at("active").dump(), ending);
    const auto running = state.at("running").at(service).dump();
    if (running.find(forward ? wanted : live_before) == std::string::npos)
      return fmt::format("what {} is on does not run: {}", service, running);
  }
  const Json workers{forward ? wanted : live_before};
  if (state.at("running").at("mailer") != workers)
    return fmt::format("after {} the workers are {}", ending, state["running"]["mailer"].dump());
  const auto& documents = state.at("documents");
  const bool changed = documents != at_first;
  if (changed != forward) return fmt::format("after {} the data is\n{}", ending, documents.dump());
  if (state.at("migrations") > 1) return "it was migrated twice";
  return "";
}

class TroubleSweep : public ::testing::TestWithParam<Case> {};

TEST_P(TroubleSweep, WhicheverCallItMeetsTheRunEndsWell) {
  const auto calls = calls_of(GetParam());
  ASSERT_GT(calls.size(), 30u);
  std::map<std::string, std::string> wrong;
  for (const auto& call : calls) {
    Shop shop(setting_of(GetParam()));
    const auto run = shop.create(plan_of(GetParam(), shop));
    const auto at_first = shop.documents();
    troubles(shop).at(call.who)->on(call.name, GetParam().trouble, call.nth);
    const auto problem = contradiction(shop, GetParam(), shop.finish(run), at_first);
    if (!problem.empty())
      wrong.emplace(problem, fmt::format("{} {} #{}", call.who, call.name, call.nth));
  }
  for (const auto& [problem, where] : wrong) ADD_FAILURE() << where << ": " << problem;
}

INSTANTIATE_TEST_SUITE_P(
    Of, TroubleSweep,
    ::testing::Values(Case{"DeployLostReply", false, false, Trouble::lose_reply},
                      Case{"DeployFailure", false, false, Trouble::fail},
                      Case{"BadDeployLostReply", false, true, Trouble::lose_reply},
                      Case{"BadDeployFailure", false, true, Trouble::fail},
                      Case{"RollbackLostReply", true, false, Trouble::lose_reply},
                      Case{"RollbackFailure", true, false, Trouble::fail}),
    [](const auto& of) { return std::string(of.param.name); });

}  // namespace
}  // namespace belay::engine::testing
