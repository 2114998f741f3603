// SPDX-License-Identifier: Apache-2.0
// The state folder, the journal and the vault: there, private, writable, with room.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "app/doctor_parts.hpp"
#include "app/store.hpp"
#include "app/trust.hpp"
#include "app/vault_key.hpp"
#include "app/wire.hpp"
#include "base/text.hpp"

namespace belay::app {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t too_little = 200'000'000;
constexpr std::uint64_t little = 2'000'000'000;

// The path itself, or the nearest folder above it that is there.
Path nearest_existing(Path path) {
  std::error_code code;
  while (!fs::exists(path, code) && path.has_parent_path() && path != path.parent_path())
    path = path.parent_path();
  return path;
}

// Really written and synced: a quota, a read-only mount and a full disk show only then.
Status write_test(const Path& folder) {
  const Path file = folder / fmt::format(".belay-doctor-{}", ::getpid());
  Status done = write_file(file, std::string(4096, 'x'));
  std::error_code code;
  fs::remove(file, code);
  return done;
}

std::optional<std::uint64_t> free_bytes(const Path& path) {
  struct statvfs facts {};
  if (::statvfs(path.c_str(), &facts) != 0) return std::nullopt;
  return std::uint64_t{facts.f_bavail} * facts.f_frsize;
}

void examine_room(const std::string& about, const Path& path, std::uint64_t needed, Findings& out) {
  const auto bytes = free_bytes(path);
  const std::string remedy = "make room there, or choose another folder";
  if (!bytes)
    out.warn(about, "how much room is free in " + path.string() + " cannot be told", remedy);
  else if (*bytes < std::max(too_little, needed))
    out.bad(about,
            fmt::format("{} free in {}", bytes_for_people(*bytes), path.string()) +
                (needed > 0 ? ", the last restore point took " + bytes_for_people(needed) : ""),
            remedy);
  else if (*bytes < std::max(little, 3 * needed))
    out.warn(about, fmt::format("only {} free in {}", bytes_for_people(*bytes), path.string()),
             remedy);
  else
    out.good(about, fmt::format("{} free in {}", bytes_for_people(*bytes), path.string()));
}

std::optional<mode_t> mode_of(const Path& path) {
  struct stat facts {};
  if (::stat(path.c_str(), &facts) != 0) return std::nullopt;
  return facts.st_mode & 07777;
}

// Only takes rights away from others: always safe.
Mend make_private(const Path& path, mode_t mode) {
  return {fmt::format("Make {} private (chmod {:o})?", path.string(), mode),
          [path, mode]() -> Result<std::string> {
            if (::chmod(path.c_str(), mode) != 0)
              return errno_error(errno, "cannot chmod " + path.string());
            return path.string() + " is private now";
          }};
}

bool examine_private(const std::string& about, const Path& path, mode_t wanted, bool bad,
                     Findings& out) {
  const auto mode = mode_of(path);
  if (!mode || (*mode & 077 & ~wanted) == 0) return true;
  const auto text = fmt::format("{} may be used by others (mode {:o})", path.string(), *mode);
  const auto remedy = fmt::format("chmod {:o} {}", wanted, path.string());
  auto& finding = bad ? out.bad(about, text, remedy) : out.warn(about, text, remedy);
  finding.mend = make_private(path, wanted);
  return false;
}

std::optional<dev_t> device_of(const Path& path) {
  struct stat facts {};
  if (::stat(nearest_existing(path).c_str(), &facts) != 0) return std::nullopt;
  return facts.st_dev;
}

struct KeyPlace {
  std::string text;          // "in the file /x"
  std::optional<Path> file;  // when it is one
};

KeyPlace key_place(const Project& project, const pipeline::Vault& vault) {
  const auto file = [](Path path) { return KeyPlace{"in " + path.string(), path}; };
  if (!vault.key) return file(project.places.vault_key());
  if (vault.key->literal() && vault.key->text.starts_with("file:"))
    return file(project.folder / vault.key->text.substr(5));
  for (const auto& name : vault.key->names()) {
    if (project.env.contains(name)) return {"from the environment (" + name + ")", std::nullopt};
  }
  if (!project.spec.secrets.file.empty()) return file(project.folder / project.spec.secrets.file);
  return {"from a command", std::nullopt};
}

// `store`: its folder, when it is one.
void examine_key(const Project& project, const pipeline::Vault& vault,
                 const std::optional<Path>& store, const std::string& about, Findings& out) {
  const auto key = key_place(project, vault);
  if (!key.file) {
    out.good(about, "the key comes " + key.text.substr(key.text.find("from ")));
    return;
  }
  std::error_code code;
  if (!fs::exists(*key.file, code)) {
    if (!vault.key)
      out.good(about, "the key is made " + key.text + " with the first restore point");
    else
      out.bad(about, "there is no file " + key.file->string(), "put the key there, mode 600");
    return;
  }
  if (!examine_private(about, *key.file, 0600, true, out)) return;
  if (!store)
    out.good(about, "the key is " + key.text + ", and the store elsewhere: keep a copy of it");
  else if (device_of(*key.file) == device_of(*store))
    out.warn(about, fmt::format("the key ({}) and the store are on one disk", key.file->string()),
             "keep a copy of the key elsewhere: without it no restore point can be read");
  else
    out.good(about, "the key is " + key.text + ", on another disk than the store");
}

void examine_points(Desk& desk, const std::string& environment, const pipeline::Vault& spec,
                    const std::optional<Path>& folder, const Result<bool>& made,
                    const std::string& about, Findings& out) {
  const auto store = store_text(spec, desk.project.places, desk.project.folder);
  if (!made) return void(out.bad(about, made.error().message(), "mend the store: " + store));
  if (!*made) {
    out.good(about, "empty; it is made with the first restore point, in " + store);
    if (folder) examine_room(about + ": disk", nearest_existing(*folder), 0, out);
    return;
  }
  auto works = wire_present(desk, environment, {true, false});
  if (!works) {
    out.bad(about, works.error().message(), "give the key that the vault was made with");
    return;
  }
  auto points = (*works)->site.vault->list();
  if (!points) {
    out.bad(about, points.error().message(), "mend the store: " + store);
    return;
  }
  std::uint64_t largest = 0;
  for (const auto& point : *points) {
    largest = std::max(largest, point.stored_bytes);
    if (point.kind == "damaged")
      out.bad(about, point.name + " cannot be read: " + point.method,
              "put back a copy of it; look further with: belay backup verify");
  }
  out.good(about,
           fmt::format("{} opens; {} restore points{}", store, points->size(),
                       points->empty() ? "" : ", the last of " + to_text(points->back().finished)));
  if (folder) examine_room(about + ": disk", *folder, largest, out);
  if (spec.keep.last < 1 && spec.keep.days < 1)
    out.warn(about + ": retention", "no restore point outlives the next one",
             "vault.keep: { last: 30, days: 30 }");
  else
    out.good(about + ": retention",
             fmt::format("the last {}, those of {} days, safety points for {} days", spec.keep.last,
                         spec.keep.days, spec.keep.safety_days));
}

}  // namespace

void examine_state(const Project& project, Findings& out) {
  const auto& state = project.places.state;
  std::error_code code;
  const Path there = nearest_existing(state);
  if (Status writable = write_test(there); !writable) {
    out.bad("state folder", writable.error().message(),
            "give this user the right to write there, or write `state: FOLDER` in belay.yaml");
    return;
  }
  // Users of services pass through root's; what is theirs lies in it.
  const mode_t closed = ::geteuid() == 0 ? 0711 : 0700;
  if (there == state && !examine_private("state folder", state, closed, false, out)) return;
  // A clone is cleaned, copied and deleted; the truth about what is live must not go with it.
  const auto inside = fs::weakly_canonical(state, code).lexically_relative(project.folder);
  if (!inside.empty() && *inside.begin() != "..")
    out.warn("state folder", state.string() + " is inside the project's folder",
             "write `state:` with a folder outside: `git clean` would remove the journal");
  else
    out.good("state folder", state.string());
  examine_private("journal", project.places.journal(), 0700, false, out);
  examine_private("journal", project.places.journal() / "journal.db", 0600, false, out);
  examine_room("disk", there, 0, out);
}

void examine_tls(Desk& desk, Findings& out) {
  const auto& tls = desk.project.spec.tls;
  if (const auto trust = trust_of(tls, desk.project.folder, *desk.machine); !trust)
    out.bad("tls", trust.error().message(), "name a file of certificates (PEM) that is there");
  else if (!tls.ca.empty())
    out.good("tls", "the authorities in " + (desk.project.folder / tls.ca).string() + " hold, too");
  for (const auto& each : tls.unchecked)
    out.warn("tls", unchecked_text(each.endpoint, each.because),
             "better: tls: { ca: FILE } with the certificate of whoever signed it");
}

void examine_journal(Desk& desk, Findings& out) {
  auto report = desk.journal->verify();
  if (!report) {
    out.bad("journal", report.error().message(), "look further with: belay audit verify");
    return;
  }
  for (const auto& problem : report->problems)
    out.bad("journal", problem, "look further with: belay audit verify");
  if (report->problems.empty())
    out.good("journal", fmt::format("{} events, the chain is whole",
                                    with_commas(static_cast<std::uint64_t>(report->events))));
  auto open_runs = desk.journal->open_runs();
  for (const auto& row : open_runs ? *open_runs : std::vector<journal::RunRow>{}) {
    out.warn(
        "journal",
        fmt::format("run {} ({} in {}) is not finished", row.run, row.pipeline, row.environment),
        fmt::format("belay resume {}, or belay cancel {}", row.run, row.run));
  }
}

void examine_vault(Desk& desk, const std::string& environment, Secrets& secrets, Findings& out) {
  const auto& project = desk.project;
  const auto* database = database_of(project.spec, environment);
  if (database == nullptr) return;
  const auto& vault = vault_of(project.spec, environment);
  const std::string about = environment + ": vault";
  if (vault.s3 || vault.azblob) {
    const auto store = examine_remote_store(desk, vault, secrets, about, out);
    if (!store) return;
    examine_key(project, vault, {}, about + ": key", out);
    return examine_points(desk, environment, vault, {}, store->exists("config"), about, out);
  }
  const Path store = store_of(vault, project.places, project.folder);
  if (Status writable = write_test(nearest_existing(store)); !writable) {
    out.bad(about, writable.error().message(),
            "give this user the right to write there, or write `vault: { store: file:FOLDER }`");
    return;
  }
  examine_private(about, store, 0700, false, out);
  examine_key(project, vault, store, about + ": key", out);
  auto uri = secrets.expand(database->uri);
  if (!uri) return;  // named by the database's own finding
  examine_points(desk, environment, vault, store, vault_is_made(desk, environment), about, out);
  const auto hosts = hosts_in(uri->reveal());
  if (std::any_of(hosts.begin(), hosts.end(), is_this_machine))
    out.warn(about, "the vault and the database are on one host",
             "keep a copy of " + store.string() + " and of its key on another machine");
}

}  // namespace belay::app
