// SPDX-License-Identifier: Apache-2.0
#include "tests/support/actions_runner.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <set>

namespace belay::testing {

namespace {

using Escapes = std::vector<std::pair<std::string, std::string>>;

const Escapes of_data{{"%0D", "\r"}, {"%0A", "\n"}, {"%25", "%"}};
const Escapes of_property{{"%0D", "\r"}, {"%0A", "\n"}, {"%3A", ":"}, {"%2C", ","}, {"%25", "%"}};

std::string unescaped(std::string text, const Escapes& escapes) {
  for (const auto& [escape, meant] : escapes) {
    for (auto at = text.find(escape); at != std::string::npos;
         at = text.find(escape, at + meant.size()))
      text.replace(at, escape.size(), meant);
  }
  return text;
}

// As .NET reads: each of \n, \r and \r\n ends a line.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    if (text[i] == '\n' || text[i] == '\r')
      lines.emplace_back();
    else
      lines.back() += text[i];
  }
  return lines;
}

// Spaces of Unicode are cut off as well.
std::string left_trimmed(std::string line) {
  static const std::vector<std::string> spaces{
      " ", "\t", "\v", "\f", "\xc2\xa0", "\xc2\x85", "\xe2\x80\x83", "\xe3\x80\x80"};
  for (bool cut = true; cut;) {
    cut = false;
    for (const auto& space : spaces) {
      if (!line.starts_with(space)) continue;
      line.erase(0, space.size());
      cut = true;
    }
  }
  return line;
}

std::optional<RunnerCommand> read(const std::string& head, const std::string& data, char separator,
                                  const std::set<std::string>& known) {
  const auto space = head.find(' ');
  RunnerCommand command{head.substr(0, space), {}, unescaped(data, of_data)};
  if (!known.contains(command.name)) return std::nullopt;
  if (space == std::string::npos) return command;
  std::string rest = head.substr(space + 1);
  while (!rest.empty()) {
    const auto one = rest.substr(0, rest.find(separator));
    const auto equals = one.find('=');
    if (equals != std::string::npos)
      command.properties[one.substr(0, equals)] = unescaped(one.substr(equals + 1), of_property);
    rest.erase(0, one.size() + 1);
  }
  return command;
}

std::optional<RunnerCommand> command_in(const std::string& whole,
                                        const std::set<std::string>& known) {
  const auto line = left_trimmed(whole);
  if (const auto end = line.find("::", 2); line.starts_with("::") && end != std::string::npos) {
    if (auto found = read(line.substr(2, end - 2), line.substr(end + 2), ',', known)) return found;
  }
  const auto begin = whole.find("##[");
  const auto end = begin == std::string::npos ? begin : whole.find(']', begin);
  if (end == std::string::npos) return std::nullopt;
  return read(whole.substr(begin + 3, end - begin - 3), whole.substr(end + 1), ';', known);
}

}  // namespace

std::vector<RunnerCommand> commands_in(const std::string& output) {
  std::set<std::string> known{"error",    "warning",  "notice",     "debug",      "group",
                              "endgroup", "add-mask", "set-output", "save-state", "stop-commands",
                              "set-env",  "add-path", "echo",       "add-matcher"};
  std::vector<RunnerCommand> commands;
  std::string token;
  for (const auto& line : lines_of(output)) {
    const auto command = command_in(line, known);
    if (!command) continue;
    if (!token.empty()) {
      if (command->name != token) continue;
      known.erase(std::exchange(token, ""));
    } else if (command->name == "stop-commands") {
      token = command->data;
      known.insert(token);
    } else {
      commands.push_back(*command);
    }
  }
  EXPECT_EQ(token, "") << "commands stay stopped";
  return commands;
}

std::map<std::string, std::string> outputs_in(const std::string& file) {
  std::map<std::string, std::string> outputs;
  const auto lines = lines_of(file);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].empty()) continue;
    const auto equals = lines[i].find('='), heredoc = lines[i].find("<<");
    if (heredoc == std::string::npos || equals < heredoc) {
      EXPECT_NE(equals, std::string::npos) << "no NAME=VALUE: " << lines[i];
      if (equals == std::string::npos) return outputs;
      outputs[lines[i].substr(0, equals)] = lines[i].substr(equals + 1);
      continue;
    }
    const auto name = lines[i].substr(0, heredoc), delimiter = lines[i].substr(heredoc + 2);
    std::string value;
    for (++i; i < lines.size() && lines[i] != delimiter; ++i)
      value += (value.empty() ? "" : "\n") + lines[i];
    EXPECT_LT(i, lines.size()) << "no end of " << name;
    outputs[name] = value;
  }
  return outputs;
}

}  // namespace belay::testing
