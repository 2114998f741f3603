// SPDX-License-Identifier: Apache-2.0
#include "base/accounts.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <vector>

namespace belay {

namespace {

bool is_his(const Path& folder, const Account& account) {
  struct stat facts {};
  return ::stat(folder.c_str(), &facts) == 0 && S_ISDIR(facts.st_mode) &&
         facts.st_uid == account.uid;
}

Path home_in(const Path& own, const std::string& user, const Account& account) {
  return is_his(account.home, account) ? account.home : own / "homes" / user;
}

}  // namespace

bool Account::ours() const {
  return uid == ::geteuid();
}

Result<Account> find_account(const std::string& name) {
  std::vector<char> buffer(65536);
  passwd entry{};
  passwd* found = nullptr;
  ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) {
    return fail(Fault::missing, fmt::format("there is no user \"{}\" on this machine; create it or "
                                            "change `user:`",
                                            name));
  }
  return Account{entry.pw_uid, entry.pw_gid, entry.pw_dir};
}

std::optional<Path> closed_above(const Path& own) {
  for (Path at = own.parent_path(); at.has_relative_path(); at = at.parent_path()) {
    struct stat facts {};
    if (::stat(at.c_str(), &facts) == 0 && (facts.st_mode & S_IXOTH) == 0) return at;
  }
  return std::nullopt;
}

Status let_others_pass(const Path& folder) {
  struct stat facts {};
  if (::stat(folder.c_str(), &facts) != 0)
    return errno_error(errno, "cannot look at " + folder.string());
  if ((facts.st_mode & S_IXOTH) != 0) return {};
  if (::chmod(folder.c_str(), (facts.st_mode & 07777) | S_IXOTH) != 0)
    return errno_error(errno, "cannot open " + folder.string());
  return {};
}

Status open_way(const Path& own, const Path& folder, const std::string& user) {
  if (user.empty()) return {};
  TRY_LET(const auto account, find_account(user));
  if (account.ours()) return {};
  if (::geteuid() != 0)
    return fail(Fault::denied, fmt::format("only root can run services as \"{}\"", user));
  if (const auto closed = closed_above(own)) {
    return fail(Fault::denied, fmt::format("{} cannot pass through {}; allow it with: chmod o+x {}",
                                           user, closed->string(), closed->string()));
  }
  const auto above = own.parent_path();
  for (Path at = folder; at != above && at.has_relative_path(); at = at.parent_path())
    TRY(let_others_pass(at));
  return {};
}

Status give_to(const Path& tree, const std::string& user) {
  if (user.empty() || ::geteuid() != 0) return {};
  const auto given = run_ok({.argv = {"chown", "-R", "-h", user + ":", tree.string()}});
  if (!given) return given.error();
  return {};
}

Status make_home(const Path& own, const std::string& user) {
  if (user.empty() || ::geteuid() != 0) return {};
  TRY_LET(const auto account, find_account(user));
  const Path home = home_in(own, user, account);
  if (account.ours() || is_his(home, account)) return {};
  TRY(make_folder(home));
  TRY(open_way(own, home.parent_path(), user));
  if (::chown(home.c_str(), account.uid, account.gid) != 0)
    return errno_error(errno, "cannot give " + home.string() + " to " + user);
  return {};
}

Environment environment_for(const std::string& user, const Path& own, Environment env) {
  if (user.empty()) return env;
  env["USER"] = env["LOGNAME"] = user;
  const auto account = find_account(user);
  if (!account || account->ours()) return env;
  env["HOME"] = home_in(own, user, *account).string();
  const char* our_scratch = std::getenv("TMPDIR");
  if (our_scratch != nullptr && env.contains("TMPDIR") && env["TMPDIR"] == our_scratch)
    env.erase("TMPDIR");
  return env;
}

}  // namespace belay
