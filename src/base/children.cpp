// SPDX-License-Identifier: Apache-2.0
#include "base/children.hpp"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/child_facts.hpp"
#include "base/json.hpp"
#include "base/supervisor.hpp"
#include "base/text.hpp"

extern "C" {  // glibc 2.36 forgets to say so
#include <sys/pidfd.h>
}

namespace belay {

namespace {

constexpr Millis poll_interval = std::chrono::milliseconds(50);
constexpr std::size_t output_limit = std::size_t{64} << 20;

Status check_key(const std::string& key) {
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  if (key.empty() || key.size() > 200 || key.front() == '.' ||
      key.find_first_not_of(allowed) != std::string::npos) {
    return fail(Fault::invalid,
                fmt::format("\"{}\" is not a child's key: up to 200 letters, digits, "
                            "'-', '_' and '.', not beginning with '.'",
                            key));
  }
  return {};
}

Error started_before(const std::string& key) {
  return fail(Fault::conflict, fmt::format("\"{}\" was started before; look at it first", key));
}

// Never 0, 1 or 2, also when we have none of these: the supervisor puts its own there.
Fd above_standard(int fd) {
  Fd file(fd);
  if (fd >= 0 && fd < 3) file.reset(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  return file;
}

Result<Fd> open_at(const Path& path, int flags, mode_t mode = 0600) {
  Fd file = above_standard(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!file) return errno_error(errno, "cannot open " + path.string());
  return file;
}

// A record that is not yet in its place. Until place() the key has not been started.
struct Record {
  Path path;
  Fd folder, lock, output;
  bool placed = false;
  Record() = default;
  Record(Record&&) = default;
  ~Record() {
    std::error_code code;
    if (!placed && folder) std::filesystem::remove_all(path, code);
  }
};

class SupervisedChildren final : public Children {
 public:
  explicit SupervisedChildren(const Path& folder)
      : folder_(std::filesystem::absolute(folder).lexically_normal()) {}

  Status start(const ChildSpec& spec) override;
  Result<ChildStatus> look(const std::string& key) override;
  Result<ChildStatus> wait(const std::string& key,
                           const std::function<void(std::string_view)>& output,
                           std::stop_token stop) override;
  Status end(const std::string& key, Millis grace) override;
  Result<std::string> output(const std::string& key) override;
  Status keep(const std::string& key, std::string_view output) override;
  Status forget(const std::string& key) override;

 private:
  Path place_of(const std::string& key) const { return folder_ / key; }
  Result<Record> make_record(const ChildSpec& spec) const;
  Status place(Record& record, const std::string& key) const;
  Status clear_unbegun(const std::string& key);
  Status signal(const std::string& key, int number) const;
  Result<bool> settled_within(const std::string& key, Millis patience);

  Path folder_;
};

// What is needed to find the child again and to tell a person about it; never its environment.
std::string description(const ChildSpec& spec) {
  return canonical(Json{{"argv", spec.argv},
                        {"folder", spec.folder.string()},
                        {"user", spec.user},
                        {"limit_ms", spec.limit.count()}});
}

// The lock is held before the record can be seen: a record whose lock is free has no supervisor
// and will never get one.
Result<Record> SupervisedChildren::make_record(const ChildSpec& spec) const {
  static std::atomic<unsigned> counter{0};
  TRY(make_folder(folder_));
  Record record;
  record.path = folder_ / fmt::format(".new-{}-{}-{}", ::getpid(), counter++, spec.key);
  TRY(remove_tree(record.path));
  if (::mkdir(record.path.c_str(), 0700) != 0) {
    return errno_error(errno, "cannot create " + record.path.string());
  }
  TRY_LET(record.folder, open_at(record.path, O_RDONLY | O_DIRECTORY));
  TRY_LET(record.lock, open_at(record.path / "lock", O_RDWR | O_CREAT));
  if (::flock(record.lock.get(), LOCK_EX) != 0) return errno_error(errno, "cannot lock the record");
  TRY_LET(record.output, open_at(record.path / "output", O_WRONLY | O_CREAT | O_APPEND));
  TRY(write_file(record.path / "spec.json", description(spec)));
  TRY(write_file(record.path / "status.tmp", std::string(64, '\n')));
  return record;
}

Status SupervisedChildren::place(Record& record, const std::string& key) const {
  const Path to = place_of(key);
  if (::renameat2(AT_FDCWD, record.path.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
    if (errno == EEXIST) {
      return started_before(key);
    }
    return errno_error(errno, "cannot create " + to.string());
  }
  record.placed = true;
  return sync_folder(folder_);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// Forks twice: the supervisor belongs to init, in a session that no terminal can end.
Status launch(const SupervisorOrders& orders, const Fd& answer, Fd& report) {
  const pid_t between = ::fork();
  if (between < 0) return errno_error(errno, "cannot start a supervisor");
  if (between == 0) {
    ::setsid();
    if (::fork() == 0) supervise(orders);
    ::_exit(0);
  }
  while (::waitpid(between, nullptr, 0) < 0 && errno == EINTR) {}
  report.reset();
  char byte = 0;
  ssize_t n = 0;
  while ((n = ::read(answer.get(), &byte, 1)) < 0 && errno == EINTR) {}
  if (n == 1) return {};
  return unknown_effect(Fault::internal, "the supervisor ended before it could report");
}

Status SupervisedChildren::start(const ChildSpec& spec) {
  TRY(check_key(spec.key));
  struct stat there {};
  if (::lstat(place_of(spec.key).c_str(), &there) == 0) TRY(clear_unbegun(spec.key));
  TRY_LET(const std::string program, find_child_program(spec));
  TRY_LET(const ChildUser user, find_child_user(spec.user));
  const std::string folder =
      spec.folder.empty() ? "" : std::filesystem::absolute(spec.folder).string();
  std::error_code code;
  if (!folder.empty() && !std::filesystem::is_directory(folder, code)) {
    return fail(Fault::missing,
                fmt::format("cannot run \"{}\" in {}: no such folder", spec.argv.front(), folder));
  }
  std::vector<std::string> argv = spec.argv, entries;
  for (const auto& [name, value] : spec.env) entries.push_back(name + "=" + value);
  std::vector<char*> argv_pointers = pointers(argv), env_pointers = pointers(entries);
  const std::string boot = boot_id();
  TRY_LET(Fd null, open_at("/dev/null", O_RDWR));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error(errno, "cannot make a pipe");
  Fd answer(ends[0]), report = above_standard(ends[1]);
  TRY_LET(Record record, make_record(spec));
  TRY(place(record, spec.key));

  SupervisorOrders orders;
  orders.record = record.folder.get();
  orders.lock = record.lock.get();
  orders.output = record.output.get();
  orders.null = null.get();
  orders.report = report.get();
  orders.boot = boot.c_str();
  orders.program = program.c_str();
  orders.argv = argv_pointers.data();
  orders.env = env_pointers.data();
  orders.folder = folder.empty() ? nullptr : folder.c_str();
  orders.other_user = user.other;
  orders.uid = user.uid;
  orders.gid = user.gid;
  orders.groups = user.groups.data();
  orders.group_count = user.groups.size();
  orders.limit_millis = spec.limit.count();
  Status launched = launch(orders, answer, report);
  for (auto& entry : entries) explicit_bzero(entry.data(), entry.size());
  // Nothing was started: the key stays free.
  if (!launched && launched.error().effect == Effect::none) TRY(remove_tree(place_of(spec.key)));
  return launched;
}

Result<ChildStatus> read_status(const Path& place) {
  auto text = read_file(place / "status", 4096);
  if (!text && text.error().fault == Fault::missing) return ChildStatus{ChildState::unknown};
  if (!text) return std::move(text).error();
  const auto words = split(trim(*text), ' ');
  if (words.size() < 2 || words[0] != "ended") {
    return fail(Fault::corrupt,
                fmt::format("{} is not a child's status", (place / "status").string()));
  }
  ChildStatus status{ChildState::ended};
  status.status = std::atoi(words[1].c_str());
  status.timed_out = words.size() > 2 && words[2] == "timeout";
  return status;
}

Result<ChildStatus> SupervisedChildren::look(const std::string& key) {
  TRY(check_key(key));
  const Path place = place_of(key);
  TRY_LET(ChildStatus before, read_status(place));
  if (before.state == ChildState::ended) return before;
  Fd lock(::open((place / "lock").c_str(), O_RDONLY | O_CLOEXEC));
  if (!lock && errno == ENOENT) {
    struct stat there {};
    const bool absent = ::lstat(place.c_str(), &there) != 0 && errno == ENOENT;
    return ChildStatus{absent ? ChildState::absent : ChildState::unknown};
  }
  if (!lock) return errno_error(errno, "cannot open " + (place / "lock").string());
  if (::flock(lock.get(), LOCK_SH | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return ChildStatus{ChildState::running};
    return errno_error(errno, "cannot ask for the lock of " + key);
  }
  TRY_LET(const ChildStatus since, read_status(place));  // it may have ended
  // The supervisor writes its pid, durably, before it starts anything.
  struct stat pid {};
  const bool begun = ::lstat((place / "pid").c_str(), &pid) == 0 || errno != ENOENT;
  return since.state == ChildState::unknown && !begun ? ChildStatus{ChildState::absent} : since;
}

// A starter that was killed before it had a supervisor left a record with nobody behind it.
Status SupervisedChildren::clear_unbegun(const std::string& key) {
  const Path place = place_of(key);
  Fd lock(::open((place / "lock").c_str(), O_RDONLY | O_CLOEXEC));
  struct stat held {
  }, named{};
  if (!lock || ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) return started_before(key);
  // Somebody else may have been quicker: then the name is that of his record.
  if (::fstat(lock.get(), &held) != 0 || ::stat((place / "lock").c_str(), &named) != 0 ||
      held.st_ino != named.st_ino || std::filesystem::exists(place / "pid")) {
    return started_before(key);
  }
  const Path old = folder_ / (".old-" + key);
  TRY(remove_tree(old));
  if (::rename(place.c_str(), old.c_str()) != 0) {
    return errno_error(errno, "cannot remove the record of " + key);
  }
  return remove_tree(old);
}

// Copies what has been written since `at`; moves it on.
Status follow(const Path& path, off_t& at, const std::function<void(std::string_view)>& output) {
  if (!output) return {};
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return errno == ENOENT ? Status{} : errno_error(errno, "cannot open " + path.string());
  char buffer[65536];
  for (;;) {
    const ssize_t n = ::pread(file.get(), buffer, sizeof buffer, at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "cannot read " + path.string());
    if (n == 0) return {};
    output(std::string_view(buffer, static_cast<std::size_t>(n)));
    at += n;
  }
}

Result<ChildStatus> SupervisedChildren::wait(const std::string& key,
                                             const std::function<void(std::string_view)>& output,
                                             std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  off_t at = 0;
  for (Millis nap(2);; nap = std::min(nap * 2, poll_interval)) {
    TRY_LET(const ChildStatus status, look(key));
    TRY(follow(place_of(key) / "output", at, output));
    if (status.state != ChildState::running) return status;
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop, nap, [] { return false; });
    if (stop.stop_requested()) {
      return fail(Fault::cancelled, fmt::format("no longer waiting for \"{}\"; it goes on", key));
    }
  }
}

// Through a pidfd, and only when the process is the very one that was started: a number may have
// been given to somebody else since.
Status SupervisedChildren::signal(const std::string& key, int number) const {
  TRY_LET(const std::string text, read_file(place_of(key) / "pid", 4096));
  const auto words = split(trim(text), ' ');
  const pid_t pid = words.size() == 3 ? static_cast<pid_t>(std::atoi(words[0].c_str())) : 0;
  if (pid <= 1) return fail(Fault::corrupt, fmt::format("the pid file of \"{}\" is damaged", key));
  Fd process(::pidfd_open(pid, 0));
  if (!process || words[2] != boot_id() || start_time_of(pid) != words[1]) return {};
  if (::pidfd_send_signal(process.get(), number, nullptr, 0) != 0 && errno != ESRCH) {
    return errno_error(errno, fmt::format("cannot end \"{}\"", key));
  }
  return {};
}

Result<bool> SupervisedChildren::settled_within(const std::string& key, Millis patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (Millis nap(2);; nap = std::min(nap * 2, poll_interval)) {
    TRY_LET(const ChildStatus status, look(key));
    if (status.state != ChildState::running) return true;
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(nap);
  }
}

Status SupervisedChildren::end(const std::string& key, Millis grace) {
  TRY_LET(const ChildStatus status, look(key));
  if (status.state != ChildState::running) return {};
  TRY(signal(key, SIGTERM));
  TRY_LET(const bool gently, settled_within(key, grace));
  if (gently) return {};
  TRY(signal(key, supervisor_kill_signal()));
  TRY_LET(const bool killed, settled_within(key, std::chrono::seconds(10)));
  if (killed) return {};
  return unknown_effect(Fault::timeout,
                        fmt::format("\"{}\" does not end, not even when killed", key));
}

Result<std::string> SupervisedChildren::output(const std::string& key) {
  TRY(check_key(key));
  return read_file(place_of(key) / "output", output_limit);
}

Status SupervisedChildren::keep(const std::string& key, std::string_view output) {
  TRY_LET(const ChildStatus status, look(key));
  if (status.state != ChildState::ended) {
    return fail(Fault::busy, fmt::format("\"{}\" has not ended", key));
  }
  return write_file(place_of(key) / "output", output, 0600);
}

Status SupervisedChildren::forget(const std::string& key) {
  TRY_LET(const ChildStatus status, look(key));
  if (status.state == ChildState::absent) return {};
  if (status.state == ChildState::running) {
    return fail(Fault::busy, fmt::format("\"{}\" is still running; end it first", key));
  }
  // Renamed first: a crash must not leave half a record under the key.
  const Path old = folder_ / (".old-" + key);
  TRY(remove_tree(old));
  if (::rename(place_of(key).c_str(), old.c_str()) != 0 && errno != ENOENT) {
    return errno_error(errno, "cannot remove the record of " + key);
  }
  return remove_tree(old);
}

}  // namespace

std::unique_ptr<Children> make_children(Path folder) {
  return std::make_unique<SupervisedChildren>(std::move(folder));
}

}  // namespace belay
