// SPDX-License-Identifier: Apache-2.0
// Files as whole texts, written so that a crash leaves the old or the new content, never a mixture.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"

namespace belay {

using Path = std::filesystem::path;

// A file descriptor that closes itself.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) reset(other.release());
    return *this;
  }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// missing when there is no such file; refuses files over `limit` bytes.
Result<std::string> read_file(const Path& path, std::size_t limit = std::size_t{64} << 20);

// Temporary file beside it, fsync, rename, fsync of the folder. On failure the old content stands
// and the temporary file is gone. Safe to repeat.
Status write_file(const Path& path, std::string_view content, mode_t mode = 0600);

// All of it, where the descriptor stands. A failure may leave a part of it; `path` is for its text.
Status write_all(int fd, std::string_view content, const Path& path);

// Within one file system. conflict: `to` is there already, and both stay as they are.
Status move_if_absent(const Path& from, const Path& to);

// Creates it and its parents; new ones get `mode`. Fine when it is there already.
Status make_folder(const Path& path, mode_t mode = 0700);
// Removes a whole tree; fine when it is not there.
Status remove_tree(const Path& path);
// Makes the names in a folder durable.
Status sync_folder(const Path& path);

// "cannot open /x: Permission denied", with the fault for this errno.
Error errno_error(int code, std::string what);

// A folder of its own under the system's place for temporary files, removed with the object.
class ScratchFolder {
 public:
  static Result<ScratchFolder> make(std::string_view prefix);
  ~ScratchFolder();
  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  const Path& path() const { return path_; }

 private:
  explicit ScratchFolder(Path path) : path_(std::move(path)) {}
  Path path_;
};

}  // namespace belay
