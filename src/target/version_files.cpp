// SPDX-License-Identifier: Apache-2.0
#include "target/version_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/accounts.hpp"
#include "base/text.hpp"
#include "base/time.hpp"

namespace belay::target {

namespace fs = std::filesystem;

namespace {

bool is_name(const std::string& text) {
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  return !text.empty() && text.size() <= 100 && text.front() != '.' &&
         text.find_first_not_of(allowed) == std::string::npos;
}

bool is_there(const Path& path) {
  std::error_code code;
  return fs::exists(path, code);
}

// Moved when it is on the same file system, else copied beside and renamed: tree/ is whole or not
// there.
Status place(const Path& source, const Path& tree) {
  if (::rename(source.c_str(), tree.c_str()) == 0) return {};
  if (errno != EXDEV)
    return errno_error(errno, "cannot move " + source.string() + " to " + tree.string());
  Path copy = tree;
  copy += ".copy";
  TRY(remove_tree(copy));
  const auto copied = run_ok({.argv = {"cp", "-a", "--", source.string(), copy.string()}});
  if (!copied) return copied.error();
  if (::rename(copy.c_str(), tree.c_str()) != 0)
    return errno_error(errno, "cannot create " + tree.string());
  return remove_tree(source);
}

// Everything the build wrote, in one call.
Status sync_tree(const Path& folder) {
  Fd file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file) return errno_error(errno, "cannot open " + folder.string());
  if (::syncfs(file.get()) != 0) return errno_error(errno, "cannot sync " + folder.string());
  return {};
}

bool stays_inside(const Path& folder) {
  const Path normal = folder.lexically_normal();
  return !normal.is_absolute() && (normal.empty() || *normal.begin() != "..");
}

}  // namespace

Status check_version(const Version& version) {
  for (const auto* name : {&version.service, &version.release}) {
    if (!is_name(*name)) {
      return fail(Fault::invalid,
                  fmt::format("\"{}\" cannot name a service or a release: letters, digits, '-', "
                              "'_' and '.' only, not beginning with '.'",
                              *name));
    }
  }
  return {};
}

std::string last_lines(std::string_view text, std::size_t lines) {
  text = trim(text);
  std::size_t at = text.size();
  while (lines > 0 && at != std::string_view::npos && at > 0) {
    at = text.rfind('\n', at - 1);
    --lines;
  }
  if (at == std::string_view::npos || at == 0) return std::string(text);
  return std::string(text.substr(at + 1));
}

std::string ending_of(const ChildStatus& status) {
  if (status.timed_out) return "it took too long and was ended";
  if (status.status > 128) return fmt::format("ended by signal {}", status.status - 128);
  return fmt::format("exit status {}", status.status);
}

Environment with_basics(Environment env, const Path& own, const std::string& user) {
  for (const char* name : {"PATH", "HOME", "LANG", "TMPDIR"}) {
    if (const char* value = std::getenv(name)) env.emplace(name, value);
  }
  env.emplace("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  return environment_for(user, own, std::move(env));
}

bool VersionFiles::prepared() const {
  return is_there(folder_ / "version.json");
}

bool VersionFiles::begun() const {
  return is_there(folder_ / "building") || is_there(tree());
}

Result<Json> VersionFiles::record() const {
  auto text = read_file(folder_ / "version.json");
  if (!text && text.error().fault == Fault::missing) {
    return fail(Fault::missing, fmt::format("{} {} was not prepared here; prepare it first",
                                            version_.service, version_.release));
  }
  if (!text) return std::move(text).error();
  return parse_json(*text).in((folder_ / "version.json").string());
}

Result<Path> VersionFiles::work_folder() const {
  TRY_LET(const Json kept, record());
  return (tree() / kept.value("folder", ".")).lexically_normal();
}

Status VersionFiles::clear() const {
  TRY(remove_tree(tree()));
  return remove_tree(folder_ / "building");
}

// A tree without this key is another attempt's: it may be half built, and is thrown away.
Status VersionFiles::take(const Artifact& artifact, const std::string& key, Children& children) {
  TRY(make_folder(folder_));
  TRY(open_way(own_, folder_, artifact.user));
  TRY(make_home(own_, artifact.user));
  const auto before = read_file(folder_ / "building");
  const bool ours = before && *before == key && is_there(tree());
  if (ours && !is_there(artifact.source)) return {};
  if (before && *before != key) TRY(children.end(*before, std::chrono::seconds(5)));
  if (!is_there(artifact.source)) {
    return fail(Fault::missing,
                fmt::format("the copy of {} {} to build from is gone: {}", version_.service,
                            version_.release, artifact.source.string()));
  }
  TRY(clear());
  TRY(place(artifact.source, tree()));
  TRY(give_to(tree(), artifact.user));
  return write_file(folder_ / "building", key);
}

Status VersionFiles::begin(const Artifact& artifact, const std::string& key,
                           const BuildOrder& build, Children& children) {
  TRY(take(artifact, key, children));
  if (!stays_inside(artifact.folder) || !is_there(tree() / artifact.folder)) {
    TRY(clear());
    return fail(Fault::invalid, fmt::format("the commit has no folder \"{}\" for {}",
                                            artifact.folder, version_.service));
  }
  if (build.command.empty()) return {};
  ChildSpec spec;
  spec.key = key;
  spec.argv = {"/bin/sh", "-c", build.command};
  spec.folder = tree() / artifact.folder;
  spec.user = ::geteuid() == 0 ? artifact.user : "";
  spec.env = with_basics(build.env, own_, spec.user);
  spec.limit = build.limit;
  return children.start(spec);
}

Status VersionFiles::build_failed(const ChildStatus& ended, Millis limit,
                                  const std::string& output) {
  TRY(clear());
  TRY(make_folder(log_.parent_path()));
  TRY(write_file(log_, output));
  std::error_code code;
  fs::remove(folder_, code);
  const std::string end = ended.timed_out
                              ? fmt::format("it took longer than {} and was ended", to_text(limit))
                              : ending_of(ended);
  return fail(
      ended.timed_out ? Fault::timeout : Fault::refused,
      fmt::format("the build of {} {} failed: {}; its last lines (all of them: {}):\n{}",
                  version_.service, version_.release, end, log_.string(), last_lines(output, 20)));
}

Status VersionFiles::finish(Json record) {
  TRY(sync_tree(folder_));
  record["format"] = 1;
  record["service"] = version_.service;
  record["release"] = version_.release;
  TRY(write_file(folder_ / "version.json", canonical(record) + "\n"));
  return remove_tree(folder_ / "building");
}

// Two runs that were planned at the same instant may mean one name: the first has it.
Status VersionFiles::is_made_of(const Artifact& artifact) const {
  TRY_LET(const Json kept, record());
  const std::string commit = kept.value("commit", "");
  if (commit.empty() || artifact.commit.empty() || commit == artifact.commit) return {};
  return fail(
      Fault::conflict,
      fmt::format("{} {} is here already, made of commit {} and not of {}; deploy again, and "
                  "the release gets a name of its own",
                  version_.service, version_.release, commit.substr(0, 7),
                  artifact.commit.substr(0, 7)));
}

Status VersionFiles::prepare(const Artifact& artifact, const std::string& key,
                             const BuildOrder& build, Json record, Children& children,
                             const Output& output, std::stop_token stop) {
  if (prepared()) return is_made_of(artifact);
  record["commit"] = artifact.commit;
  TRY_LET(ChildStatus child, children.look(key));
  // The host went down under the build: it is safe to begin again, from a fresh copy.
  if (child.state == ChildState::unknown) {
    TRY(children.forget(key));
    TRY(clear());
    child.state = ChildState::absent;
  }
  if (child.state == ChildState::absent) TRY(begin(artifact, key, build, children));
  if (!build.command.empty()) {
    TRY_LET(const ChildStatus ended, children.wait(key, output, stop));
    TRY_LET(const std::string text, children.output(key));
    if (ended.state != ChildState::ended || ended.status != 0)
      return build_failed(ended, build.limit, text);
    TRY(make_folder(log_.parent_path()));
    TRY(write_file(log_, text));
  }
  if (!is_there(tree())) {
    return fail(Fault::missing, fmt::format("what was built for {} {} is gone; deploy it again",
                                            version_.service, version_.release));
  }
  return finish(std::move(record));
}

Status VersionFiles::remove(Children& children) {
  if (const auto key = read_file(folder_ / "building")) {
    TRY(children.end(*key, std::chrono::seconds(5)));
  }
  // First what makes it a version: a crash in between leaves it as good as absent.
  std::error_code code;
  fs::remove(folder_ / "version.json", code);
  TRY(remove_tree(folder_));
  fs::remove(folder_.parent_path(), code);
  fs::remove(log_, code);
  return {};
}

}  // namespace belay::target
