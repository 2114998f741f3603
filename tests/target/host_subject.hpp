// SPDX-License-Identifier: Apache-2.0
// A host target in a folder of its own, with a small web server to run on it. Whatever it started
// is ended with it, by process id.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <set>
#include <thread>

#include "base/text.hpp"
#include "tests/contract/target_contract.hpp"

namespace belay::contract {

class HostSubject final : public TargetSubject {
 public:
  HostSubject() {
    auto made = ScratchFolder::make("belay-host");
    EXPECT_TRUE(made);
    scratch_ = std::make_unique<ScratchFolder>(std::move(*made));
    // Programs of the test run beside each other: each takes ports of its own.
    first_port_ = static_cast<std::uint16_t>(20000 + ::getpid() % 500 * 20);
    children_ = make_children(scratch_->path() / "children");
    target_ = another_target("host");
  }
  ~HostSubject() override {
    for (const auto& service : {"shop", "mail"}) {
      const auto found = target_->versions(service);
      if (!found) continue;
      for (const auto& version : *found) EXPECT_TRUE(target_->stop(version, Millis(200)));
    }
  }

  target::Target& target() override { return *target_; }
  target::Artifact good() override {
    const Path source = scratch_->path() / ("source-" + std::to_string(sources_++));
    EXPECT_TRUE(make_folder(source));
    const auto server = read_file(Path(BELAY_SOURCE_DIR) / "tests/support/web_server.py");
    EXPECT_TRUE(server);
    EXPECT_TRUE(write_file(source / "server.py", server ? *server : "", 0755));
    target::Artifact artifact{source};
    artifact.build = "echo built";
    artifact.run = "python3 server.py";
    return artifact;
  }
  target::Artifact broken() override {
    target::Artifact artifact = good();
    artifact.build = "echo this cannot work; exit 3";
    return artifact;
  }
  void reboot() override {
    for (const pid_t pid : processes()) ::kill(pid, SIGKILL);
    EXPECT_TRUE(wait_until(std::chrono::seconds(10), [&] { return processes().empty(); }));
  }
  void kill_supervisors() {
    for (const pid_t pid : processes()) {
      const auto line = read_file("/proc/" + std::to_string(pid) + "/cmdline", 65536);
      if (line && line->starts_with("runsv")) ::kill(pid, SIGKILL);
    }
  }

  void let_others_pass() { ::chmod(scratch_->path().c_str(), 0711); }
  Path folder() const { return scratch_->path() / "host"; }
  Path logs() const { return scratch_->path() / "logs"; }
  std::uint16_t port_after(std::uint16_t port) const {
    return port == first_port_ + 19 ? first_port_ : static_cast<std::uint16_t>(port + 1);
  }
  // Another project's, with the same range of ports.
  std::unique_ptr<target::Target> another_target(const std::string& name) {
    return target::make_host({scratch_->path() / name, first_port_, first_port_ + 19, logs()},
                             *children_, clock);
  }
  bool wait_until(Millis limit, const std::function<bool()>& condition) {
    const Millis end = clock.steady() + limit;
    while (!condition()) {
      if (clock.steady() >= end) return false;
      clock.sleep(Millis(20), {});
    }
    return true;
  }
  std::string get(std::uint16_t port, const std::string& path) {
    const auto got =
        run({.argv = {"curl", "-s", "-m", "5", "http://127.0.0.1:" + std::to_string(port) + path}});
    return got ? got->out : "";
  }
  Fd listen_on(std::uint16_t port) {
    Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int on = 1;  // an earlier test's connections may still fade away there
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    void* raw = &address;
    const bool fine = ::bind(socket.get(), static_cast<sockaddr*>(raw), sizeof address) == 0 &&
                      ::listen(socket.get(), 8) == 0;
    return fine ? std::move(socket) : Fd();
  }
  // Files below the whole scratch folder that hold the text.
  std::vector<Path> files_with(const std::string& text) {
    std::vector<Path> found;
    std::error_code code;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(scratch_->path(), code)) {
      if (!entry.is_regular_file(code)) continue;
      const auto content = read_file(entry.path());
      if (content && content->find(text) != std::string::npos) found.push_back(entry.path());
    }
    return found;
  }

  SystemClock clock;

 private:
  // Everything that works in the folder or was started by a supervisor of it.
  std::set<pid_t> processes() const {
    std::set<pid_t> found;
    std::error_code code;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", code)) {
      const pid_t pid = std::atoi(entry.path().filename().c_str());
      if (pid <= 1 || pid == ::getpid()) continue;
      std::error_code ignored;
      const Path cwd = std::filesystem::read_symlink(entry.path() / "cwd", ignored);
      const auto line = read_file(entry.path() / "cmdline", 65536);
      const bool here = cwd.string().starts_with(scratch_->path().string());
      const bool named = line && line->find(scratch_->path().string()) != std::string::npos;
      if (here || named) found.insert(pid);
    }
    return found;
  }

  std::unique_ptr<ScratchFolder> scratch_;
  std::uint16_t first_port_ = 0;
  std::unique_ptr<Children> children_;
  std::unique_ptr<target::Target> target_;
  std::atomic<int> sources_{0};
};

}  // namespace belay::contract
