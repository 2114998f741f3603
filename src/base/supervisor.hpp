// SPDX-License-Identifier: Apache-2.0
// The process that stands between us and a child that must outlive us. Part of children.cpp; a
// file of its own because everything in it runs after fork() and may call only what is safe there:
// no memory is taken, no lock, no C++ library.
//
// While it lives it holds the lock on the child's record, so that anybody can see whether it does.
// When it dies without a word (kill -9) its child dies too: directly by the kernel's parent-death
// signal, and with its whole group by a guard that sits in that group.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace belay {

// Everything is made ready before fork().
struct SupervisorOrders {
  int record = -1;        // the record's folder
  int lock = -1;          // held open, and so locked, for as long as the supervisor lives
  int output = -1;        // the child's stdout and stderr
  int null = -1;          // /dev/null
  int report = -1;        // one byte is written when the pid file is durable
  const char* boot = "";  // the kernel's boot id
  const char* program = nullptr;
  char* const* argv = nullptr;
  char* const* env = nullptr;
  const char* folder = nullptr;  // nullptr: stays where we are
  bool other_user = false;
  uid_t uid = 0;
  gid_t gid = 0;
  const gid_t* groups = nullptr;
  std::size_t group_count = 0;
  std::int64_t limit_millis = 0;
};

// SIGTERM to the supervisor: SIGTERM for the child's group. kill_signal(): SIGKILL for it.
int supervisor_kill_signal();

// Never returns. To be called in a process whose parent does not wait for it.
[[noreturn]] void supervise(const SupervisorOrders& orders);

}  // namespace belay
