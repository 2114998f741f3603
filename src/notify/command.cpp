// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "base/text.hpp"
#include "notify/notify.hpp"

namespace belay::notify {
namespace {

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

// Our own environment may hold secrets: the program gets only the usual few and what is here.
Environment environment_for(const Announcement& announcement) {
  Environment env{{"BELAY_EVENT", one_line(announcement.kind)},
                  {"BELAY_TITLE", one_line(announcement.title)},
                  {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}};
  for (const char* name : {"PATH", "HOME", "LANG", "TMPDIR", "USER"}) {
    if (const char* value = std::getenv(name)) env[name] = value;
  }
  return env;
}

std::string input_for(const Announcement& announcement) {
  return canonical({{"title", announcement.title},
                    {"text", announcement.text},
                    {"kind", announcement.kind},
                    {"facts", announcement.facts}}) +
         "\n";
}

class CommandNotifier final : public Notifier {
 public:
  CommandNotifier(std::string shell_command, Millis limit, Children& children, Path folder)
      : shell_command_(std::move(shell_command)),
        limit_(limit),
        children_(children),
        folder_(std::move(folder)) {}

  Status announce(const Announcement& announcement, const std::string& key) override {
    if (trim(shell_command_).empty()) {
      return fail(Fault::invalid, "notify: there is no command to run");
    }
    const auto what = "announce \"" + one_line(announcement.title) + "\"";
    TRY(begin(announcement, key).in(what));
    TRY_LET(const auto ended, children_.wait(key, {}, {}).in(what));
    remove_inputs(key);
    return judge(ended, key).in(what);
  }

 private:
  Path input_of(const std::string& key) const { return folder_ / (key + ".json"); }

  // Also what a killed process had written, half or whole, of this run's earlier ones: not each of
  // them is told once more. A key begins with its run.
  void remove_inputs(const std::string& key) const {
    const auto begin = key.substr(0, key.find('.') + 1);
    std::error_code code;
    std::vector<Path> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder_, code)) {
      const auto name = entry.path().filename().string();
      const bool input = name.find(".json") != std::string::npos && entry.is_regular_file(code);
      if (input && name.starts_with(begin)) found.push_back(entry.path());
    }
    for (const auto& path : found) std::filesystem::remove(path, code);
  }

  Status begin(const Announcement& announcement, const std::string& key) {
    TRY_LET(const auto before, children_.look(key));
    if (before.state != ChildState::absent) return {};
    TRY(make_folder(folder_));
    TRY(write_file(input_of(key), input_for(announcement), 0600));
    ChildSpec spec;
    spec.key = key;
    spec.argv = {"/bin/sh", "-c", "exec /bin/sh -c \"$1\" < \"$0\"", input_of(key).string(),
                 shell_command_};
    spec.env = environment_for(announcement);
    spec.limit = limit_;
    return children_.start(spec);
  }

  // What did not end well may have told somebody before.
  Status judge(const ChildStatus& ended, const std::string& key) {
    if (ended.state != ChildState::ended) {
      return unknown_effect(Fault::timeout, "nobody saw how the notify command ended");
    }
    if (ended.timed_out) {
      return unknown_effect(Fault::timeout, "the notify command took longer than " +
                                                for_people(limit_) + " and was ended");
    }
    if (ended.status == 0) return {};
    const auto output = children_.output(key);
    const auto said = output ? last_line(*output) : std::string();
    return unknown_effect(Fault::refused,
                          fmt::format("the notify command ended with status {}{}{}", ended.status,
                                      said.empty() ? "" : ": ", said));
  }

  std::string shell_command_;
  Millis limit_;
  Children& children_;
  Path folder_;
};

}  // namespace

std::unique_ptr<Notifier> make_command(std::string shell_command, Millis limit, Children& children,
                                       Path folder) {
  return std::make_unique<CommandNotifier>(std::move(shell_command), limit, children,
                                           std::filesystem::absolute(folder).lexically_normal());
}

}  // namespace belay::notify
