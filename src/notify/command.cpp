// SPDX-License-Identifier: Apache-2.0
#include "base/process.hpp"
#include "notify/notify.hpp"

namespace belay::notify {

namespace {

constexpr std::size_t output_limit = 64 << 10;

Json to_json(const Announcement& news) {
  return {{"kind", news.kind}, {"title", news.title}, {"text", news.text}, {"facts", news.facts}};
}

class CommandNotifier final : public Notifier {
 public:
  CommandNotifier(std::string command, Millis limit) : command_(std::move(command)), limit_(limit) {}

  Status announce(const Announcement& news) override {
    Command command;
    command.argv = {"/bin/sh", "-c", command_};
    command.env = {{"BELAY_EVENT", news.kind}, {"BELAY_TITLE", news.title}};
    command.input = canonical(to_json(news)) + "\n";
    command.limit = limit_;
    command.output_limit = output_limit;
    TRY_LET(auto finished, run_ok(command).in("notify: command"));
    static_cast<void>(finished);
    return {};
  }

 private:
  std::string command_;
  Millis limit_;
};

}  // namespace

std::unique_ptr<Notifier> make_command(std::string shell_command, Millis limit) {
  return std::make_unique<CommandNotifier>(std::move(shell_command), limit);
}

}  // namespace belay::notify
