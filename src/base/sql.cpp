// SPDX-License-Identifier: Apache-2.0
#include "base/sql.hpp"

#include <sqlite3.h>

namespace belay::sql {

namespace {

constexpr int busy_millis = 10'000;

Fault fault_of(int code) {
  switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Fault::busy;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN: return Fault::denied;
    case SQLITE_FULL: return Fault::refused;
    // A writer stands still between the two copies of the log's header: nothing is wrong with it.
    case SQLITE_PROTOCOL: return Fault::timeout;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return Fault::corrupt;
    case SQLITE_CONSTRAINT: return Fault::conflict;
    default: return (code == SQLITE_IOERR_WRITE) ? Fault::refused : Fault::internal;
  }
}

std::string advice(Fault fault) {
  if (fault == Fault::busy) return "; another program holds it, try again";
  if (fault == Fault::refused)
    return "; nothing was written: make room on the disk, then try again";
  if (fault == Fault::denied) return "; use an account that may write there";
  if (fault == Fault::corrupt) return "; keep a copy of the file and restore it from a backup";
  return "";
}

Error error_of(sqlite3* database, int code, const char* verb, const char* what) {
  const Fault fault = fault_of(code);
  return fail(fault,
              fmt::format("cannot {} {}: {} (SQLite error {}){}", verb, what,
                          database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code),
                          code, advice(fault)));
}

int remember_pages(void* pages, sqlite3*, const char*, int count) {
  *static_cast<int*>(pages) = count;
  return SQLITE_OK;
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}
void Connection::Close::operator()(sqlite3* database) const {
  sqlite3_close_v2(database);
}

Statement& Statement::bind(int at, std::int64_t value) {
  ASSERT(sqlite3_bind_int64(statement_.get(), at, value) == SQLITE_OK);
  return *this;
}

Statement& Statement::bind(int at, std::string_view text) {
  // An empty view may hold a null pointer, which SQLite reads as NULL.
  const char* bytes = text.empty() ? "" : text.data();
  ASSERT(sqlite3_bind_text(statement_.get(), at, bytes, static_cast<int>(text.size()),
                           SQLITE_TRANSIENT) == SQLITE_OK);
  return *this;
}

Statement& Statement::bind_blob(int at, std::string_view bytes) {
  const char* data = bytes.empty() ? "" : bytes.data();
  ASSERT(sqlite3_bind_blob(statement_.get(), at, data, static_cast<int>(bytes.size()),
                           SQLITE_TRANSIENT) == SQLITE_OK);
  return *this;
}

Statement& Statement::bind_null(int at) {
  ASSERT(sqlite3_bind_null(statement_.get(), at) == SQLITE_OK);
  return *this;
}

Result<bool> Statement::row() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  sqlite3* const database = sqlite3_db_handle(statement_.get());
  const bool reads = sqlite3_stmt_readonly(statement_.get()) != 0;
  Error error =
      error_of(database, sqlite3_extended_errcode(database), reads ? "read" : "write", what_);
  reset();
  return error;
}

Status Statement::run() {
  TRY_LET([[maybe_unused]] const bool more, row());
  reset();
  return {};
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string Statement::text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), size);
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

Result<Connection> Connection::open(const Path& file, const char* what, Access access) {
  sqlite3* raw = nullptr;
  const bool writes = access == Access::write;
  const int code =
      sqlite3_open_v2(file.c_str(), &raw,
                      (writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) |
                          SQLITE_OPEN_FULLMUTEX | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE,
                      nullptr);
  Connection connection;
  connection.what_ = what;
  connection.database_.reset(raw);
  if (code != SQLITE_OK) return error_of(raw, code, "open", what).in(file.string());
  if (writes && sqlite3_db_readonly(raw, "main") != 0) {
    return fail(Fault::denied, "cannot write " + file.string() + advice(Fault::denied));
  }
  sqlite3_busy_timeout(raw, busy_millis);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // The hook takes the place of the one that checkpoints by itself.
  connection.wal_pages_ = std::make_unique<int>(0);
  sqlite3_wal_hook(raw, remember_pages, connection.wal_pages_.get());
  return connection;
}

Result<Statement> Connection::prepare(std::string_view sql) {
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  if (code != SQLITE_OK) return error_of(database_.get(), code, "ask", what_);
  Statement statement;
  statement.statement_.reset(raw);
  statement.what_ = what_;
  return statement;
}

Status Connection::execute(const char* sql) {
  const int code = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error_of(database_.get(), code, "write", what_);
  return {};
}

Status Connection::commit() {
  const int code = sqlite3_exec(database_.get(), "COMMIT", nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return {};
  Error error = error_of(database_.get(), code, "write", what_);
  roll_back();
  // The record that makes a transaction valid is written last: when a write failed, it is not
  // there. Whatever fails later fails when it may be.
  const bool not_there =
      code == SQLITE_FULL || code == SQLITE_IOERR_WRITE || (code & 0xff) == SQLITE_BUSY;
  if (!not_there) {
    error.effect = Effect::unknown;
    error.text += "; whether it was kept is not known: look again";
  }
  return error;
}

void Connection::roll_back() {
  if (sqlite3_get_autocommit(database_.get()) == 0) {
    sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

void Connection::checkpoint() {
  if (sqlite3_wal_checkpoint_v2(database_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr,
                                nullptr) == SQLITE_OK) {
    *wal_pages_ = 0;
  }
}

int Connection::wal_pages() const {
  return *wal_pages_;
}

}  // namespace belay::sql
