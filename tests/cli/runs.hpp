// SPDX-License-Identifier: Apache-2.0
// Runs in processes of their own, which a test signals, kills and looks at meanwhile.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/json.hpp"
#include "base/text.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::cli::testing {

using belay::testing::ScratchProject;

// belay in a process of its own, which the test signals and looks at meanwhile.
class Background {
 public:
  Background(const ScratchProject& project, std::vector<std::string> words,
             const std::function<void()>& before_exec = {}, Environment more = {}) {
    static int count = 0;
    more["PATH"] = "/usr/local/bin:/usr/bin:/bin";
    const auto env = project.environment(more);
    out_ = project.above() / fmt::format("background-{}.out", ++count);
    std::vector<std::string> text;
    for (const auto& [name, value] : env) text.push_back(name + "=" + value);
    std::vector<char*> environment, argv;
    for (auto& one : text) environment.push_back(one.data());
    environment.push_back(nullptr);
    words.insert(words.begin(), BELAY_PROGRAM);
    for (auto& one : words) argv.push_back(one.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ != 0) return;
    const int file = ::open(out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    ::dup2(file, 1);
    ::dup2(file, 2);
    if (::chdir(project.folder().c_str()) != 0) ::_exit(126);
    if (before_exec) before_exec();
    ::execve(BELAY_PROGRAM, argv.data(), environment.data());
    ::_exit(127);
  }
  ~Background() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  std::string said() const {
    auto text = read_file(out_);
    return text ? *text : "";
  }
  int wait() {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_ = 0;
  Path out_;
};

class Runs : public ::testing::Test {
 protected:
  void SetUp() override { ship_file(project_.file()); }

  void ship_file(const std::string& text) {
    project_.write("belay.yaml", text);
    project_.commit("Change belay.yaml");
  }
  // A deploy whose activation says that it began, and ends when it is let.
  void slow_activation() {
    auto text = project_.file();
    const std::string quick = "activate: echo";
    const auto here = project_.above().string();
    text.replace(text.find(quick), quick.size(),
                 "activate: echo goes live; echo x >> " + here + "/begun; while [ ! -e " + here +
                     "/go ]; do sleep 0.05; done; echo");
    ship_file(text);
  }
  // Deploys, and is killed in the middle of the activation, which goes on.
  void killed_in_the_activation() {
    slow_activation();
    Background deploy(project_, {"deploy"});
    ASSERT_TRUE(eventually([&] { return begun(); })) << deploy.said();
    ::kill(deploy.pid(), SIGKILL);
    deploy.wait();
  }
  std::string activations() const {
    auto text = read_file(project_.above() / "begun");
    return text ? *text : "";
  }
  bool begun() const { return std::filesystem::exists(project_.above() / "begun"); }
  void let_go() { project_.write("../go", ""); }
  std::string live() const {
    auto text = read_file(project_.above() / "live");
    return text ? std::string(trim(*text)) : "";
  }
  Json status() const {
    const auto said = project_.belay({"status", "--json"});
    auto json = parse_json(said.out);
    EXPECT_TRUE(json.ok()) << said.out << said.err;
    return json ? *json : Json::object();
  }

  ScratchProject project_;
};

}  // namespace belay::cli::testing
