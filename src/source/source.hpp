// SPDX-License-Identifier: Apache-2.0
// Where releases come from.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace belay::source {

struct Commit {
  std::string id;  // full hash
  std::string subject, author, email;
  TimePoint at{};
};

struct Tag {
  std::string name, commit, message;
};

class Source {
 public:
  virtual ~Source() = default;
  // A branch, tag or hash. missing, naming what was tried.
  virtual Result<Commit> resolve(const std::string& ref) = 0;
  // Branches that contain the commit: the remote's as fetched, by their local names; without a
  // remote one's own.
  virtual Result<std::vector<std::string>> branches_with(const std::string& commit) = 0;
  virtual Result<std::optional<std::string>> current_branch() = 0;
  // A fresh copy of the commit's tree in `folder` (created empty).
  virtual Status copy(const std::string& commit, const Path& folder) = 0;
  // A file of that commit. missing.
  virtual Result<std::string> read(const std::string& commit, const std::string& path) = 0;
  // Commits reachable from `to` and not from `from` (empty: all), newest first, at most `limit`,
  // touching `path` (empty: anything).
  virtual Result<std::vector<Commit>> between(const std::string& from, const std::string& to,
                                              const std::string& path, int limit) = 0;
  virtual Result<bool> is_ancestor(const std::string& older, const std::string& newer) = 0;
  virtual Result<std::vector<std::string>> uncommitted() = 0;  // changed paths, untracked ones too
  // The commit that rules policy: the remote's default branch as fetched, else none.
  virtual Result<std::optional<Commit>> protected_head() = 0;
  // An annotated tag; the same tag on the same commit is fine, on another one a conflict.
  virtual Status tag(const std::string& name, const std::string& commit,
                     const std::string& message) = 0;
  virtual Result<std::optional<Tag>> find_tag(const std::string& name) = 0;
  // All annotated tags, with their messages.
  virtual Result<std::vector<Tag>> annotated_tags() { return std::vector<Tag>{}; }
  virtual Result<bool> has_remote() = 0;
  // Of the remote that counts, as git has it; "" when there is none.
  virtual Result<std::string> remote_url() { return std::string(); }
  virtual Status push_tag(const std::string& name) = 0;
  virtual Result<std::string> user_email() = 0;  // git's user.email; missing
  // What copy() leaves out or brings as a stub only, one line each: "lib/x (submodule)",
  // "logo.png (Git LFS pointer)". A plan names them.
  virtual Result<std::vector<std::string>> not_carried(const std::string& commit) {
    (void)commit;
    return std::vector<std::string>{};
  }
};

// `folder` lies in a git work tree; missing, with the remedy, otherwise.
Result<std::unique_ptr<Source>> make_git(const Path& folder);

}  // namespace belay::source
