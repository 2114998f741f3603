// SPDX-License-Identifier: Apache-2.0
// One call of `git`, the same on every machine: no prompts, no pager, no hooks, no signing, no
// translated messages, nothing from the caller's GIT_DIR. The person's configuration is read for
// what only it can know (identity, credentials, safe folders).
#pragma once

#include <string>
#include <vector>

#include "base/process.hpp"
#include "source/source.hpp"

namespace belay::source {

class GitCommand {
 public:
  explicit GitCommand(Path folder) : folder_(std::move(folder)) {}

  // What git said, whatever its status. Fails when git cannot be started or takes too long.
  Result<Finished> ask(std::vector<std::string> args, std::string input = {},
                       Environment more = {}) const;
  // As ask(), and a status other than zero is an error: "cannot <what>: <git's words>".
  Result<std::string> out(const std::string& what, std::vector<std::string> args,
                          std::string input = {}, Environment more = {}) const;

  const Path& folder() const { return folder_; }

 private:
  Path folder_;
};

// git's failure as an error, with the remedy where there is one. Passwords in URLs are starred.
Error git_error(const std::string& what, const Finished& finished, const Path& folder);

// Refuses what git could take for an option or for something else than one name.
Status check_ref_name(const std::string& ref);
// Refuses what cannot be a tag's name.
Status check_tag_name(const std::string& name);

// The path of a file inside the repository in its normal form; refuses any other.
Result<std::string> checked_path(const std::string& path);

// 40 or 64 hexadecimal digits.
bool is_full_hash(const std::string& text);

// What `git log -z` prints with this format, and how it is read.
inline constexpr const char* commit_format = "--format=%H%x00%an%x00%ae%x00%ct%x00%s";
Result<std::vector<Commit>> parse_commits(const std::string& out);

}  // namespace belay::source
