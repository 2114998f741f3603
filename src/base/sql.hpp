// SPDX-License-Identifier: Apache-2.0
// A thin seam over SQLite: a connection, a prepared statement, its failures as values.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "base/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace belay::sql {

class Connection;
enum class Access { read, write };

// Prepared once, used often. Columns are from 0, parameters from 1.
class Statement {
 public:
  Statement& bind(int at, std::int64_t value);
  Statement& bind(int at, std::string_view text);
  Statement& bind_blob(int at, std::string_view bytes);
  Statement& bind_null(int at);

  // True: a row is there. After false or an error the statement is ready for the next use.
  Result<bool> row();
  // For statements without rows.
  Status run();
  // Gives up the remaining rows, and with them the read transaction.
  void reset();

  std::int64_t integer(int column) const;
  std::string text(int column) const;  // also for blobs: the bytes
  bool is_null(int column) const;

 private:
  friend class Connection;
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  const char* what_ = "";
};

class Connection {
 public:
  // The file must exist. Never checkpoints by itself, not even when closed.
  // `what` it holds, "the journal", is for messages, and outlives it.
  static Result<Connection> open(const Path& file, const char* what, Access access = Access::write);

  Result<Statement> prepare(std::string_view sql);
  Status execute(const char* sql);

  // COMMIT. effect unknown when the transaction may be durable all the same. After any failure
  // the transaction is rolled back here.
  Status commit();
  void roll_back();
  // Moves what can be moved from the WAL into the database. Failing is harmless.
  void checkpoint();
  // Pages in the WAL after the last commit of this connection.
  int wal_pages() const;

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  const char* what_ = "";
  std::unique_ptr<int> wal_pages_;
  std::unique_ptr<sqlite3, Close> database_;
};

}  // namespace belay::sql
