// SPDX-License-Identifier: Apache-2.0
#include "base/child_facts.hpp"

#include <grp.h>
#include <unistd.h>

#include <cerrno>

#include "base/accounts.hpp"
#include "base/text.hpp"

namespace belay {

Result<ChildUser> find_child_user(const std::string& name) {
  if (name.empty()) return ChildUser{};
  TRY_LET(const auto account, find_account(name));
  if (account.ours()) return ChildUser{};
  if (::geteuid() != 0) {
    return fail(Fault::denied, fmt::format("only root can run a program as \"{}\"", name));
  }
  ChildUser user{true, account.uid, account.gid, std::vector<gid_t>(256)};
  int count = static_cast<int>(user.groups.size());
  if (::getgrouplist(name.c_str(), account.gid, user.groups.data(), &count) < 0) count = 256;
  user.groups.resize(static_cast<std::size_t>(count));
  return user;
}

Result<std::string> find_child_program(const ChildSpec& spec) {
  if (spec.argv.empty()) return fail(Fault::invalid, "a child without a program");
  const std::string& name = spec.argv.front();
  if (name.find('/') != std::string::npos) {
    const Path path = spec.folder.empty() ? Path(name) : spec.folder / name;
    if (::access(path.c_str(), X_OK) != 0) return errno_error(errno, "cannot run " + path.string());
    return std::filesystem::absolute(path).string();
  }
  const auto path = spec.env.find("PATH");
  for (const auto& folder : split(path == spec.env.end() ? "" : path->second, ':')) {
    const Path candidate = Path(folder) / name;
    if (!folder.empty() && ::access(candidate.c_str(), X_OK) == 0) return candidate.string();
  }
  if (const auto found = find_program(name)) return std::filesystem::absolute(*found).string();
  return fail(Fault::missing,
              fmt::format("the program \"{}\" is not on PATH; install it or add its "
                          "folder to PATH",
                          name));
}

std::string boot_id() {
  auto text = read_file("/proc/sys/kernel/random/boot_id");
  return text ? std::string(trim(*text)) : std::string("-");
}

std::string start_time_of(pid_t pid) {
  auto text = read_file(fmt::format("/proc/{}/stat", pid));
  if (!text) return {};
  const auto bracket = text->rfind(')');
  if (bracket == std::string::npos) return {};
  const auto fields = split(std::string_view(*text).substr(bracket + 1), ' ');
  constexpr std::size_t start_time = 20;  // field 22; these begin with the blank before field 3
  return fields.size() > start_time ? fields[start_time] : std::string();
}

}  // namespace belay
