// SPDX-License-Identifier: Apache-2.0
// Each command has a manual, and the manual knows every option that the command accepts.
#include <gtest/gtest.h>

#include "base/text.hpp"
#include "cli/cli.hpp"

namespace belay::cli {
namespace {

class Manual : public testing::TestWithParam<const Command*> {};

TEST_P(Manual, NamesItsCommandAndEveryOption) {
  const auto& command = *GetParam();
  ASSERT_TRUE(command.manual.starts_with("# belay " + command.name + "\n")) << command.manual;
  for (const auto& option : command.options) {
    const auto wanted = option.value.empty() ? option.name + " " : option.name + " " + option.value;
    EXPECT_NE(command.manual.find(wanted), std::string::npos)
        << "src/cli/" << command.name << ".md does not tell of " << wanted;
  }
}

TEST_P(Manual, SaysHowItExits) {
  EXPECT_NE(GetParam()->manual.find("\nExit: "), std::string::npos);
}

TEST_P(Manual, FitsATerminal) {
  for (const auto& line : split(GetParam()->manual, '\n')) EXPECT_LE(line.size(), 104U) << line;
}

TEST_P(Manual, NamesNoOptionThatTheCommandDoesNotKnow) {
  const auto& command = *GetParam();
  // The tables of options: four blanks, then the option.
  for (const auto& line : split(command.manual, '\n')) {
    if (!line.starts_with("    -")) continue;
    const auto name = split(trim(line), ' ').front();
    EXPECT_TRUE(std::any_of(command.options.begin(), command.options.end(),
                            [&](const Option& option) { return option.name == name; }))
        << name;
  }
}

std::vector<const Command*> all() {
  std::vector<const Command*> out;
  for (const auto& command : commands()) out.push_back(&command);
  return out;
}

INSTANTIATE_TEST_SUITE_P(Commands, Manual, testing::ValuesIn(all()),
                         [](const auto& test) { return test.param->name; });

}  // namespace
}  // namespace belay::cli
