// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "cli/version.hpp"

namespace belay::cli {

namespace {

struct Bound {  // where CLI11 puts what it reads
  const Command* command;
  std::map<std::string, std::string> values;
  std::map<std::string, bool> flags;
  std::vector<std::string> words;
};

void bind(CLI::App& app, Bound& bound) {
  auto* sub = app.add_subcommand(bound.command->name, bound.command->summary);
  for (const auto& option : bound.command->options) {
    if (option.value.empty())
      sub->add_flag(option.name, bound.flags[option.name], option.help);
    else
      sub->add_option(option.name, bound.values[option.name], option.help)->type_name(option.value);
  }
  sub->fallthrough();
  if (bound.command->words_most > 0) {
    sub->add_option("words", bound.words, bound.command->words)
        ->expected(static_cast<int>(bound.command->words_least),
                   static_cast<int>(bound.command->words_most))
        ->type_name("");
  }
  if (!bound.command->manual.empty()) sub->footer("\n" + bound.command->manual);
}

Args args_of(const CLI::App& sub, const Bound& bound) {
  Args args;
  for (const auto& [name, value] : bound.values) {
    if (sub.count(name) > 0) args.values[name] = value;
  }
  for (const auto& [name, set] : bound.flags) {
    if (set) args.flags.insert(name);
  }
  args.words = bound.words;
  return args;
}

int usage_error(const Bound& bound, std::size_t given) {
  fmt::print(stderr, "belay {}: {} expected, {} given\nusage: belay {} {}\n", bound.command->name,
             bound.command->words.empty() ? "nothing" : bound.command->words, given,
             bound.command->name, bound.command->words);
  return exit_usage;
}

int run_bound(const CLI::App& app, const std::vector<std::unique_ptr<Bound>>& all,
              Session& session) {
  for (const auto& bound : all) {
    const auto* sub = app.get_subcommand(bound->command->name);
    if (!sub->parsed()) continue;
    const auto args = args_of(*sub, *bound);
    if (args.words.size() < bound->command->words_least)
      return usage_error(*bound, args.words.size());
    return bound->command->run(session, args);
  }
  fmt::print("{}", app.help());
  return exit_usage;
}

}  // namespace

Terminal Terminal::detect(const app::Getenv& env) {
  Terminal terminal;
  terminal.tty = ::isatty(STDOUT_FILENO) == 1;
  terminal.ask = terminal.tty && ::isatty(STDIN_FILENO) == 1;
  const auto no_color = env.find("NO_COLOR");
  const auto term = env.find("TERM");
  const bool dumb = term != env.end() && term->second == "dumb";
  terminal.color = terminal.tty && !dumb && (no_color == env.end() || no_color->second.empty());
  winsize size{};
  if (terminal.tty && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) {
    terminal.width = std::min<int>(size.ws_col, 100);
  }
  return terminal;
}

std::string Args::get(const std::string& name, const std::string& otherwise) const {
  const auto at = values.find(name);
  return at == values.end() ? otherwise : at->second;
}

void put(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
  std::clearerr(stdout);
}

int run_command_line(int argc, const char* const* argv) {
  Session session;
  session.env = app::process_environment();
  session.here = std::filesystem::current_path();
  session.terminal = Terminal::detect(session.env);
  if (const auto file = session.env.find("BELAY_FILE"); file != session.env.end())
    session.file = file->second;

  CLI::App app(
      "Belay takes a web application and its MongoDB to production, and back: code and data.",
      "belay");
  app.set_version_flag("--version", std::string("belay ") + version_text());
  std::string file;
  app.add_option("--file", file, "belay.yaml to use (else it is found by walking up)")
      ->type_name("FILE");
  app.add_flag("--json", session.json, "print events as NDJSON");
  app.add_flag("--yes", session.yes, "answer every question with yes");
  app.require_subcommand(0, 1);
  std::vector<std::unique_ptr<Bound>> all;
  for (const auto& command : commands()) {
    all.push_back(std::make_unique<Bound>(Bound{&command, {}, {}, {}}));
    bind(app, *all.back());
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const int code = app.exit(e, std::cout, std::cerr);
    return code == 0 ? exit_done : exit_usage;
  }
  if (!file.empty()) session.file = file;
  return run_bound(app, all, session);
}

}  // namespace belay::cli
