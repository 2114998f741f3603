// SPDX-License-Identifier: Apache-2.0
#include "app/backup_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "app/on_github.hpp"
#include "base/hash.hpp"
#include "engine/loaded.hpp"
#include "engine/points.hpp"
#include "vault/exported.hpp"
#include "vault/owner.hpp"

namespace belay::app {

namespace {

constexpr std::size_t most_tried = 5;  // artifacts of one name
constexpr const char* ending = ".backup";

// A file, and what SQLite may leave beside it, that is gone at the end.
class Passing {
 public:
  explicit Passing(Path path) : path_(std::move(path)) {}
  ~Passing() {
    ::unlink(path_.c_str());
    ::unlink((path_.string() + "-journal").c_str());
  }
  Passing(const Passing&) = delete;
  Passing& operator=(const Passing&) = delete;
  const Path& path() const { return path_; }

 private:
  Path path_;
};

std::string file_name(const std::string& release, const std::string& point) {
  return (release.empty() ? "" : release + ".") + point + ending;
}

Result<std::string> sha256_of(const Path& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return errno_error(errno, "cannot open " + path.string());
  Sha256Stream hash;
  std::string buffer(std::size_t{1} << 20, '\0');
  for (;;) {
    const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "cannot read " + path.string());
    if (n == 0) return hex(hash.finish());
    hash.add(std::string_view(buffer).substr(0, static_cast<std::size_t>(n)));
  }
}

Result<const Secret*> key_of(const Works& works) {
  if (works.vault_key) return &*works.vault_key;
  return fail(Fault::missing,
              "there is no vault key here yet; put back the copy of the one that the file was made "
              "with, or name it: vault.key");
}

// Opening would make a vault of what is none.
Result<std::unique_ptr<vault::Vault>> open_file(Desk& desk, storage::Storage& file,
                                                const Secret& key) {
  TRY_LET(const bool made, file.exists("config"));
  if (!made) return fail(Fault::corrupt, file.where() + " holds no restore point");
  return vault::open_vault(file, key, desk.world().clock, desk.world().random).in(file.where());
}

Result<std::string> only_point(storage::Storage& file) {
  TRY_LET(const auto points, file.list("points/"));
  if (points.size() == 1) return points.front().name.substr(std::string_view("points/").size());
  return fail(Fault::corrupt, fmt::format("{} holds {} restore points, and one is wanted",
                                          file.where(), points.size()));
}

Status is_ours(const Works& works, const vault::Point& point) {
  const auto& site = works.site;
  const bool somewhere_else = !point.environment.empty() && point.environment != site.environment;
  if (point.project == site.present.project && !somewhere_else) return {};
  return fail(Fault::refused,
              fmt::format("{} is of {} of {}, and this is {} of {}: it is not taken in", point.name,
                          point.environment.empty() ? "no environment" : point.environment,
                          point.project, site.environment, site.present.project));
}

Status verify_file(Desk& desk, const Path& path, const std::string& point, const Secret& key,
                   const vault::OnProgress& progress, std::stop_token stop) {
  const auto file = storage::make_archive(path);
  TRY_LET(const auto alone, open_file(desk, *file, key));
  TRY_LET(const auto report, alone->verify(point, progress, std::move(stop)));
  if (report.problems.empty()) return {};
  return fail(Fault::corrupt, "what was written does not read back: " + report.problems.front());
}

// Another file under the same name may be a good one.
bool is_of_the_file(const Error& error) {
  return error.fault == Fault::corrupt || error.fault == Fault::denied ||
         error.fault == Fault::refused;
}

Result<std::string> backup_file_name(Desk& desk, const vault::Point& point) {
  if (point.run.empty() || point.origin.empty()) return file_name("", point.name);
  const auto origin = engine::origin_of(*desk.journal, point.run);
  if (!origin || *origin != point.origin) return file_name("", point.name);
  TRY_LET(const auto run, engine::load_run(*desk.journal, point.run));
  return file_name(run.plan.live, point.name);
}

}  // namespace

Result<BackupFile> export_backup(Desk& desk, const Works& works, const std::string& point,
                                 const Path& folder, const vault::OnProgress& progress,
                                 std::stop_token stop) {
  TRY_LET(const auto* key, key_of(works));
  BackupFile made;
  TRY_LET(made.point, works.site.vault->load(point));
  TRY_LET(const auto name, backup_file_name(desk, made.point));
  made.path = folder / name;
  std::error_code code;
  if (std::filesystem::exists(std::filesystem::symlink_status(made.path, code)))
    return fail(Fault::conflict, made.path.string() + " is there already");
  TRY(make_folder(folder));
  const Passing part(folder / fmt::format(".{}-{}", name, desk.world().random.hex(4)));
  const auto file = storage::make_archive(part.path());
  TRY(vault::export_point(*works.store, made.point, *file, progress, stop).in(name));
  TRY(verify_file(desk, part.path(), point, *key, progress, std::move(stop)).in(name));
  TRY_LET(made.sha256, sha256_of(part.path()));
  made.bytes = std::filesystem::file_size(part.path(), code);
  TRY(move_if_absent(part.path(), made.path));
  TRY(sync_folder(folder));
  return made;
}

Result<vault::Point> import_backup(Desk& desk, const Works& works, const Path& file,
                                   const std::string& sha256, const vault::OnProgress& progress,
                                   std::stop_token stop) {
  std::error_code code;
  if (!std::filesystem::is_regular_file(file, code))
    return fail(Fault::missing, "there is no file " + file.string());
  if (!sha256.empty()) {
    TRY_LET(const auto found, sha256_of(file));
    if (found != sha256) {
      return fail(Fault::corrupt,
                  fmt::format("the SHA-256 of {} is {}, and {} was wanted: nothing of it is used",
                              file.string(), found, sha256));
    }
  }
  TRY_LET(const auto* key, key_of(works));
  const auto store = storage::make_archive(file);
  TRY_LET(const auto alone, open_file(desk, *store, *key));
  TRY_LET(const auto name, only_point(*store));
  TRY_LET(const auto point, alone->load(name));
  TRY(is_ours(works, point));
  return vault::import_point(*alone, name, *works.site.vault, progress, std::move(stop));
}

Result<Fetched> fetch_backup(Desk& desk, const Works& works, const std::string& name,
                             const vault::OnProgress& progress, std::stop_token stop) {
  TRY_LET(const auto repository, repository_of_project(desk));
  TRY_LET(auto artifacts, repository->artifacts(name, stop));
  if (artifacts.size() > most_tried) artifacts.resize(most_tried);
  Error why = fail(Fault::missing, fmt::format("no workflow of {} left a file {} that is still "
                                               "kept there",
                                               repository->name(), name));
  const auto work = desk.project.places.work();
  TRY(make_folder(work));
  for (const auto& artifact : artifacts) {
    const Passing here(work / ("fetched-" + desk.world().random.hex(8)));
    const auto downloaded = repository->download(artifact, here.path(), stop);
    auto imported = downloaded ? import_backup(desk, works, here.path(), "", progress, stop)
                               : Result<vault::Point>(downloaded.error());
    if (imported) return Fetched{artifact.name, artifact.sha256, std::move(imported).value()};
    why = imported.error();
    if (!is_of_the_file(why)) break;
  }
  return why;
}

Result<Fetched> fetch_point_of_run(Desk& desk, const std::string& environment,
                                   const std::string& point, const std::string& run) {
  TRY_LET(const auto works, wire_present(desk, environment, {true, false}));
  TRY_LET(const auto loaded, engine::load_run(*desk.journal, run));
  TRY_LET(const auto origin, engine::origin_of(*desk.journal, run));
  const vault::Owner owner{desk.project.spec.project, environment, run, origin};
  Error why = fail(Fault::missing, "there is no " + point);
  for (const auto& name : vault::names_for(point, owner)) {
    auto fetched = fetch_backup(desk, *works, file_name(loaded.plan.live, name), {}, {});
    if (fetched) return fetched;
    why = fetched.error();
    if (why.fault != Fault::missing) break;
  }
  return why;
}

}  // namespace belay::app
