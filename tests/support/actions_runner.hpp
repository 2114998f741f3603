// SPDX-License-Identifier: Apache-2.0
// What GitHub's runner makes of a step's output and files, by its published source: both forms of
// commands, wherever they stand; stop-commands; the file of outputs.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace belay::testing {

struct RunnerCommand {
  std::string name;
  std::map<std::string, std::string> properties;
  std::string data;
};

std::vector<RunnerCommand> commands_in(const std::string& output);
// Of the file GITHUB_OUTPUT. A failure of the test when the runner would refuse it.
std::map<std::string, std::string> outputs_in(const std::string& file);

}  // namespace belay::testing
