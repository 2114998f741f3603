// SPDX-License-Identifier: Apache-2.0
#include "source/git_command.hpp"

#include <unistd.h>

#include <array>
#include <charconv>

#include "base/json.hpp"
#include "base/text.hpp"

namespace belay::source {
namespace {

constexpr std::size_t longest_ref = 1024;
constexpr std::size_t fields_of_commit = 5;

// What git needs of the caller's environment: the way to credentials, proxies and configuration.
// Not GIT_DIR and its kin, which a hook that started us would hand on.
bool is_passed_on(std::string_view name) {
  static constexpr std::array<std::string_view, 27> names = {"GIT_TEST_ASSUME_DIFFERENT_OWNER",
                                                             "SSH_AUTH_SOCK",
                                                             "SSH_AGENT_PID",
                                                             "SSH_ASKPASS",
                                                             "SSH_ASKPASS_REQUIRE",
                                                             "DISPLAY",
                                                             "WAYLAND_DISPLAY",
                                                             "DBUS_SESSION_BUS_ADDRESS",
                                                             "XDG_CONFIG_HOME",
                                                             "XDG_RUNTIME_DIR",
                                                             "GIT_SSH",
                                                             "GIT_SSH_COMMAND",
                                                             "GIT_ASKPASS",
                                                             "GIT_COMMITTER_NAME",
                                                             "GIT_COMMITTER_EMAIL",
                                                             "EMAIL",
                                                             "http_proxy",
                                                             "https_proxy",
                                                             "no_proxy",
                                                             "all_proxy",
                                                             "HTTP_PROXY",
                                                             "HTTPS_PROXY",
                                                             "NO_PROXY",
                                                             "ALL_PROXY",
                                                             "SSL_CERT_FILE",
                                                             "SSL_CERT_DIR",
                                                             "GIT_SSL_CAINFO"};
  return name.starts_with("GIT_CONFIG_") ||
         std::find(names.begin(), names.end(), name) != names.end();
}

Environment environment() {
  Environment env;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || !is_passed_on(text.substr(0, equals))) continue;
    env.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  env["LC_ALL"] = "C";
  env["GIT_TERMINAL_PROMPT"] = "0";
  env["GIT_OPTIONAL_LOCKS"] = "0";      // looking never writes the index
  env["GIT_LITERAL_PATHSPECS"] = "1";   // a path is a path, also one with '*'
  env["GIT_NO_REPLACE_OBJECTS"] = "1";  // the hash that was approved is what is shipped
  env["GIT_ATTR_NOSYSTEM"] = "1";
  env["GIT_LFS_SKIP_SMUDGE"] = "1";
  return env;
}

std::vector<std::string> arguments(std::vector<std::string> args) {
  std::vector<std::string> all = {"git", "--no-pager"};
  for (const char* setting :
       {"core.hooksPath=/dev/null", "core.fsmonitor=false", "core.quotePath=false",
        "core.autocrlf=false", "core.attributesFile=/dev/null", "color.ui=false",
        "log.showSignature=false", "tag.gpgSign=false", "push.gpgSign=false",
        "i18n.logOutputEncoding=UTF-8", "tar.umask=0022", "protocol.ext.allow=never",
        "submodule.recurse=false", "advice.detachedHead=false"}) {
    all.insert(all.end(), {"-c", setting});
  }
  std::move(args.begin(), args.end(), std::back_inserter(all));
  return all;
}

// "https://amina:hunter2@host/x" -> "https://***@host/x"
std::string without_passwords(std::string text) {
  for (auto at = text.find("://"); at != std::string::npos; at = text.find("://", at + 1)) {
    const auto start = at + 3;
    const auto end = text.find_first_of("/ \t'\"", start);
    const auto sign = text.substr(0, end).rfind('@');
    if (sign != std::string::npos && sign >= start) text.replace(start, sign - start, "***");
  }
  return text;
}

// The first line that says what went wrong; git writes advice after it.
std::string said(const std::string& err) {
  std::string last;
  for (const auto& line : split(err, '\n')) {
    const std::string text(trim(line));
    if (text.starts_with("fatal:") || text.starts_with("error:")) return without_passwords(text);
    if (!text.empty()) last = text;
  }
  return without_passwords(last);
}

bool says(const std::string& err, std::initializer_list<const char*> phrases) {
  return std::any_of(phrases.begin(), phrases.end(),
                     [&](const char* phrase) { return err.find(phrase) != std::string::npos; });
}

// Hostile names go to terminals and logs as ASCII, quoted.
std::string printable(const std::string& name) {
  return Json(name.substr(0, 80)).dump(-1, ' ', true, Json::error_handler_t::replace);
}

bool has_control_or_space(const std::string& text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; });
}

}  // namespace

Result<Finished> GitCommand::ask(std::vector<std::string> args, std::string input,
                                 Environment more) const {
  Command command;
  command.argv = arguments(std::move(args));
  command.folder = folder_;
  command.env = environment();
  for (auto& [name, value] : more) command.env[name] = std::move(value);
  command.inherit_env = false;
  command.input = std::move(input);
  return run(command);
}

Result<std::string> GitCommand::out(const std::string& what, std::vector<std::string> args,
                                    std::string input, Environment more) const {
  TRY_LET(auto finished, ask(std::move(args), std::move(input), std::move(more)));
  if (!finished.ok()) return git_error(what, finished, folder_);
  return std::move(finished.out);
}

Error git_error(const std::string& what, const Finished& finished, const Path& folder) {
  const auto& err = finished.err;
  if (says(err, {"dubious ownership", "safe.directory"})) {
    return fail(Fault::denied,
                fmt::format("cannot {}: git refuses {} because it belongs to another user; either "
                            "run belay as its owner or trust it with: git config --global --add "
                            "safe.directory {}",
                            what, folder.string(), shell_quoted(folder.string())));
  }
  auto fault = Fault::internal;
  if (says(err,
           {"bad object", "unknown revision", "Not a valid", "not a valid object", "no such"})) {
    fault = Fault::missing;
  } else if (says(err, {"Authentication failed", "Permission denied", "could not read Username",
                        "could not read Password", "protected", "pre-receive hook declined",
                        "The requested URL returned error: 403"})) {
    fault = Fault::denied;
  } else if (says(err, {"Could not resolve", "unable to access", "does not appear to be a git",
                        "Could not read from remote", "unable to connect"})) {
    fault = Fault::unreachable;
  }
  return fail(fault, fmt::format("cannot {}: {}", what,
                                 said(err).empty()
                                     ? fmt::format("git ended with status {}", finished.status)
                                     : said(err)));
}

Status check_ref_name(const std::string& ref) {
  if (ref.empty()) return fail(Fault::invalid, "no ref given: name a branch, a tag or a commit");
  if (ref.size() > longest_ref) return fail(Fault::invalid, "the ref is too long to be one");
  if (ref.front() == '-' || ref.front() == ':' || ref.front() == '^' || has_control_or_space(ref) ||
      ref.find("..") != std::string::npos) {
    return fail(Fault::invalid,
                fmt::format("{} is not a branch, a tag or a commit", printable(ref)));
  }
  return {};
}

Status check_tag_name(const std::string& name) {
  const bool ordinary =
      !name.empty() && name.size() <= 200 && std::all_of(name.begin(), name.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '-' || c == '_' || c == '.' || c == '/' || c == '+';
      });
  const bool shaped =
      ordinary && name.front() != '-' && name.front() != '.' && name.front() != '/' &&
      name.back() != '/' && name.back() != '.' && name.find("..") == std::string::npos &&
      name.find("//") == std::string::npos && name.find("/.") == std::string::npos &&
      !name.ends_with(".lock") && name.find(".lock/") == std::string::npos;
  if (shaped) return {};
  return fail(
      Fault::invalid,
      fmt::format("{} cannot be a tag's name: use letters, digits and - _ . / +", printable(name)));
}

Result<std::string> checked_path(const std::string& path) {
  const auto normal = Path(path).lexically_normal();
  const auto text = normal.generic_string();
  if (path.empty() || path.find('\0') != std::string::npos || normal.is_absolute() ||
      *normal.begin() == ".." || text == ".") {
    return fail(Fault::invalid,
                fmt::format("\"{}\" is not the path of a file inside the repository", path));
  }
  return text;
}

bool is_full_hash(const std::string& text) {
  return (text.size() == 40 || text.size() == 64) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Result<std::vector<Commit>> parse_commits(const std::string& out) {
  const auto fields = split(out, '\0');
  std::vector<Commit> commits;
  for (std::size_t at = 0; at + fields_of_commit <= fields.size(); at += fields_of_commit) {
    long long seconds = 0;
    const auto& text = fields[at + 3];
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (parsed.ec != std::errc{} || !is_full_hash(fields[at])) {
      return fail(Fault::internal, "git log answered in a form that is not known");
    }
    commits.push_back({fields[at], fields[at + 4], fields[at + 1], fields[at + 2],
                       TimePoint(std::chrono::seconds(seconds))});
  }
  return commits;
}

}  // namespace belay::source
