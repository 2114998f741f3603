// SPDX-License-Identifier: Apache-2.0
#include "base/supervisor.hpp"

#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace belay {

int supervisor_kill_signal() {
  return SIGUSR1;
}

namespace {

// A text in a fixed place: nothing here may take memory.
struct Line {
  char bytes[256];
  std::size_t size = 0;
  Line& add(const char* text) {
    while (*text != '\0' && size < sizeof bytes) bytes[size++] = *text++;
    return *this;
  }
  Line& add(std::int64_t number) {
    char digits[24];
    std::size_t count = 0;
    do {
      digits[count++] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number > 0);
    while (count > 0 && size < sizeof bytes) bytes[size++] = digits[--count];
    return *this;
  }
};

// Field 22 of /proc/self/stat: when this process began, in clock ticks since boot. Field 2 may
// hold blanks and brackets, so counting begins behind its last bracket.
std::int64_t own_start_time() {
  char text[1024];
  const int file = ::open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  const ssize_t size = ::read(file, text, sizeof text);
  ::close(file);
  ssize_t at = size - 1;
  while (at > 0 && text[at] != ')') --at;
  int field = 2;
  for (; at < size && field < 22; ++at) {
    if (text[at] == ' ') ++field;
  }
  std::int64_t value = 0;
  for (; at < size && text[at] >= '0' && text[at] <= '9'; ++at)
    value = value * 10 + (text[at] - '0');
  return value;
}

// Written beside, synced, renamed, and the folder synced. The temporary file of the status was
// made beforehand with its bytes allocated: a full disk must not swallow how the child ended.
bool put(int folder, const char* name, const char* temporary, const Line& line) {
  const int file = ::openat(folder, temporary, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return false;
  const bool written =
      ::pwrite(file, line.bytes, line.size, 0) == static_cast<ssize_t>(line.size) &&
      ::fsync(file) == 0;
  ::close(file);
  return written && ::renameat(folder, temporary, folder, name) == 0 && ::fsync(folder) == 0;
}

template <std::size_t count>
void close_all_but(int (&&keep)[count]) {
  for (std::size_t i = 0; i + 1 < count; ++i) {
    for (std::size_t j = i + 1; j < count; ++j) {
      if (keep[j] < keep[i]) {
        const int swap = keep[i];
        keep[i] = keep[j];
        keep[j] = swap;
      }
    }
  }
  unsigned next = 3;
  for (int fd : keep) {
    if (fd < 3) continue;
    const auto here = static_cast<unsigned>(fd);
    if (here > next) ::syscall(SYS_close_range, next, here - 1, 0);
    if (here >= next) next = here + 1;
  }
  ::syscall(SYS_close_range, next, ~0U, 0);
}

void default_signals() {
  for (int number = 1; number < 65; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void say(int fd, const Line& line) {
  [[maybe_unused]] const ssize_t n = ::write(fd, line.bytes, line.size);
}

[[noreturn]] void give_up(const char* what, int code) {
  Line line;
  line.add("belay: cannot ")
      .add(what)
      .add(": error ")
      .add(static_cast<std::int64_t>(code))
      .add("\n");
  say(2, line);
  ::_exit(127);
}

// Raw system calls: the C library's versions talk to threads that are not here any more.
void become(const SupervisorOrders& orders) {
  if (!orders.other_user) return;
  if (::syscall(SYS_setgroups, orders.group_count, orders.groups) != 0 ||
      ::syscall(SYS_setresgid, orders.gid, orders.gid, orders.gid) != 0 ||
      ::syscall(SYS_setresuid, orders.uid, orders.uid, orders.uid) != 0) {
    give_up("become the user", errno);
  }
}

[[noreturn]] void be_child(const SupervisorOrders& orders, pid_t supervisor, int go) {
  ::setpgid(0, 0);
  ::dup2(orders.null, 0);
  ::dup2(orders.output, 1);
  ::dup2(orders.output, 2);
  close_all_but({go});
  char byte = 0;
  if (::read(go, &byte, 1) != 1) ::_exit(127);
  ::close(go);
  become(orders);
  // After the change of user, which clears it.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != supervisor) ::_exit(127);
  if (orders.folder != nullptr && ::chdir(orders.folder) != 0) give_up("enter its folder", errno);
  default_signals();
  ::execve(orders.program, orders.argv, orders.env);
  give_up("start the program", errno);
}

// Sits in the child's group and waits for the supervisor's end of a pipe to close. As a member it
// keeps the group's number from being given to somebody else.
[[noreturn]] void be_guard(pid_t child, int supervisor_lives) {
  ::setpgid(0, child);
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  ::prctl(PR_SET_NAME, "belay-guard");
  close_all_but({supervisor_lives});
  char byte = 0;
  while (::read(supervisor_lives, &byte, 1) < 0 && errno == EINTR) {}
  ::kill(0, SIGKILL);
  ::_exit(0);
}

std::int64_t boot_millis() {
  timespec at{};
  ::clock_gettime(CLOCK_BOOTTIME, &at);
  return at.tv_sec * 1000 + at.tv_nsec / 1'000'000;
}

struct Ending {
  int status = 0;
  bool timed_out = false;
  bool forced = false;  // asked for from outside, or by the limit
};

// "4711 (name) S 1 4700 ...": who this is a member of; 0 for one that is dead already.
std::int64_t group_of(int proc, const char* number) {
  char path[64], text[512];
  std::size_t at = 0;
  for (; number[at] != '\0' && at < 32; ++at) path[at] = number[at];
  for (const char* rest = "/stat"; *rest != '\0'; ++rest) path[at++] = *rest;
  path[at] = '\0';
  const int file = ::openat(proc, path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  const ssize_t size = ::read(file, text, sizeof text);
  ::close(file);
  ssize_t end = size - 1;
  while (end > 0 && text[end] != ')') --end;
  if (end <= 0 || end + 4 >= size || text[end + 2] == 'Z' || text[end + 2] == 'X') return 0;
  ssize_t field = end + 4;  // the parent
  while (field < size && text[field] != ' ') ++field;
  std::int64_t group = 0;
  for (++field; field < size && text[field] >= '0' && text[field] <= '9'; ++field)
    group = group * 10 + (text[field] - '0');
  return group;
}

std::int64_t number_in(const char* name) {
  std::int64_t value = 0;
  for (; *name >= '0' && *name <= '9'; ++name) value = value * 10 + (*name - '0');
  return *name == '\0' ? value : 0;
}

// Whether somebody but the guard is left in the group. Without /proc: nobody can tell, so yes.
bool others_in(pid_t group, pid_t guard) {
  struct Entry {  // linux_dirent64
    std::uint64_t inode;
    std::int64_t offset;
    unsigned short size;
    unsigned char type;
    char name[1];
  };
  const int proc = ::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (proc < 0) return true;
  alignas(Entry) char buffer[8192];
  bool found = false;
  for (;;) {
    const long size = ::syscall(SYS_getdents64, proc, buffer, sizeof buffer);
    if (size <= 0) break;
    for (long at = 0; at < size && !found;) {
      const auto* entry = reinterpret_cast<const Entry*>(buffer + at);
      const std::int64_t pid = number_in(entry->name);
      found = pid > 0 && pid != guard && group_of(proc, entry->name) == group;
      at += entry->size;
    }
    if (found) break;
  }
  ::close(proc);
  return found;
}

constexpr std::int64_t term_grace_millis = 10'000;

// Until the child has ended: its limit, and what end() asks for.
Ending watch(pid_t child, std::int64_t limit_millis) {
  sigset_t wanted;
  ::sigemptyset(&wanted);
  ::sigaddset(&wanted, SIGCHLD);
  ::sigaddset(&wanted, SIGTERM);
  ::sigaddset(&wanted, supervisor_kill_signal());
  std::int64_t deadline = boot_millis() + limit_millis;
  Ending ending;
  for (;;) {
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child) {
      ending.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      return ending;
    }
    std::int64_t left = deadline - boot_millis();
    if (left <= 0) {
      ::kill(-child, ending.timed_out ? SIGKILL : SIGTERM);
      ending.timed_out = ending.forced = true;
      deadline = boot_millis() + term_grace_millis;
      left = term_grace_millis;
    }
    // A second at most: this clock stands still while the machine is suspended, the limit's not.
    const std::int64_t nap = left < 1000 ? left : 1000;
    const timespec patience{nap / 1000, nap % 1000 * 1'000'000};
    const int signal = ::sigtimedwait(&wanted, nullptr, &patience);
    if (signal == SIGTERM || signal == supervisor_kill_signal()) {
      ::kill(-child, signal == SIGTERM ? SIGTERM : SIGKILL);
      ending.forced = true;
    }
  }
}

// After an end that was forced nobody of the group goes on: those that put SIGTERM off have its
// grace, then they are killed. The child has not ended before they have.
void end_group(pid_t group, pid_t guard) {
  sigset_t wanted;
  ::sigemptyset(&wanted);
  ::sigaddset(&wanted, supervisor_kill_signal());
  const std::int64_t deadline = boot_millis() + term_grace_millis;
  bool kill = false;
  while (!kill && others_in(group, guard)) {
    const timespec nap{0, 20'000'000};
    kill = ::sigtimedwait(&wanted, nullptr, &nap) > 0 || boot_millis() >= deadline;
  }
  if (!kill) return;
  ::kill(-group, SIGKILL);
  const timespec nap{0, 20'000'000};
  while (others_in(group, guard) && ::access("/proc/self", F_OK) == 0) ::nanosleep(&nap, nullptr);
}

void write_ending(int record, const Ending& ending) {
  Line line;
  line.add("ended ").add(static_cast<std::int64_t>(ending.status));
  line.add(ending.timed_out ? " timeout\n" : "\n");
  for (int attempt = 0; attempt < 60; ++attempt) {
    if (put(record, "status", "status.tmp", line)) return;
    if (errno == ENOENT) return;  // the record was taken away: nobody will ask
    ::sleep(1);
  }
}

}  // namespace

void supervise(const SupervisorOrders& orders) {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  ::signal(SIGCHLD, SIG_DFL);
  ::prctl(PR_SET_NAME, "belay-child");
  for (int fd = 0; fd < 3; ++fd) ::dup2(orders.null, fd);
  // Before anything is reported: nobody may find our starter's locks and pipes open here.
  close_all_but({orders.record, orders.lock, orders.output, orders.null, orders.report});
  {
    Line line;
    line.add(static_cast<std::int64_t>(::getpid())).add(" ").add(own_start_time()).add(" ");
    line.add(orders.boot).add("\n");
    if (!put(orders.record, "pid", "pid.tmp", line)) ::_exit(1);
  }
  int go[2], lives[2];
  if (::pipe2(go, O_CLOEXEC) != 0 || ::pipe2(lives, O_CLOEXEC) != 0) ::_exit(1);
  const pid_t self = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) ::_exit(1);
  if (child == 0) be_child(orders, self, go[0]);
  ::setpgid(child, child);
  const pid_t guard = ::fork();
  if (guard == 0) be_guard(child, lives[0]);
  ::setpgid(guard, child);
  if (guard < 0) {
    ::kill(child, SIGKILL);
    ::_exit(1);
  }
  Line byte;
  byte.add("1");
  say(orders.report, byte);
  say(go[1], byte);
  close_all_but({orders.record, orders.lock, lives[1]});
  [[maybe_unused]] const int moved = ::chdir("/");

  const Ending ending = watch(child, orders.limit_millis);
  // Else not with its group: what the child left in the background on purpose goes on.
  if (ending.forced) end_group(child, guard);
  ::kill(guard, SIGKILL);
  write_ending(orders.record, ending);
  ::_exit(0);
}

}  // namespace belay
