// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "app/fresh_reading.hpp"
#include "base/text.hpp"
#include "cli/job.hpp"
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

int usage_error(const Bound& bound) {
  std::fputs(fmt::format("belay {0} needs: {1}\nusage: belay {0} {1}\n", bound.command->name,
                         bound.command->words)
                 .c_str(),
             stderr);
  return exit_usage;
}

const Command* command_named(const std::string& name) {
  const auto& all = commands();
  const auto at =
      std::find_if(all.begin(), all.end(), [&](const Command& c) { return c.name == name; });
  return at == all.end() ? nullptr : &*at;
}

// "belay knows no command deplyo; did you mean deploy?"
int unknown_command(const std::string& name) {
  std::vector<std::string> known;
  for (const auto& command : commands()) known.push_back(command.name);
  const auto near = nearest(name, known);
  std::fputs(fmt::format("belay has no command {}{} All of them: belay help\n", name,
                         near.empty() ? "." : "; did you mean " + near + "?")
                 .c_str(),
             stderr);
  return exit_usage;
}

// The first word that is no option, and no value of one that stands before the command.
std::string first_word(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--file")
      ++i;
    else if (!words[i].starts_with("-"))
      return words[i];
  }
  return {};
}

// `belay help deploy` and `belay deploy --help` print the manual that stands beside the command.
std::optional<int> help_asked_for(const std::vector<std::string>& words, const CLI::App& app) {
  const auto first = first_word(words);
  const bool option = std::any_of(words.begin(), words.end(),
                                  [](const auto& w) { return w == "--help" || w == "-h"; });
  if (first != "help" && (!option || first.empty())) return std::nullopt;
  const auto about = first == "help" ? (words.size() > 1 ? words.back() : "") : first;
  if (about.empty() || about == "help" || about.starts_with("-")) {
    put(app.help());
    return exit_done;
  }
  const auto* command = command_named(about);
  if (command == nullptr) return unknown_command(about);
  put(command->manual);
  return exit_done;
}

int run_bound(const CLI::App& app, const std::vector<std::unique_ptr<Bound>>& all,
              Session& session) {
  for (const auto& bound : all) {
    const auto* sub = app.get_subcommand(bound->command->name);
    if (!sub->parsed()) continue;
    const auto args = args_of(*sub, *bound);
    if (args.words.size() < bound->command->words_least) return usage_error(*bound);
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

namespace {

void add_common(CLI::App& app, Session& session, std::string& file) {
  app.set_version_flag("--version", std::string("belay ") + version_text());
  app.add_option("--file", file, "belay.yaml to use (else it is found by walking up)")
      ->type_name("FILE");
  app.add_flag("--json", session.json, "print events as NDJSON");
  app.add_flag("--yes", session.yes, "answer every question with yes");
  app.footer("\nThe manual of a command: belay help COMMAND");
  app.require_subcommand(0, 1);
}

// In a job, what went wrong is told where its page shows it.
int run_in_its_place(const CLI::App& app, const std::vector<std::unique_ptr<Bound>>& all,
                     Session& session) {
  const auto job = Job::of(session.env, session.json);
  session.job = job.get();
  const int code = run_bound(app, all, session);
  if (job == nullptr || code == exit_done || code == exit_changes) return code;
  auto file = app::find_project_file(session.file, session.here);
  job->annotate_errors(file ? file->parent_path() : session.here);
  return code;
}

Session session_here() {
  Session session;
  session.env = app::process_environment();
  session.here = std::filesystem::current_path();
  session.terminal = Terminal::detect(session.env);
  if (const auto file = session.env.find("BELAY_FILE"); file != session.env.end())
    session.file = file->second;
  return session;
}

}  // namespace

int run_command_line(int argc, const char* const* argv) {
  if (argc == 2 && std::string_view(argv[1]) == app::reading_word) return app::answer_reading();
  Session session = session_here();
  CLI::App app(
      "Belay takes a web application and its MongoDB to production, and back: code and data.",
      "belay");
  std::string file;
  add_common(app, session, file);
  std::vector<std::unique_ptr<Bound>> all;
  for (const auto& command : commands()) {
    all.push_back(std::make_unique<Bound>(Bound{&command, {}, {}, {}}));
    bind(app, *all.back());
  }
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (const auto code = help_asked_for(words, app)) return *code;
  if (const auto first = first_word(words); !first.empty() && command_named(first) == nullptr)
    return unknown_command(first);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const int code = app.exit(e, std::cout, std::cerr);
    return code == 0 ? exit_done : exit_usage;
  }
  if (!file.empty()) session.file = file;
  return run_in_its_place(app, all, session);
}

}  // namespace belay::cli
