// SPDX-License-Identifier: Apache-2.0
// Accounts of this machine, and what a program that runs as another one needs: a way to where it
// works, files of its own, a home. `own` is the outermost folder of ours around where it works.
// No name, or the one we are: there is nothing to do.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/process.hpp"

namespace belay {

struct Account {
  uid_t uid = 0;
  gid_t gid = 0;
  Path home;
  bool ours() const;  // the one we run as
};

// missing, with the remedy, when this machine has none of that name.
Result<Account> find_account(const std::string& name);

// Lets `user` reach `folder`: what is ours, from `own` down, is opened for passing through; a
// folder above that is closed to others is denied by name. denied, too, when only root could
// become him.
Status open_way(const Path& own, const Path& folder, const std::string& user);
// The innermost folder above `own` that others cannot pass through.
std::optional<Path> closed_above(const Path& own);

Status let_others_pass(const Path& folder);

// The tree with everything in it becomes his.
Status give_to(const Path& tree, const std::string& user);

// npm and others end without a home they may write to, and accounts of services seldom have one:
// those get a folder in `own`, which make_home() makes.
Status make_home(const Path& own, const std::string& user);
// HOME, USER and LOGNAME are his; our own TMPDIR may be closed to him and is left out.
Environment environment_for(const std::string& user, const Path& own, Environment env);

}  // namespace belay
