// SPDX-License-Identifier: Apache-2.0
#include "base/runit.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>

#include "base/text.hpp"

namespace belay {

namespace {

constexpr Millis service_poll{10};

// Children that outlive their program would keep its port and its files. The boot's id keeps us
// from signalling a group that got the number after a reboot. Bounded: a process that nobody reaps
// still counts as a member of its group.
constexpr std::string_view sweep_script = R"sh(#!/bin/sh
# Ends what an earlier start left behind.
[ -r group ] || exit 0
read -r group boot < group || exit 0
[ "$boot" = "$(cat /proc/sys/kernel/random/boot_id)" ] || exit 0
kill -s TERM -- "-$group" 2>/dev/null || exit 0
i=0
while kill -s 0 -- "-$group" 2>/dev/null && [ $i -lt 60 ]; do
  i=$((i + 1))
  [ $i -lt 50 ] || kill -s KILL -- "-$group" 2>/dev/null
  sleep 0.1
done
rm -f group
)sh";

constexpr std::string_view run_prologue = R"sh(#!/bin/sh
# Written by belay; a new start writes it again.
exec 2>&1
./sweep
echo "$$ $(cat /proc/sys/kernel/random/boot_id)" > group.new && mv group.new group
)sh";

constexpr std::string_view finish_script = R"sh(#!/bin/sh
# Counts how often it ended, and how; the last three times are kept to tell a crash loop.
./sweep
n=0 b=0 c=0
[ ! -r ended ] || read -r n _ _ _ b c < ended
echo "$((n + 1)) $1 $2 $b $c $(date +%s)" > ended.new && mv ended.new ended
)sh";

std::int64_t number(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// runit's supervise/status: a TAI64N label, the pid (little endian), paused, wanted, term, state.
struct StatusFile {
  bool valid = false;
  pid_t pid = 0;
  bool wanted = false;
  bool running = false;
  std::int64_t since_millis = 0;  // Unix time
};

StatusFile service_status(const Path& folder) {
  StatusFile status;
  auto text = read_file(folder / "supervise/status", 4096);
  if (!text || text->size() < 20) return status;
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>((*text)[at]); };
  std::uint64_t seconds = 0;
  for (std::size_t i = 0; i < 8; ++i) seconds = seconds << 8 | byte(i);
  std::uint32_t nanos = 0;
  for (std::size_t i = 8; i < 12; ++i) nanos = nanos << 8 | byte(i);
  std::uint32_t pid = 0;
  for (std::size_t i = 16; i-- > 12;) pid = pid << 8 | byte(i);
  constexpr std::uint64_t tai_of_unix_epoch = 4611686018427387914ULL;
  status.valid = true;
  status.pid = static_cast<pid_t>(pid);
  status.wanted = byte(17) == 'u';
  status.running = byte(19) == 1;
  status.since_millis = static_cast<std::int64_t>(seconds - tai_of_unix_epoch) * 1000 +
                        static_cast<std::int64_t>(nanos) / 1'000'000;
  return status;
}

void read_ends(const Path& folder, std::int64_t now_seconds, Supervision& out) {
  auto text = read_file(folder / "ended", 4096);
  if (!text) return;
  const auto words = split(trim(*text), ' ');
  if (words.size() != 6) return;
  out.ended = static_cast<int>(number(words[0]));
  out.last_end = words[1] == "-1" ? "signal " + words[2] : "exit status " + words[1];
  const bool often = out.ended >= 3 && now_seconds - number(words[3]) < 60;
  out.crash_looping = often && !(out.up && out.since > std::chrono::seconds(10));
}

// The runsv of this folder, found by its command line; for the rare case that it must be ended
// from outside.
pid_t supervisor_of(const Path& folder) {
  const std::string wanted =
      "runsv" + std::string(1, '\0') + folder.string() + std::string(1, '\0');
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", code)) {
    const std::int64_t pid = number(entry.path().filename().string());
    if (pid <= 1) continue;
    const auto line = read_file(entry.path() / "cmdline", 65536);
    if (line && *line == wanted) return static_cast<pid_t>(pid);
  }
  return 0;
}

// Only what is safe after fork() in a program with threads.
[[noreturn]] void become_runsv(const char* program, char* const* argv, char* const* env, int null,
                               int log) {
  ::setsid();
  if (::fork() != 0) ::_exit(0);
  for (int signal = 1; signal < 65; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(null, 0);
  ::dup2(log, 1);
  ::dup2(log, 2);
  ::syscall(SYS_close_range, 3U, ~0U, 0U);
  if (::chdir("/") == 0) ::execve(program, argv, env);
  ::_exit(127);
}

std::string variable(const char* name, const char* otherwise) {
  const char* value = std::getenv(name);
  return fmt::format("{}={}", name, value != nullptr ? value : otherwise);
}

Result<std::vector<Path>> rotated(const Path& folder) {
  std::vector<Path> files;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(folder, code)) {
    if (entry.path().filename().string().starts_with("@")) files.push_back(entry.path());
  }
  // Named after the time of their rotation, in hexadecimal: their order is that of time.
  std::sort(files.begin(), files.end());
  files.push_back(folder / "current");
  return files;
}

}  // namespace

Supervised::Supervised(std::string name, Path folder, Path log_folder, Clock& clock)
    : name_(std::move(name)),
      folder_(std::filesystem::absolute(folder).lexically_normal()),
      log_folder_(std::filesystem::absolute(log_folder).lexically_normal()),
      clock_(clock) {}

Status Supervised::write(std::string_view run) {
  TRY(make_folder(folder_ / "log"));
  TRY(make_folder(log_folder_));
  std::error_code code;
  if (!written()) TRY(write_file(folder_ / "down", ""));
  TRY(write_file(log_folder_ / "config", "s1000000\nn10\n"));
  const std::string logger =
      "#!/bin/sh\nexec svlogd -tt " + shell_quoted(log_folder_.string()) + "\n";
  TRY(write_file(folder_ / "log/run", logger, 0700));
  TRY(write_file(folder_ / "sweep", sweep_script, 0700));
  TRY(write_file(folder_ / "finish", finish_script, 0700));
  // Last: with it the folder is complete.
  return write_file(folder_ / "run", std::string(run_prologue) + std::string(run), 0700);
}

bool Supervised::written() const {
  std::error_code code;
  return std::filesystem::exists(folder_ / "run", code);
}

bool Supervised::enabled() const {
  std::error_code code;
  return written() && !std::filesystem::exists(folder_ / "down", code);
}

// A FIFO that only a living runsv reads.
bool Supervised::has_supervisor() const {
  Fd fifo(::open((folder_ / "supervise/ok").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  return static_cast<bool>(fifo);
}

Status Supervised::control(std::string_view letters) const {
  const Path path = folder_ / "supervise/control";
  Fd fifo(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fifo) return errno_error(errno, "the supervisor of " + name_ + " does not listen");
  if (::write(fifo.get(), letters.data(), letters.size()) != static_cast<ssize_t>(letters.size())) {
    return errno_error(errno, "cannot tell the supervisor of " + name_);
  }
  return {};
}

bool Supervised::wait_until(Millis limit, const std::function<bool()>& condition) const {
  const Millis end = clock_.steady() + limit;
  while (!condition()) {
    if (clock_.steady() >= end) return false;
    clock_.sleep(service_poll, {});
  }
  return true;
}

Status Supervised::start_supervisor() const {
  const auto program = find_program("runsv");
  if (!program) {
    return fail(Fault::missing, "runsv is not installed: apt-get install runit");
  }
  Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  Fd log(
      ::open((folder_ / "supervisor.log").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!null || !log) return errno_error(errno, "cannot start a supervisor in " + folder_.string());
  std::string name = "runsv", folder = folder_.string(), path = program->string();
  char* argv[] = {name.data(), folder.data(), nullptr};
  // Nothing of our own surroundings, secrets least of all, goes to what outlives us.
  std::vector<std::string> env = {
      variable("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
      variable("HOME", "/"), variable("LANG", "C.UTF-8"), variable("TMPDIR", "/tmp")};
  char* env_pointers[] = {env[0].data(), env[1].data(), env[2].data(), env[3].data(), nullptr};
  const pid_t between = ::fork();
  if (between < 0) return errno_error(errno, "cannot start a supervisor for " + name_);
  if (between == 0) become_runsv(path.c_str(), argv, env_pointers, null.get(), log.get());
  while (::waitpid(between, nullptr, 0) < 0 && errno == EINTR) {}
  if (wait_until(std::chrono::seconds(10), [&] { return has_supervisor(); })) return {};
  auto said = read_file(folder_ / "supervisor.log", 65536);
  return unknown_effect(Fault::timeout, fmt::format("the supervisor of {} does not start: {}",
                                                    name_, said ? *said : ""));
}

Status Supervised::start() {
  ::unlink((folder_ / "ended").c_str());
  if (::unlink((folder_ / "down").c_str()) != 0 && errno != ENOENT) {
    return errno_error(errno, "cannot enable " + name_);
  }
  TRY(sync_folder(folder_));
  if (!has_supervisor()) TRY(start_supervisor());
  return control("u");
}

Status Supervised::revive() {
  if (!enabled() || has_supervisor()) return {};
  return start_supervisor();
}

Status Supervised::end_supervisor() const {
  if (!has_supervisor()) return {};
  if (Status told = control("x"); !told && has_supervisor()) return told;
  const auto gone = [&] { return !has_supervisor(); };
  if (wait_until(std::chrono::seconds(5), gone)) return {};
  // Somebody who left the group keeps the logger's pipe open, and with it runsv.
  const pid_t logger = service_status(folder_ / "log").pid;
  if (const pid_t supervisor = supervisor_of(folder_); supervisor > 1) {
    ::kill(supervisor, SIGKILL);
    if (logger > 1) ::kill(logger, SIGKILL);
  }
  if (wait_until(std::chrono::seconds(5), gone)) return {};
  return unknown_effect(Fault::timeout, "the supervisor of " + name_ + " does not end");
}

Status Supervised::stop(Millis grace) {
  std::error_code code;
  if (!std::filesystem::exists(folder_, code)) return {};
  TRY(write_file(folder_ / "down", ""));
  if (!has_supervisor()) {
    // What a killed supervisor left behind.
    auto swept =
        run(Command{.argv = {"./sweep"}, .folder = folder_, .limit = std::chrono::seconds(15)});
    return {};
  }
  TRY(control("d"));
  const auto is_down = [&] {
    const StatusFile now = service_status(folder_);
    return now.valid && now.pid == 0;
  };
  const auto kill_group = [&] {
    auto text = read_file(folder_ / "group", 4096);
    if (!text) return;
    const auto group = static_cast<pid_t>(number(split(*text, ' ')[0]));
    if (group > 1) ::kill(-group, SIGKILL);
  };
  if (!wait_until(grace, is_down)) {
    kill_group();
    if (!wait_until(std::chrono::seconds(15), is_down)) {
      return unknown_effect(Fault::timeout, name_ + " does not end, not even when killed");
    }
  }
  return end_supervisor();
}

Result<Supervision> Supervised::look() const {
  Supervision out;
  out.supervised = has_supervisor();
  const StatusFile now = service_status(folder_);
  const std::int64_t wall = clock_.now().time_since_epoch().count();
  if (out.supervised && now.valid) {
    out.up = now.running && now.pid != 0;
    out.wanted = now.wanted;
    out.pid = out.up ? now.pid : 0;
    out.since = Millis(std::max<std::int64_t>(0, wall - now.since_millis));
  }
  read_ends(folder_, wall / 1000, out);
  return out;
}

Status Supervised::signal(int number_of_signal) const {
  TRY_LET(const Supervision now, look());
  if (now.pid <= 1) return fail(Fault::missing, name_ + " does not run");
  if (::kill(now.pid, number_of_signal) != 0) return errno_error(errno, "cannot signal " + name_);
  return {};
}

Result<std::string> Supervised::log(std::size_t bytes) const {
  TRY_LET(const std::vector<Path> files, rotated(log_folder_));
  std::string text;
  for (auto file = files.rbegin(); file != files.rend() && text.size() < bytes; ++file) {
    auto part = read_file(*file);
    if (!part && part.error().fault == Fault::missing) continue;
    if (!part) return std::move(part).error();
    text.insert(0, *part);
  }
  if (text.size() > bytes) text.erase(0, text.size() - bytes);
  return text;
}

}  // namespace belay
