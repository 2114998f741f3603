// SPDX-License-Identifier: Apache-2.0
// A server for tests that says on its standard output when it is ready. It is ended by its process
// id when the object goes, and by the kernel when the test dies.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/file.hpp"

namespace belay::testing {

class ServerProcess {
 public:
  // Waits, for a minute at most, for a line that has `ready` in it. unreachable, with what it said,
  // when it ends before. Its standard input stays open as long as the object.
  static Result<std::unique_ptr<ServerProcess>> start(std::vector<std::string> argv,
                                                      const std::string& ready);
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  const std::string& line() const { return line_; }  // the one that had `ready` in it

 private:
  ServerProcess() = default;
  Status wait_for(const std::string& ready);

  pid_t pid_ = -1;
  Fd input_, output_;
  std::string line_;
};

}  // namespace belay::testing
