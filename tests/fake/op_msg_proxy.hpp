// SPDX-License-Identifier: Apache-2.0
// Stands between a client and a MongoDB server on loopback and misbehaves by plan: cuts, loses
// replies, delays, answers by script. It reads the framing of OP_MSG (and of the first greeting,
// OP_QUERY) and knows a message by the name of its command.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"

namespace belay::testing {

struct ProxyFault {
  enum class Action {
    cut_before,  // the message never reaches the server; the connection ends
    cut_after,   // it reaches the server; the connection ends at once
    lose_reply,  // the server has answered; the connection ends instead of the answer
    delay,       // it waits, then goes its way
    call,        // `hook` runs, then it goes its way
    answer,      // `reply` is the answer; the server sees nothing
  };
  std::string command;  // "commitTransaction"; a greeting is "hello" whatever it is called
  Action action = Action::cut_before;
  int nth = 1;    // the first message it strikes, counted from when the plan was made
  int times = 1;  // and how many from there on; 0: all
  std::chrono::milliseconds delay{0};
  std::function<void()> hook = {};
  std::string reply = {};  // one BSON document
};

class OpMsgProxy {
 public:
  static Result<std::unique_ptr<OpMsgProxy>> start(int server_port);
  ~OpMsgProxy();  // ends its connections
  OpMsgProxy(const OpMsgProxy&) = delete;
  OpMsgProxy& operator=(const OpMsgProxy&) = delete;

  int port() const { return port_; }
  // Replaces the plan and begins counting anew.
  void plan(std::vector<ProxyFault> faults);
  // Messages with this command since the last plan(), struck or not.
  int count(const std::string& command) const;
  int struck() const;  // faults that happened since the last plan()

 private:
  OpMsgProxy() = default;
  void accept_all();
  void serve(int client);
  void converse(int client, int server);
  std::vector<ProxyFault> faults_for(const std::string& command);
  bool wait(std::chrono::milliseconds time);
  void keep(int fd, bool open);

  int server_port_ = 0, port_ = 0, listener_ = -1;
  mutable std::mutex lock_;
  std::condition_variable ended_;
  bool ending_ = false;
  std::vector<ProxyFault> faults_;
  std::map<std::string, int> counts_;
  int struck_ = 0;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace belay::testing
