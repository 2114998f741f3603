// SPDX-License-Identifier: Apache-2.0
// Questions on a terminal: only the word that was asked for is a yes.
#include <poll.h>
#include <pty.h>

#include "tests/cli/runs.hpp"

namespace belay::cli::testing {
namespace {

// belay at a terminal of its own, at which a person types.
class AtTerminal {
 public:
  AtTerminal(const ScratchProject& project, std::vector<std::string> words) {
    words.insert(words.begin(), BELAY_PROGRAM);
    std::vector<std::string> text;
    for (const auto& [name, value] : project.environment({{"TERM", "xterm"}}))
      text.push_back(name + "=" + value);
    text.push_back("PATH=/usr/local/bin:/usr/bin:/bin");
    std::vector<char*> environment, argv;
    for (auto& one : text) environment.push_back(one.data());
    for (auto& one : words) argv.push_back(one.data());
    environment.push_back(nullptr);
    argv.push_back(nullptr);
    int terminal = -1;
    pid_ = ::forkpty(&terminal, nullptr, nullptr, nullptr);
    if (pid_ == 0) {
      if (::chdir(project.folder().c_str()) != 0) ::_exit(126);
      ::execve(BELAY_PROGRAM, argv.data(), environment.data());
      ::_exit(127);
    }
    terminal_ = Fd(terminal);
  }
  ~AtTerminal() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  // Reads until the text is there, the program is gone, or a minute is over.
  bool shows(const std::string& text) {
    while (said_.find(text) == std::string::npos) {
      pollfd ready{terminal_.get(), POLLIN, 0};
      std::array<char, 4096> buffer{};
      if (::poll(&ready, 1, 60'000) != 1) return false;
      const auto count = ::read(terminal_.get(), buffer.data(), buffer.size());
      if (count <= 0) return false;
      said_.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return true;
  }
  void type(const std::string& text) {
    EXPECT_EQ(::write(terminal_.get(), text.data(), text.size()),
              static_cast<ssize_t>(text.size()));
  }
  int end() {
    shows("a text that no program writes");
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  const std::string& said() const { return said_; }

 private:
  pid_t pid_ = 0;
  Fd terminal_;
  std::string said_;
};

class Questions : public Runs {
 protected:
  void SetUp() override {
    auto text = project_.file();
    text.replace(text.find("    first: true\n"), 16, "");
    ship_file(text);
  }
};

TEST_F(Questions, OnlyTheWordThatIsAskedForIsAYes) {
  for (const std::string answer : {"\n", "y\n", "yes please\n", "\x04"}) {
    AtTerminal deploy(project_, {"deploy"});
    ASSERT_TRUE(deploy.shows("[type ")) << deploy.said();
    deploy.type(answer);
    EXPECT_NE(deploy.end(), 0) << deploy.said();
    EXPECT_NE(deploy.said().find("Not agreed."), std::string::npos) << deploy.said();
    EXPECT_EQ(live(), "");
  }
  EXPECT_TRUE(status()["open_runs"].empty()) << "nothing was begun";
}

TEST_F(Questions, AnsweredWithTheWordTheRunGoesOn) {
  AtTerminal deploy(project_, {"deploy"});
  ASSERT_TRUE(deploy.shows("[type ")) << deploy.said();
  const auto from = deploy.said().find("[type ") + 6;
  ASSERT_TRUE(deploy.shows("] "));
  deploy.type(deploy.said().substr(from, deploy.said().find(']', from) - from) + "\n");
  EXPECT_EQ(deploy.end(), 0) << deploy.said();
  EXPECT_TRUE(live().starts_with("prod-"));
}

}  // namespace
}  // namespace belay::cli::testing
