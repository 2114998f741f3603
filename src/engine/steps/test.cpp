// SPDX-License-Identifier: Apache-2.0
// The project's own tests, in a fresh copy of the commit, before anybody is asked for approval.
#include <fmt/format.h>
#include <unistd.h>

#include <regex>

#include "base/accounts.hpp"
#include "engine/steps/child.hpp"
#include "engine/steps/prepare.hpp"
#include "engine/steps/steps.hpp"

namespace belay::engine {

namespace {

// What test programs say at their end; the first that matches counts.
std::string counts_in(const std::string& output) {
  static const std::array<std::regex, 5> forms{
      std::regex(R"(# pass (\d+))"),           // node --test
      std::regex(R"(Tests:.*?(\d+) passed)"),  // jest, vitest
      std::regex(R"((\d+) passed)"),           // pytest, playwright
      std::regex(R"(Ran (\d+) tests?)"),       // unittest
      std::regex(R"((\d+) passing)"),          // mocha
  };
  const std::string tail = output.size() > 65536 ? output.substr(output.size() - 65536) : output;
  for (const auto& form : forms) {
    std::smatch match;
    if (std::regex_search(tail, match, form)) return match[1].str() + " passed";
  }
  return {};
}

class Test final : public StepKind {
 public:
  explicit Test(Site& site) : site_(site) {}

  Result<Json> perform(const StepContext& context) override {
    const auto& spec = site_.releases.at(context.plan.release);
    const auto user = ::geteuid() == 0 ? pipeline::user_of_test(spec, site_.env()) : "";
    TRY_LET(auto before, context.world.children.look(context.key));
    Path folder = copy_folder(site_.work, context) / site_.prefix;
    if (before.state == ChildState::absent) {
      TRY_LET(folder, copy_for(site_, context, user));
    }
    ChildRun run{spec.test, (folder / spec.test_in).lexically_normal(),
                 environment_for(user, site_.own, site_.plain_environment), user, spec.test_limit};
    auto output = run_child(context, run);
    if (!output && output.error().fault == Fault::cancelled) return std::move(output).error();
    TRY(remove_copies(site_.work, context));
    if (!output) return std::move(output).error();
    const auto counts = counts_in(*output);
    return Json{{"summary", counts.empty() ? "passed" : counts}};
  }

  Result<Checked> check(const StepContext& context) override {
    return check_harmless_child(context);
  }
  Status abandon(const StepContext& context) override {
    TRY(context.world.children.end(context.key, std::chrono::seconds(5)));
    static_cast<void>(remove_copies(site_.work, context).ok());
    return {};
  }

 private:
  Site& site_;
};

}  // namespace

std::unique_ptr<StepKind> make_test(Site& site) {
  return std::make_unique<Test>(site);
}

}  // namespace belay::engine
