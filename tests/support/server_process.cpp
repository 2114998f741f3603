// SPDX-License-Identifier: Apache-2.0
#include "tests/support/server_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>

namespace belay::testing {
namespace {

constexpr std::chrono::seconds longest_start{60};

[[noreturn]] void become(std::vector<std::string>& argv, int input, int output, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  ::dup2(input, 0);
  ::dup2(output, 1);
  ::dup2(output, 2);
  std::vector<char*> words;
  for (auto& word : argv) words.push_back(word.data());
  words.push_back(nullptr);
  ::execvp(words[0], words.data());
  ::_exit(127);
}

}  // namespace

Result<std::unique_ptr<ServerProcess>> ServerProcess::start(std::vector<std::string> argv,
                                                            const std::string& ready) {
  std::unique_ptr<ServerProcess> server(new ServerProcess);
  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0)
    return errno_error(errno, "cannot make a pipe");
  const Fd child_in(in[0]);
  Fd child_out(out[1]);
  server->input_.reset(in[1]);
  server->output_.reset(out[0]);
  const pid_t parent = ::getpid();
  server->pid_ = ::fork();
  if (server->pid_ < 0) return errno_error(errno, "cannot fork");
  if (server->pid_ == 0) become(argv, child_in.get(), child_out.get(), parent);
  child_out.reset();  // so that its end is the end of what it says
  auto said = server->wait_for(ready);
  if (!said) return std::move(said).in(argv.front()).error();
  return server;
}

Status ServerProcess::wait_for(const std::string& ready) {
  const auto deadline = std::chrono::steady_clock::now() + longest_start;
  std::string said;
  while (std::chrono::steady_clock::now() < deadline) {
    pollfd one{output_.get(), POLLIN, 0};
    if (::poll(&one, 1, 100) <= 0) {
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) break;
      continue;
    }
    char bytes[4096];
    const auto n = ::read(output_.get(), bytes, sizeof bytes);
    if (n <= 0) break;
    said.append(bytes, static_cast<std::size_t>(n));
    const auto at = said.find(ready);
    const auto end = at == std::string::npos ? at : said.find('\n', at);
    if (end == std::string::npos) continue;
    const auto begin = said.rfind('\n', at);
    line_ = said.substr(begin == std::string::npos ? 0 : begin + 1);
    line_.resize(line_.find('\n'));
    return {};
  }
  return fail(Fault::unreachable, "the server did not get ready; it said: " + said);
}

ServerProcess::~ServerProcess() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

}  // namespace belay::testing
