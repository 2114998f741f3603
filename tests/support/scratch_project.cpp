// SPDX-License-Identifier: Apache-2.0
#include "tests/support/scratch_project.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cstdlib>
#include <regex>

#include "base/text.hpp"

namespace belay::testing {

namespace fs = std::filesystem;

namespace {

Finished must(const Result<Finished>& result, const std::string& what) {
  EXPECT_TRUE(result.ok()) << what << ": " << (result ? "" : result.error().message());
  return result ? *result : Finished{};
}

}  // namespace

ScratchProject::ScratchProject() {
  fs::create_directories(folder());
  write("../gitconfig",
        "[user]\nname = Dev\nemail = dev@example.org\n[init]\ndefaultBranch = main\n");
  git({"init", "--quiet"});
}

void ScratchProject::write(const std::string& name, const std::string& text, mode_t mode) const {
  const Path path = (folder() / name).lexically_normal();
  fs::create_directories(path.parent_path());
  const auto done = write_file(path, text, mode);
  EXPECT_TRUE(done.ok()) << (done ? "" : done.error().message());
}

Environment ScratchProject::environment(const Environment& more) const {
  Environment env{{"GIT_CONFIG_GLOBAL", (above() / "gitconfig").string()},
                  {"GIT_CONFIG_SYSTEM", "/dev/null"},
                  {"HOME", above().string()},
                  {"XDG_STATE_HOME", (above() / "xdg").string()},
                  {"BELAY_USER", "dev@example.org"},
                  {"TZ", "UTC"},
                  // The driver tells of counters that a killed process of our number left behind.
                  {"MONGOC_DISABLE_SHM", "1"}};
  for (const auto& [name, value] : more) env[name] = value;
  return env;
}

std::string ScratchProject::git(std::vector<std::string> words) const {
  Command command;
  command.argv = {"git"};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  command.folder = folder();
  command.env = environment();
  const auto done = must(run_ok(command), "git " + join(words, " "));
  return std::string(trim(done.out));
}

std::string ScratchProject::commit(const std::string& message) const {
  git({"add", "--all"});
  git({"commit", "--quiet", "--allow-empty", "--message", message});
  return git({"rev-parse", "HEAD"});
}

void ScratchProject::protect_main() const {
  const std::string remote = (above() / "remote.git").string();
  git({"init", "--quiet", "--bare", remote});
  git({"remote", "add", "origin", remote});
  git({"push", "--quiet", "origin", "main"});
  git({"remote", "set-head", "origin", "main"});
}

std::string ScratchProject::file(const std::string& more, const std::string& people) const {
  const std::string live = (above() / "live").string();
  return people +
         fmt::format(R"(project: shop
state: ../state
services:
  web:
    path: .
environments:
  production:
    tag: prod
    services:
      web:
        target: command
        activate: echo "$BELAY_RELEASE" > {0}
        status: cat {0}
        rollback: echo "$BELAY_RELEASE" > {0}
    checks:
      - {{ name: It is there, command: test -d / }}
    watch: 0s
    first: true
)",
                     live) +
         more;
}

std::string ScratchProject::user_line() {
  const auto* who = ::getpwuid(::geteuid());
  EXPECT_NE(who, nullptr) << "whoever runs the tests has no name; add a line to /etc/passwd";
  return who != nullptr ? fmt::format("user: {}", who->pw_name) : "";
}

Path ScratchProject::key(const std::string& name) const {
  const Path path = above() / "keys" / name;
  if (fs::exists(path)) return path;
  fs::create_directories(path.parent_path());
  Command command;
  command.argv = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", path.string()};
  must(run_ok(command), "ssh-keygen");
  return path;
}

std::string ScratchProject::public_key(const std::string& name) const {
  auto text = read_file(key(name).string() + ".pub");
  EXPECT_TRUE(text.ok());
  return text ? std::string(trim(*text)) : "";
}

Finished ScratchProject::belay(std::vector<std::string> words, const Environment& more) const {
  Command command;
  command.argv = {BELAY_PROGRAM};
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  command.folder = folder();
  command.env = environment(more);
  command.inherit_env = false;
  command.limit = std::chrono::seconds(60);
  return must(run(command), "belay " + join(words, " "));
}

std::string ScratchProject::plain(std::string text) const {
  const auto replace = [&](const std::string& pattern, const std::string& by) {
    text = std::regex_replace(text, std::regex(pattern), by);
  };
  replace(above().string(), "HERE");
  replace("(prod|rp|safety)-[0-9]{8}-[0-9]{6}", "$1-STAMP");
  replace("head [0-9a-f]{16}", "head HASH");
  replace("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z?", "TIME");
  replace("(^|\n)[0-9]{2}:[0-9]{2}:[0-9]{2} ", "$1TIME ");
  replace("digest [0-9a-f]{16}", "digest DIGEST");
  replace("[0-9a-f]{40}", "COMMIT");
  replace("\\b(?=[0-9a-f]*[0-9])[0-9a-f]{7}\\b", "COMMIT");
  replace(" +[0-9.]+ (ms|s)(?=\n)", "");  // at the right edge
  replace(" *[0-9.]+ (ms|s)\\b", " SPAN");
  replace("process [0-9]+ on [^ \n]+", "process PID on HOST");
  return text;
}

void expect_golden(const std::string& name, const std::string& text) {
  const Path path = Path(BELAY_SOURCE_DIR) / "tests/golden" / (name + ".txt");
  if (std::getenv("BELAY_ACCEPT") != nullptr) {
    const auto written = write_file(path, text, 0644);
    EXPECT_TRUE(written.ok()) << (written ? "" : written.error().message());
    return;
  }
  auto expected = read_file(path);
  ASSERT_TRUE(expected.ok()) << "there is no " << path << "; BELAY_ACCEPT=1 writes it";
  EXPECT_EQ(*expected, text) << "BELAY_ACCEPT=1 takes the new text into " << path;
}

std::string transcript(const Finished& finished) {
  return fmt::format("exit {}\n--- standard output\n{}--- standard error\n{}", finished.status,
                     finished.out, finished.err);
}

}  // namespace belay::testing
