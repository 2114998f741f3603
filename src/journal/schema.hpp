// SPDX-License-Identifier: Apache-2.0
// The journal's file and its tables: made, recognised, refused. And the lock between processes.
#pragma once

#include "base/clock.hpp"
#include "base/sql.hpp"

namespace belay::journal {

// The exclusive lock that every write transaction and every checkpoint of every process holds.
class ProcessLock {
 public:
  explicit ProcessLock(Fd file) : file_(std::move(file)) {}
  // busy when somebody has kept it for `patience`.
  Status take(Millis patience);
  void give_back();

 private:
  Fd file_;
};

class HeldLock {
 public:
  explicit HeldLock(ProcessLock& lock) : lock_(lock) {}
  HeldLock(const HeldLock&) = delete;
  HeldLock& operator=(const HeldLock&) = delete;
  ~HeldLock() { lock_.give_back(); }

 private:
  ProcessLock& lock_;
};

// refused, naming it: a network file system. `kind` is statfs's f_type.
Status check_file_system(const Path& folder, long kind);

struct Opened {
  sql::Connection writer, reader;
  ProcessLock lock;
};

// Creates what is not there yet, all of it or nothing. denied: the folder cannot be written.
// refused: a newer format. corrupt: not a journal.
Result<Opened> open_files(const Path& folder);

}  // namespace belay::journal
