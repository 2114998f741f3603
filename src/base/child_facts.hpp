// SPDX-License-Identifier: Apache-2.0
// What is looked up before a child is started, and what tells one process from another that has
// been given its number. Part of children.cpp.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/children.hpp"

namespace belay {

struct ChildUser {
  bool other = false;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};

// Before fork(), because the C library asks files and daemons for it. Empty name, or the one we
// are: nobody else. missing: no such user. denied: only root may become somebody else.
Result<ChildUser> find_child_user(const std::string& name);

// argv[0] as the child will find it: in its folder, on its own PATH, then on ours.
Result<std::string> find_child_program(const ChildSpec& spec);

// This boot of the kernel; "-" when it does not say.
std::string boot_id();
// When the process began, in clock ticks since boot; empty when there is none.
std::string start_time_of(pid_t pid);

}  // namespace belay
