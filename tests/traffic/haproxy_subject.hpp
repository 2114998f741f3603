// SPDX-License-Identifier: Apache-2.0
// An HAProxy of our own in a folder of its own, and small web servers behind it. All that was
// started is ended with it, by process id.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <set>

#include "base/listeners.hpp"
#include "base/process.hpp"
#include "tests/contract/traffic_contract.hpp"

namespace belay::contract {

// A port nobody listens on now; held by nobody, so take it soon.
inline std::uint16_t free_port() {
  Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  void* raw = &address;
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(socket.get(), static_cast<sockaddr*>(raw), size), 0);
  EXPECT_EQ(::getsockname(socket.get(), static_cast<sockaddr*>(raw), &size), 0);
  return ntohs(address.sin_port);
}

// tests/support/web_server.py, ended with the object.
class WebServer {
 public:
  explicit WebServer(const std::string& release, const Environment& more = {})
      : port_(free_port()) {
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that breaks leaves nothing behind
      ::setenv("BELAY_RELEASE", release.c_str(), 1);
      ::setenv("PORT", std::to_string(port_).c_str(), 1);
      for (const auto& [name, value] : more) ::setenv(name.c_str(), value.c_str(), 1);
      ::execlp("python3", "python3", BELAY_SOURCE_DIR "/tests/support/web_server.py", nullptr);
      ::_exit(127);
    }
    SystemClock clock;
    const Millis end = clock.steady() + std::chrono::seconds(10);
    while (!answers(port_) && clock.steady() < end) clock.sleep(Millis(10), {});
    EXPECT_TRUE(answers(port_));
  }
  ~WebServer() { end(SIGKILL); }
  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;
  void end(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  std::uint16_t port() const { return port_; }

 private:
  std::uint16_t port_;
  pid_t pid_ = 0;
};

class HaproxySubject final : public TrafficSubject {
 public:
  // `depth` makes the folder's path longer than a Unix socket's may be.
  explicit HaproxySubject(std::size_t depth = 0) {
    auto made = ScratchFolder::make("belay-proxy");
    EXPECT_TRUE(made);
    scratch_ = std::make_unique<ScratchFolder>(std::move(*made));
    folder_ = scratch_->path() / (depth > 0 ? std::string(depth, 'x') : "proxy");
    for (auto& port : listen_) port = free_port();
    for (auto& port : ports_) port = free_port();
    remake();
  }
  ~HaproxySubject() override { EXPECT_TRUE(traffic_->shut_down()); }
  void remake() { traffic_ = traffic::make_haproxy({folder_, scratch_->path() / "logs"}, clock); }

  traffic::Traffic& traffic() override { return *traffic_; }
  std::string listen(int which) override {
    return "127.0.0.1:" + std::to_string(listen_.at(static_cast<std::size_t>(which)));
  }
  std::uint16_t listen_port(int which) { return listen_.at(static_cast<std::size_t>(which)); }
  std::uint16_t port(int which) override { return ports_.at(static_cast<std::size_t>(which)); }
  std::string take() override {
    taken_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    void* raw = &address;
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(taken_.get(), static_cast<sockaddr*>(raw), size), 0);
    EXPECT_EQ(::listen(taken_.get(), 8), 0);
    EXPECT_EQ(::getsockname(taken_.get(), static_cast<sockaddr*>(raw), &size), 0);
    return "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  void restart() override { kill_all("haproxy"); }
  // Signed by itself; certificate and key in one file, as HAProxy wants them.
  Path certificate(const std::string& name) {
    const Path key = scratch_->path() / "key.pem", pem = scratch_->path() / (name + ".pem");
    const auto made =
        run_ok({.argv = {"openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                         "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + name, "-keyout",
                         key.string(), "-out", pem.string()}});
    EXPECT_TRUE(made) << (made ? "" : made.error().message());
    const auto both = read_file(pem), secret = read_file(key);
    EXPECT_TRUE(both && secret && write_file(pem, *both + *secret, 0600));
    return pem;
  }
  // Processes that work in the proxy's folder or belong to it, whose command begins so.
  std::set<pid_t> processes(const std::string& name) const {
    std::set<pid_t> found;
    std::error_code code;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", code)) {
      const pid_t pid = std::atoi(entry.path().filename().c_str());
      if (pid <= 1 || pid == ::getpid()) continue;
      std::error_code ignored;
      const auto cwd = std::filesystem::read_symlink(entry.path() / "cwd", ignored).string();
      const auto line = read_file(entry.path() / "cmdline", 65536);
      if (!line) continue;
      const std::string program = Path(line->substr(0, line->find('\0'))).filename().string();
      const bool ours = cwd.starts_with(scratch_->path().string()) ||
                        line->find(scratch_->path().string()) != std::string::npos;
      if (ours && (name.empty() || program == name)) found.insert(pid);
    }
    return found;
  }
  void kill_all(const std::string& name) const {
    for (const pid_t pid : processes(name)) ::kill(pid, SIGKILL);
  }
  bool wait_until(Millis limit, const std::function<bool()>& condition) {
    const Millis end = clock.steady() + limit;
    while (!condition()) {
      if (clock.steady() >= end) return false;
      clock.sleep(Millis(10), {});
    }
    return true;
  }
  // Status code, a blank, and the body; "000 " when there was no answer.
  std::string get(int which, const std::vector<std::string>& more = {}) {
    std::vector<std::string> argv{"curl", "-s", "-m", "20", "-w", "%{stderr}%{http_code}"};
    argv.insert(argv.end(), more.begin(), more.end());
    argv.push_back("http://" + listen(which) + "/");
    const auto got = run({.argv = argv});
    return got ? got->err + " " + got->out : "curl is not installed: apt-get install curl";
  }
  const Path& folder() const { return folder_; }
  SystemClock clock;

 private:
  std::unique_ptr<ScratchFolder> scratch_;
  Path folder_;
  std::array<std::uint16_t, 3> listen_{};
  std::array<std::uint16_t, 3> ports_{};
  Fd taken_;
  std::unique_ptr<traffic::Traffic> traffic_;
};

}  // namespace belay::contract
