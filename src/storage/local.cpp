// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <limits>
#include <mutex>
#include <system_error>

#include "storage/name.hpp"
#include "storage/storage.hpp"

namespace belay::storage {

namespace fs = std::filesystem;

namespace {

// Half-written objects live here; its leading dot is not possible in an object's name.
constexpr const char* incoming_folder = ".incoming";

Result<std::string> read_part(int fd, const Path& path, std::uint64_t from, std::uint64_t count) {
  struct stat facts {};
  if (::fstat(fd, &facts) != 0) return errno_error(errno, "cannot look at " + path.string());
  const auto size = static_cast<std::uint64_t>(facts.st_size);
  from = std::min(from, size);
  std::string content(std::min(count, size - from), '\0');
  std::size_t got = 0;
  while (got < content.size()) {
    const auto at = static_cast<off_t>(from + got);
    const ssize_t n = ::pread(fd, content.data() + got, content.size() - got, at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "cannot read " + path.string());
    if (n == 0) break;
    got += static_cast<std::size_t>(n);
  }
  content.resize(got);
  return content;
}

class Local final : public Storage {
 public:
  explicit Local(Path folder) : folder_(std::move(folder)) {}

  Status put(const std::string& name, std::string_view content) override {
    TRY(check_name(name));
    TRY(prepare());
    const Path target = folder_ / name;
    TRY(make_durable_folder(target.parent_path()));
    const Path temporary =
        folder_ / incoming_folder / (std::to_string(::getpid()) + "-" + std::to_string(counter_++));
    Status moved = write_new(temporary, content);
    if (moved) moved = move_if_absent(temporary, target);
    if (!moved) ::unlink(temporary.c_str());
    if (!moved && moved.error().fault != Fault::conflict) return moved;
    // Also on a conflict: whoever was first may not have come to this line yet.
    TRY(sync_folder(target.parent_path()));
    return moved;
  }

  Result<std::string> get(const std::string& name) override {
    return get_part(name, 0, std::numeric_limits<std::uint64_t>::max());
  }

  Result<std::string> get_part(const std::string& name, std::uint64_t from,
                               std::uint64_t count) override {
    TRY(check_name(name));
    const Path path = folder_ / name;
    Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file && errno == ENOENT) return fail(Fault::missing, "there is no " + path.string());
    if (!file) return errno_error(errno, "cannot open " + path.string());
    return read_part(file.get(), path, from, count);
  }

  Result<std::vector<Object>> list(const std::string& prefix) override {
    std::vector<Object> found;
    // Only the folder that the prefix names can hold such objects.
    const std::size_t slash = prefix.rfind('/');
    const Path start = slash == std::string::npos ? folder_ : folder_ / prefix.substr(0, slash);
    TRY(collect(start, prefix, found));
    std::sort(found.begin(), found.end(),
              [](const Object& a, const Object& b) { return a.name < b.name; });
    return found;
  }

  Status remove(const std::string& name) override {
    TRY(check_name(name));
    const Path path = folder_ / name;
    if (::unlink(path.c_str()) == 0) return sync_folder(path.parent_path());
    if (errno == ENOENT || errno == ENOTDIR) return {};
    return errno_error(errno, "cannot remove " + path.string());
  }

  Result<bool> exists(const std::string& name) override {
    TRY(check_name(name));
    const Path path = folder_ / name;
    struct stat facts {};
    if (::stat(path.c_str(), &facts) == 0) return S_ISREG(facts.st_mode);
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return errno_error(errno, "cannot look at " + path.string());
  }

  std::string where() const override { return "file:" + folder_.string(); }

 private:
  // Leftovers of killed processes are removed once they are a day old.
  Status prepare() {
    const std::lock_guard lock(mutex_);
    if (prepared_) return {};
    TRY(make_folder(folder_));
    const Path incoming = folder_ / incoming_folder;
    TRY(make_folder(incoming));
    std::error_code code;
    for (const auto& entry : fs::directory_iterator(incoming, code)) {
      const auto written = entry.last_write_time(code);
      if (!code && fs::file_time_type::clock::now() - written > std::chrono::hours(24)) {
        ::unlink(entry.path().c_str());
      }
    }
    prepared_ = true;
    return {};
  }

  Status make_durable_folder(const Path& path) {
    if (path == folder_) return {};
    std::error_code code;
    if (fs::is_directory(path, code)) return {};
    TRY(make_durable_folder(path.parent_path()));
    TRY(make_folder(path));
    return sync_folder(path.parent_path());
  }

  Status write_new(const Path& temporary, std::string_view content) {
    Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file && errno == EEXIST) {
      // Of a process that had our number and was killed.
      ::unlink(temporary.c_str());
      file.reset(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    }
    if (!file) return errno_error(errno, "cannot create " + temporary.string());
    TRY(write_all(file.get(), content, temporary));
    if (::fsync(file.get()) != 0) return errno_error(errno, "cannot sync " + temporary.string());
    return {};
  }

  Status collect(const Path& folder, const std::string& prefix, std::vector<Object>& found) {
    std::error_code code;
    fs::recursive_directory_iterator entry(folder, code);
    if (code == std::errc::no_such_file_or_directory) return {};
    if (code) return errno_error(code.value(), "cannot list " + folder.string());
    const fs::recursive_directory_iterator end;
    while (entry != end) {
      if (entry.depth() == 0 && entry->path().filename() == incoming_folder) {
        entry.disable_recursion_pending();
      } else if (entry->is_regular_file(code)) {
        add(*entry, prefix, found);
      }
      entry.increment(code);
      if (code) return errno_error(code.value(), "cannot list " + folder.string());
    }
    return {};
  }

  void add(const fs::directory_entry& entry, const std::string& prefix,
           std::vector<Object>& found) const {
    const std::string name = entry.path().string().substr(folder_.string().size() + 1);
    std::error_code code;
    const std::uintmax_t size = entry.file_size(code);
    // Removed between the listing and this look: it is not there.
    if (!code && name.starts_with(prefix)) found.push_back({name, size});
  }

  Path folder_;
  std::mutex mutex_;
  bool prepared_ = false;
  // Of the process, not of the object: two objects may share a folder.
  static inline std::atomic<unsigned> counter_{0};
};

}  // namespace

std::unique_ptr<Storage> make_local(const Path& folder) {
  std::error_code code;
  Path absolute = fs::absolute(folder, code).lexically_normal();
  if (!absolute.has_filename()) absolute = absolute.parent_path();
  return std::make_unique<Local>(std::move(absolute));
}

}  // namespace belay::storage
