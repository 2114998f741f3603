// SPDX-License-Identifier: Apache-2.0
// Loaded into the program under test only (LD_PRELOAD): counts the places where a crash may fall,
// and ends the program at one of them, as a power cut of the process would: SIGKILL to itself.
//
//   BELAY_KILL_PROGRAM   the program's path; in any other program this library does nothing
//   BELAY_KILL_STATE     the state folder; only files in it count
//   BELAY_KILL_AT        "journal:17:unwritten": where to end it;
//   "text:step.intentrun-7.tag.1:written":
//                        at the first write of the journal that holds these bytes
//   BELAY_KILL_TRACE     a Unix socket: each place is told there, and waits for a byte in answer
//
// Places: each durable write of the journal has three, "unwritten" (before its first byte), "torn"
// (some of it is written) and "written" (it is on the disk, the program does not know it yet).
// Everything else that the world can see is one place each, "act:N:before": what is sent to a
// server, what is synced, renamed or removed in the state folder, which signal is sent.
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>

namespace {

enum class File { none, log, other };  // log: the journal's write-ahead log

struct Plan {
  pid_t owner = 0;  // 0: not the program meant; a forked child is not meant either
  std::string state, kind, text, when;
  bool sighted = false;  // the write in progress holds `text`
  long number = 0;
  int trace = -1;
  long writes = 0, acts = 0;
  int parts = 0;  // of the journal's write in progress; 0: none
};

Plan plan;
std::recursive_mutex guard;

template <class F>
F* next(const char* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

// Looked up once, before main(): a child that a thread forks could wait for the linker's lock for
// ever.
struct Real {
  ssize_t (*pwrite64)(int, const void*, size_t, off64_t) = next<decltype(::pwrite64)>("pwrite64");
  ssize_t (*pwrite)(int, const void*, size_t, off_t) = next<decltype(::pwrite)>("pwrite");
  int (*fsync)(int) = next<decltype(::fsync)>("fsync");
  int (*fdatasync)(int) = next<decltype(::fdatasync)>("fdatasync");
  int (*rename)(const char*, const char*) = next<decltype(::rename)>("rename");
  int (*renameat2)(int, const char*, int, const char*,
                   unsigned) = next<decltype(::renameat2)>("renameat2");
  int (*unlink)(const char*) = next<decltype(::unlink)>("unlink");
  int (*kill)(pid_t, int) = next<decltype(::kill)>("kill");
  pid_t (*fork)() = next<decltype(::fork)>("fork");
  ssize_t (*sendmsg)(int, const msghdr*, int) = next<decltype(::sendmsg)>("sendmsg");
  ssize_t (*send)(int, const void*, size_t, int) = next<decltype(::send)>("send");
  ssize_t (*write)(int, const void*, size_t) = next<decltype(::write)>("write");
};

const Real& real() {
  static const Real functions;
  return functions;
}

std::string take(const char* name) {
  const char* value = std::getenv(name);
  std::string text = value == nullptr ? "" : value;
  ::unsetenv(name);
  return text;
}

std::string link_of(const char* path) {
  char text[4096];
  const ssize_t size = ::readlink(path, text, sizeof text);
  return size < 0 ? "" : std::string(text, static_cast<std::size_t>(size));
}

int connect_to(const std::string& path) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) ::abort();
  return fd;
}

bool begin() {
  real();
  const bool meant = take("BELAY_KILL_PROGRAM") == link_of("/proc/self/exe");
  const std::string at = take("BELAY_KILL_AT"), trace = take("BELAY_KILL_TRACE");
  plan.state = take("BELAY_KILL_STATE");
  ::unsetenv("LD_PRELOAD");  // our children are not meant
  if (!meant) return false;
  if (const auto first = at.find(':'), last = at.rfind(':'); first != std::string::npos) {
    plan.kind = at.substr(0, first);
    plan.text = at.substr(first + 1, last - first - 1);
    plan.number = std::strtol(plan.text.c_str(), nullptr, 10);
    plan.when = at.substr(last + 1);
  }
  if (!trace.empty()) plan.trace = connect_to(trace);
  plan.owner = ::getpid();
  return true;
}

[[maybe_unused]] const bool begun = begin();  // after `plan`, and before main()

bool meant() {
  return plan.owner != 0 && plan.owner == ::getpid();
}

[[noreturn]] void end() {
  real().kill(plan.owner, SIGKILL);
  for (;;) ::pause();
}

void reach(const char* kind, long number, const char* when) {
  if (plan.trace >= 0) {
    char text[100];
    const int size = std::snprintf(text, sizeof text, "%s:%ld:%s\n", kind, number, when);
    if (::write(plan.trace, text, static_cast<std::size_t>(size)) != size) ::abort();
    if (::read(plan.trace, text, 1) != 1) ::abort();
  }
  if (plan.number == number && plan.kind == kind && plan.when == when) end();
}

File file_of(int fd) {
  char name[40];
  std::snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  const std::string path = link_of(name);
  if (!path.starts_with(plan.state)) return File::none;
  return path.ends_with("/journal.db-wal") ? File::log : File::other;
}

bool in_state(const char* path) {
  return path[0] != '/' || std::strncmp(path, plan.state.c_str(), plan.state.size()) == 0;
}

void act() {
  if (!meant()) return;
  const std::lock_guard lock(guard);
  reach("act", ++plan.acts, "before");
}

bool is_socket(int fd) {
  struct stat facts {};
  return ::fstat(fd, &facts) == 0 && S_ISSOCK(facts.st_mode);
}

void before_write(int fd, const void* bytes, size_t size) {
  if (!meant() || file_of(fd) != File::log) return;
  const std::lock_guard lock(guard);
  if (plan.kind == "text" && ::memmem(bytes, size, plan.text.data(), plan.text.size()) != nullptr) {
    if (plan.when != "written") end();
    plan.sighted = true;
  }
  if (++plan.parts == 1) reach("journal", ++plan.writes, "unwritten");
  if (plan.parts == 2) reach("journal", plan.writes, "torn");
}

int sync(int fd, int (*really)(int)) {
  if (!meant()) return really(fd);
  const File file = file_of(fd);
  if (file == File::other) act();
  const int done = really(fd);
  if (file != File::log) return done;
  const std::lock_guard lock(guard);
  if (plan.sighted) end();
  if (plan.parts > 0) reach("journal", plan.writes, "written");
  plan.parts = 0;
  return done;
}

}  // namespace

extern "C" {

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t at) {
  before_write(fd, bytes, size);
  return real().pwrite64(fd, bytes, size, at);
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t at) {
  before_write(fd, bytes, size);
  return real().pwrite(fd, bytes, size, at);
}

int fsync(int fd) {
  return sync(fd, real().fsync);
}

int fdatasync(int fd) {
  return sync(fd, real().fdatasync);
}

int rename(const char* from, const char* to) noexcept {
  if (in_state(to)) act();
  return real().rename(from, to);
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to,
              unsigned flags) noexcept {
  if (in_state(to)) act();
  return real().renameat2(from_folder, from, to_folder, to, flags);
}

int unlink(const char* path) noexcept {
  if (in_state(path)) act();
  return real().unlink(path);
}

int kill(pid_t pid, int number) noexcept {
  if (number != 0) act();
  return real().kill(pid, number);
}

pid_t fork() noexcept {
  act();
  return real().fork();
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  act();
  return real().sendmsg(fd, message, flags);
}

ssize_t send(int fd, const void* bytes, size_t size, int flags) {
  act();
  return real().send(fd, bytes, size, flags);
}

ssize_t write(int fd, const void* bytes, size_t size) {
  if (meant() && fd != plan.trace && is_socket(fd)) act();
  return real().write(fd, bytes, size);
}

}  // extern "C"
