// SPDX-License-Identifier: Apache-2.0
#include "base/process.hpp"
#include "base/text.hpp"
#include "notify/notify.hpp"

namespace belay::notify {
namespace {

constexpr std::size_t output_limit = std::size_t{1} << 20;
constexpr std::size_t longest_variable = 1000;

// For an environment variable: one line, cut at a character's edge.
std::string one_line(std::string text) {
  if (text.size() > longest_variable) {
    std::size_t end = longest_variable;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    text.resize(end);
  }
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return text;
}

std::string last_line(const std::string& text) {
  std::string line;
  for (const auto& one : split(text, '\n')) {
    if (!trim(one).empty()) line = trim(one);
  }
  return one_line(line.substr(0, 200));
}

class CommandNotifier final : public Notifier {
 public:
  CommandNotifier(std::string shell_command, Millis limit)
      : shell_command_(std::move(shell_command)), limit_(limit) {}

  Status announce(const Announcement& announcement) override {
    if (trim(shell_command_).empty()) {
      return fail(Fault::invalid, "notify: there is no command to run");
    }
    auto finished = run(command_for(announcement));
    if (!finished.ok()) {
      auto error = std::move(finished).error();
      // It may have told somebody before it was ended.
      if (error.fault == Fault::timeout) error.effect = Effect::unknown;
      return std::move(error).in("announce \"" + one_line(announcement.title) + "\"");
    }
    if (finished->ok()) return {};
    const auto said = last_line(finished->err);
    return unknown_effect(
        Fault::refused, fmt::format("the notify command ended with status {}{}{}", finished->status,
                                    said.empty() ? "" : ": ", said));
  }

 private:
  // Our own environment may hold secrets: the program gets only the usual few and what is here.
  Command command_for(const Announcement& announcement) const {
    Command command;
    command.argv = {"/bin/sh", "-c", shell_command_};
    command.inherit_env = false;
    command.env = {{"BELAY_EVENT", one_line(announcement.kind)},
                   {"BELAY_TITLE", one_line(announcement.title)}};
    command.input = canonical({{"title", announcement.title},
                               {"text", announcement.text},
                               {"kind", announcement.kind},
                               {"facts", announcement.facts}}) +
                    "\n";
    command.limit = limit_;
    command.output_limit = output_limit;
    return command;
  }

  std::string shell_command_;
  Millis limit_;
};

}  // namespace

std::unique_ptr<Notifier> make_command(std::string shell_command, Millis limit) {
  return std::make_unique<CommandNotifier>(std::move(shell_command), limit);
}

}  // namespace belay::notify
