// SPDX-License-Identifier: Apache-2.0
#include "journal/schema.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/text.hpp"

namespace belay::journal {

namespace {

constexpr std::int64_t format = 1;

constexpr const char* tables = R"sql(
CREATE TABLE meta(name TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT;
CREATE TABLE event(
  id INTEGER PRIMARY KEY,
  run_id INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  kind TEXT NOT NULL,
  version INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  key TEXT NOT NULL,
  body TEXT NOT NULL,
  hash BLOB NOT NULL,
  UNIQUE(run_id, seq)) STRICT;
CREATE TRIGGER event_is_not_changed BEFORE UPDATE ON event
  BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER event_is_not_removed BEFORE DELETE ON event
  BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TABLE run(
  id INTEGER PRIMARY KEY,
  pipeline TEXT NOT NULL,
  environment TEXT NOT NULL,
  state TEXT NOT NULL,
  created INTEGER NOT NULL,
  finished INTEGER,
  summary TEXT NOT NULL) STRICT;
CREATE INDEX run_open ON run(id) WHERE state = 'open';
CREATE INDEX run_environment ON run(environment, id);
CREATE TABLE env_lock(
  environment TEXT PRIMARY KEY NOT NULL,
  run_id INTEGER NOT NULL,
  since INTEGER NOT NULL) STRICT;
INSERT INTO meta(name, value) VALUES ('format', '1');
PRAGMA application_id = 0x42454c41;
)sql";

struct NetworkFileSystem {
  long kind;
  const char* name;
};
constexpr NetworkFileSystem network_file_systems[] = {
    {0x6969, "NFS"},       {0x517B, "SMB"},
    {0xFF534D42, "CIFS"},  {0xFE534D42, "SMB 2"},
    {0x65735546, "FUSE"},  {0x01021997, "9p"},
    {0x5346414F, "AFS"},   {0x00C36400, "Ceph"},
    {0x73757245, "Coda"},  {0x0BD00BD0, "Lustre"},
    {0x564C, "NCP"},       {0x01161970, "GFS2"},
    {0x7461636F, "OCFS2"}, {0x786F4256, "VirtualBox shared folder"},
    {0x47504653, "GPFS"},  {0x19830326, "BeeGFS"},
};

Result<Fd> open_private(const Path& path, int flags) {
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600));
  if (!file) return errno_error(errno, "cannot open " + path.string());
  return file;
}

// Made and closed before SQLite opens it: closing a file drops every lock that this process has on
// it, SQLite's too. For the same reason only when it is new.
Status make_file(const Path& file) {
  const auto made = open_private(file, O_EXCL);
  if (!made && made.error().fault != Fault::conflict) return made.error();
  return {};
}

Result<std::int64_t> number(sql::Connection& connection, std::string_view sql) {
  TRY_LET(sql::Statement statement, connection.prepare(sql));
  TRY_LET(const bool found, statement.row());
  const std::int64_t value = found ? statement.integer(0) : 0;
  statement.reset();
  return value;
}

enum class Tables { none, of_others, ours };

// In one look: between two, another process may make the tables.
Result<Tables> tables_in(sql::Connection& connection) {
  TRY_LET(const auto found,
          number(connection,
                 "SELECT CASE WHEN count(*) = 0 THEN 0 WHEN sum(name = 'meta') = 0 THEN 1 "
                 "ELSE 2 END FROM sqlite_schema"));
  return static_cast<Tables>(found);
}

// An empty file is a journal to be made; 0 says so.
Result<std::int64_t> format_of(sql::Connection& connection, const Path& file) {
  TRY_LET(const auto there, tables_in(connection));
  if (there == Tables::none) return std::int64_t{0};
  if (there == Tables::of_others) {
    return fail(Fault::corrupt, file.string() +
                                    " is an SQLite database, but not a journal; move it away, or "
                                    "choose another state folder");
  }
  TRY_LET(const auto found,
          number(connection, "SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'format'"));
  if (found < 1) return fail(Fault::corrupt, file.string() + " does not say its format");
  return found;
}

Status check_format(std::int64_t found, const Path& file) {
  if (found <= format) return {};
  return fail(Fault::refused,
              fmt::format("{} has format {}, this program knows formats up to {}; use the newer "
                          "Belay that wrote it",
                          file.string(), found, format));
}

// A second process may have made the tables while this one waited for the lock.
Status create(sql::Connection& writer, ProcessLock& lock, const Path& file) {
  TRY(lock.take(std::chrono::seconds(10)));
  HeldLock held(lock);
  TRY(writer.execute("PRAGMA journal_mode = WAL"));
  TRY(writer.execute("BEGIN IMMEDIATE"));
  Result<std::int64_t> found = format_of(writer, file);
  Status made = found ? Status{} : Status(found.error());
  if (made && *found == 0) made = writer.execute(tables);
  if (!made) {
    writer.roll_back();
    return made;
  }
  TRY(writer.commit());
  TRY(sync_folder(file.parent_path()));
  return sync_folder(file.parent_path().parent_path());
}

}  // namespace

Status ProcessLock::take(Millis patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (std::chrono::microseconds nap(100);;
       nap = std::min<std::chrono::microseconds>(nap * 2, Millis(5))) {
    if (::flock(file_.get(), LOCK_EX | LOCK_NB) == 0) return {};
    if (errno != EWOULDBLOCK && errno != EINTR)
      return errno_error(errno, "cannot lock the journal");
    if (std::chrono::steady_clock::now() >= deadline) {
      return fail(Fault::timeout,
                  fmt::format("the journal was locked by another process for {}; see "
                              "who holds journal.lock, then try again",
                              to_text(patience)));
    }
    std::this_thread::sleep_for(nap);
  }
}

void ProcessLock::give_back() {
  ::flock(file_.get(), LOCK_UN);
}

Status check_file_system(const Path& folder, long kind) {
  for (const auto& known : network_file_systems) {
    if (known.kind != kind) continue;
    return fail(Fault::refused,
                fmt::format("the journal cannot live in {}: it is on {}, where locks and shared "
                            "memory do not hold; choose a local folder with `state:`",
                            folder.string(), known.name));
  }
  return {};
}

Result<Opened> open_files(const Path& given) {
  std::error_code code;
  const Path folder = std::filesystem::absolute(given, code).lexically_normal();
  TRY(make_folder(folder));
  struct statfs facts {};
  if (::statfs(folder.c_str(), &facts) != 0) {
    return errno_error(errno, "cannot ask about the file system of " + folder.string());
  }
  TRY(check_file_system(folder, static_cast<long>(facts.f_type)));
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    return errno_error(errno, "cannot write the journal in " + folder.string());
  }
  const Path file = folder / "journal.db";
  TRY_LET(Fd lock_file, open_private(folder / "journal.lock", 0));
  ProcessLock lock(std::move(lock_file));
  TRY(make_file(file));
  TRY_LET(sql::Connection writer, sql::Connection::open(file, "the journal"));
  const bool empty = std::filesystem::file_size(file, code) == 0;
  std::int64_t found = 0;
  if (!empty) {
    TRY_LET(found, format_of(writer, file));
  }
  if (found == 0) {
    TRY(create(writer, lock, file));
    TRY_LET(found, format_of(writer, file));
  }
  TRY(check_format(found, file));
  TRY(writer.execute("PRAGMA synchronous = FULL"));
  TRY_LET(sql::Connection reader, sql::Connection::open(file, "the journal"));
  TRY(reader.execute("PRAGMA query_only = ON"));
  return Opened{std::move(writer), std::move(reader), std::move(lock)};
}

}  // namespace belay::journal
