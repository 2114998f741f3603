// SPDX-License-Identifier: Apache-2.0
#include "base/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <system_error>

namespace belay {

namespace fs = std::filesystem;

void Fd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

Error errno_error(int code, std::string what) {
  Fault fault = Fault::internal;
  switch (code) {
    case ENOENT: fault = Fault::missing; break;
    case EEXIST: fault = Fault::conflict; break;
    case EACCES:
    case EPERM:
    case EROFS: fault = Fault::denied; break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: fault = Fault::refused; break;
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH: fault = Fault::unreachable; break;
    case ETIMEDOUT: fault = Fault::timeout; break;
    case EBUSY:
    case EAGAIN:
    case ETXTBSY: fault = Fault::busy; break;
    default: break;
  }
  return fail(fault, what + ": " + std::generic_category().message(code));
}

Status write_all(int fd, std::string_view content, const Path& path) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "cannot write " + path.string());
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

namespace {

Status write_and_sync(const Path& temporary, std::string_view content, mode_t mode) {
  Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!file) return errno_error(errno, "cannot create " + temporary.string());
  ::fchmod(file.get(), mode);
  TRY(write_all(file.get(), content, temporary));
  if (::fsync(file.get()) != 0) return errno_error(errno, "cannot sync " + temporary.string());
  return {};
}

}  // namespace

Status move_if_absent(const Path& from, const Path& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return {};
  // Not every file system knows how to rename so: then a second link.
  if (errno == EINVAL || errno == ENOSYS) {
    if (::link(from.c_str(), to.c_str()) == 0) {
      ::unlink(from.c_str());
      return {};
    }
  }
  if (errno == EEXIST) return fail(Fault::conflict, to.string() + " is there already");
  return errno_error(errno, "cannot put " + to.string() + " in its place");
}

Result<std::string> read_file(const Path& path, std::size_t limit) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return errno_error(errno, "cannot open " + path.string());
  std::string content;
  char buffer[65536];
  for (;;) {
    const ssize_t n = ::read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "cannot read " + path.string());
    if (n == 0) return content;
    content.append(buffer, static_cast<std::size_t>(n));
    if (content.size() > limit) {
      return fail(Fault::refused,
                  path.string() + " is larger than " + std::to_string(limit) + " bytes");
    }
  }
}

Status write_file(const Path& path, std::string_view content, mode_t mode) {
  static std::atomic<unsigned> counter{0};
  Path temporary = path;
  temporary += ".tmp" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
  Status written = write_and_sync(temporary, content, mode);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) {
    written = errno_error(errno, "cannot rename to " + path.string());
  }
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  return sync_folder(path.has_parent_path() ? path.parent_path() : Path("."));
}

Status make_folder(const Path& path, mode_t mode) {
  std::error_code code;
  if (path.empty() || fs::is_directory(path, code)) return {};
  if (path.has_parent_path() && path.parent_path() != path)
    TRY(make_folder(path.parent_path(), mode));
  if (::mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
    return errno_error(errno, "cannot create the folder " + path.string());
  }
  if (!fs::is_directory(path, code)) {
    return fail(Fault::conflict, path.string() + " is in the way: it is not a folder");
  }
  return {};
}

Status remove_tree(const Path& path) {
  std::error_code code;
  fs::remove_all(path, code);
  if (code) return errno_error(code.value(), "cannot remove " + path.string());
  return {};
}

Status sync_folder(const Path& path) {
  Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return errno_error(errno, "cannot open the folder " + path.string());
  if (::fsync(folder.get()) != 0)
    return errno_error(errno, "cannot sync the folder " + path.string());
  return {};
}

Result<ScratchFolder> ScratchFolder::make(std::string_view prefix) {
  std::error_code code;
  const Path base = fs::temp_directory_path(code);
  if (code) return errno_error(code.value(), "no folder for temporary files");
  std::string name = (base / (std::string(prefix) + "-XXXXXX")).string();
  if (::mkdtemp(name.data()) == nullptr) return errno_error(errno, "cannot create " + name);
  return ScratchFolder(Path(name));
}

ScratchFolder::~ScratchFolder() {
  std::error_code code;
  if (!path_.empty()) fs::remove_all(path_, code);
}

}  // namespace belay
