// SPDX-License-Identifier: Apache-2.0
#include "base/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/clock.hpp"
#include "base/text.hpp"

extern "C" {  // glibc 2.36 forgets to say so
#include <sys/pidfd.h>
}

namespace belay {

namespace {

constexpr Millis term_grace = std::chrono::seconds(2);
// Once the program has ended, what it left in the background may keep its pipes open for ever.
constexpr Millis quiet_after_end = std::chrono::milliseconds(200);
constexpr const char* system_folders =
    "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";

Environment inherited(bool all) {
  Environment env;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string name(text.substr(0, equals));
    if (all || name == "PATH" || name == "HOME" || name == "LANG" || name == "TMPDIR" ||
        name == "USER") {
      env[name] = text.substr(equals + 1);
    }
  }
  return env;
}

std::optional<Path> look_up(const std::string& name, const std::string& folders) {
  for (const auto& folder : split(folders, ':')) {
    const Path path = Path(folder.empty() ? "." : folder) / name;
    struct stat facts {};
    if (::stat(path.c_str(), &facts) == 0 && S_ISREG(facts.st_mode) &&
        ::access(path.c_str(), X_OK) == 0) {
      return path;
    }
  }
  return std::nullopt;
}

std::optional<Path> program_in(const std::string& name, const Environment& env) {
  if (name.find('/') != std::string::npos) return Path(name);
  const auto path = env.find("PATH");
  if (path != env.end()) {
    if (auto found = look_up(name, path->second)) return found;
  }
  return look_up(name, system_folders);
}

struct Pipe {
  Fd read, write;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_error(errno, "cannot make a pipe");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

// Standard input is a file in memory: no writing side, hence no SIGPIPE and no deadlock.
Result<Fd> make_input(const std::string& input) {
  if (input.empty()) {
    Fd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!null) return errno_error(errno, "cannot open /dev/null");
    return null;
  }
  Fd file(::memfd_create("input", MFD_CLOEXEC));
  if (!file) return errno_error(errno, "cannot hold the program's input");
  for (std::string_view rest = input; !rest.empty();) {
    const ssize_t n = ::write(file.get(), rest.data(), rest.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "cannot hold the program's input");
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (auto& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

// posix_spawn's own structures, freed on every way out.
struct SpawnPlan {
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    sigset_t all{}, none{};
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
};

struct Streams {
  Fd out, err;
  pid_t pid = -1;
};

Result<Streams> spawn(const Command& command) {
  if (command.argv.empty()) return fail(Fault::invalid, "a command without a program");
  Environment env = inherited(command.inherit_env);
  for (const auto& [name, value] : command.env) env[name] = value;
  const auto program = program_in(command.argv.front(), env);
  if (!program) {
    return fail(Fault::missing, fmt::format("the program \"{}\" is not on PATH; install it or add "
                                            "its folder to PATH",
                                            command.argv.front()));
  }
  std::error_code code;
  if (!command.folder.empty() && !std::filesystem::is_directory(command.folder, code)) {
    return fail(Fault::missing, fmt::format("cannot run \"{}\" in {}: no such folder",
                                            command.argv.front(), command.folder.string()));
  }
  TRY_LET(Fd input, make_input(command.input));
  TRY_LET(Pipe out, make_pipe());
  TRY_LET(Pipe err, make_pipe());

  SpawnPlan plan;
  posix_spawn_file_actions_adddup2(&plan.actions, input.get(), 0);
  posix_spawn_file_actions_adddup2(&plan.actions, out.write.get(), 1);
  posix_spawn_file_actions_adddup2(&plan.actions, err.write.get(), 2);
  posix_spawn_file_actions_addclosefrom_np(&plan.actions, 3);
  if (!command.folder.empty()) {
    posix_spawn_file_actions_addchdir_np(&plan.actions, command.folder.c_str());
  }
  std::vector<std::string> argv = command.argv, entries;
  for (const auto& [name, value] : env) entries.push_back(name + "=" + value);
  Streams streams{std::move(out.read), std::move(err.read), -1};
  const int failed = ::posix_spawn(&streams.pid, program->c_str(), &plan.actions, &plan.attributes,
                                   pointers(argv).data(), pointers(entries).data());
  if (failed != 0) return errno_error(failed, "cannot start \"" + command.argv.front() + "\"");
  return streams;
}

// The child is reaped only at the very end: until then its process group's number is ours.
class Running {
 public:
  Running(const Command& command, Streams streams, std::stop_token stop)
      : command_(command),
        streams_(std::move(streams)),
        ended_(::pidfd_open(streams_.pid, 0)),
        stopped_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        stop_(std::move(stop)) {}
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    if (streams_.pid > 0) {
      ::kill(-streams_.pid, SIGKILL);
      reap();
    }
  }

  Result<Finished> wait() {
    std::stop_callback wake(stop_, [fd = stopped_.get()] { ::eventfd_write(fd, 1); });
    const Millis deadline = clock_.steady() + command_.limit;
    while (streams_.out || streams_.err || !gone_) {
      if (gone_ && clock_.steady() >= quiet_at_) break;
      if (stop_.stop_requested() && !gone_) {
        end();
        return fail(Fault::cancelled, fmt::format("\"{}\" was stopped", command_.argv.front()));
      }
      if (clock_.steady() >= deadline && !gone_) {
        end();
        return fail(Fault::timeout, fmt::format("\"{}\" did not end within {} and was ended",
                                                command_.argv.front(), to_text(command_.limit)));
      }
      TRY(step(std::max(Millis(0), (gone_ ? quiet_at_ : deadline) - clock_.steady())));
    }
    finished_.status = reap();
    return std::move(finished_);
  }

 private:
  Status step(Millis patience) {
    std::array<pollfd, 4> set{{{streams_.out.get(), POLLIN, 0},
                               {streams_.err.get(), POLLIN, 0},
                               {gone_ ? -1 : ended_.get(), POLLIN, 0},
                               {gone_ ? -1 : stopped_.get(), POLLIN, 0}}};
    const auto wait = std::min<std::int64_t>(patience.count(), 1000);
    if (::poll(set.data(), set.size(), static_cast<int>(wait)) < 0 && errno != EINTR) {
      return errno_error(errno, "cannot wait for \"" + command_.argv.front() + "\"");
    }
    if (set[0].revents != 0) TRY(take(streams_.out, finished_.out));
    if (set[1].revents != 0) TRY(take(streams_.err, finished_.err));
    if (set[2].revents != 0) {
      gone_ = true;
      quiet_at_ = clock_.steady() + quiet_after_end;
    }
    return {};
  }

  Status take(Fd& from, std::string& into) {
    std::array<char, 65536> buffer;
    const ssize_t n = ::read(from.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) return {};
    if (n <= 0) {
      from.reset();
      return {};
    }
    into.append(buffer.data(), static_cast<std::size_t>(n));
    if (finished_.out.size() + finished_.err.size() > command_.output_limit) {
      end();
      return fail(Fault::refused, fmt::format("\"{}\" wrote more than {} bytes and was ended",
                                              command_.argv.front(), command_.output_limit));
    }
    return {};
  }

  void end() {
    ::kill(-streams_.pid, SIGTERM);
    pollfd set{ended_.get(), POLLIN, 0};
    ::poll(&set, 1, static_cast<int>(term_grace.count()));
    ::kill(-streams_.pid, SIGKILL);
  }

  int reap() {
    int status = 0;
    while (::waitpid(streams_.pid, &status, 0) < 0 && errno == EINTR) {}
    streams_.pid = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  const Command& command_;
  Streams streams_;
  Fd ended_, stopped_;
  std::stop_token stop_;
  SystemClock clock_;
  Finished finished_;
  bool gone_ = false;
  Millis quiet_at_{0};
};

std::string last_lines(const std::string& text) {
  constexpr std::size_t most = 2000;
  const auto trimmed = trim(text);
  if (trimmed.size() <= most) return std::string(trimmed);
  return "..." + std::string(trimmed.substr(trimmed.size() - most));
}

}  // namespace

Result<Finished> run(const Command& command, std::stop_token stop) {
  if (stop.stop_requested()) return fail(Fault::cancelled, "stopped before it began");
  TRY_LET(Streams streams, spawn(command));
  Running running(command, std::move(streams), std::move(stop));
  return running.wait();
}

Result<Finished> run_ok(const Command& command, std::stop_token stop) {
  TRY_LET(Finished finished, run(command, std::move(stop)));
  if (finished.ok()) return finished;
  const std::string said = last_lines(finished.err.empty() ? finished.out : finished.err);
  return fail(Fault::refused, fmt::format("\"{}\" ended with status {}{}{}", command.argv.front(),
                                          finished.status, said.empty() ? "" : ": ", said));
}

std::optional<Path> find_program(const std::string& name) {
  const auto found = program_in(name, inherited(true));
  if (!found || ::access(found->c_str(), X_OK) != 0) return std::nullopt;
  return found;
}

}  // namespace belay
