// SPDX-License-Identifier: Apache-2.0
#include "engine/steps/child.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace belay::engine {

namespace {

std::string last_lines(const std::string& output, std::size_t count) {
  auto lines = split(trim(output), '\n');
  if (lines.size() > count)
    lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(count));
  return join(lines, "\n");
}

Status start_if_absent(const StepContext& context, const ChildRun& run) {
  TRY_LET(auto before, context.world.children.look(context.key));
  if (before.state != ChildState::absent) return {};
  ChildSpec spec{context.key, {"/bin/sh", "-c", run.command}, run.folder, run.env, run.user,
                 run.limit};
  return context.world.children.start(spec);
}

constexpr std::string_view copy_suffix = ".tree";

}  // namespace

Path copy_folder(const Path& work, const StepContext& context) {
  return work / (context.key + std::string(copy_suffix));
}

Status remove_copies(const Path& work, const StepContext& context) {
  // A key ends with the attempt's number.
  const auto begin = context.key.substr(0, context.key.rfind('.') + 1);
  std::error_code code;
  std::vector<Path> copies;
  for (const auto& entry : std::filesystem::directory_iterator(work, code)) {
    const auto name = entry.path().filename().string();
    if (name.starts_with(begin) && name.ends_with(copy_suffix)) copies.push_back(entry.path());
  }
  for (const auto& copy : copies) TRY(remove_tree(copy));
  return {};
}

Result<std::string> run_child(const StepContext& context, const ChildRun& run) {
  auto& children = context.world.children;
  TRY(start_if_absent(context, run));
  TRY_LET(auto ended, children.wait(
                          context.key,
                          [&](std::string_view text) {
                            context.reporter.output(context.run, context.step, text);
                          },
                          context.stop));
  if (ended.state != ChildState::ended) {
    return unknown_effect(Fault::timeout,
                          fmt::format("how \"{}\" ended is not known", run.command));
  }
  TRY_LET(auto output, children.output(context.key));
  if (ended.timed_out) {
    return fail(Fault::timeout, fmt::format("\"{}\" took longer than {} and was ended", run.command,
                                            for_people(run.limit)));
  }
  if (ended.status != 0) {
    return fail(Fault::refused, fmt::format("\"{}\" ended with status {}\n{}", run.command,
                                            ended.status, last_lines(output, 15)));
  }
  return output;
}

Result<Checked> check_child(const StepContext& context) {
  TRY_LET(auto status, context.world.children.look(context.key));
  switch (status.state) {
    case ChildState::absent: return Checked{Answer::absent, Json::object(), ""};
    case ChildState::running:
    case ChildState::ended: return Checked{Answer::adopt, Json::object(), ""};
    case ChildState::unknown: break;
  }
  return Checked{Answer::unknown, Json::object(),
                 "the program was started, and nobody saw how it ended"};
}

Result<Checked> check_harmless_child(const StepContext& context) {
  TRY_LET(auto checked, check_child(context));
  if (checked.answer == Answer::unknown) checked.answer = Answer::absent;
  return checked;
}

}  // namespace belay::engine
