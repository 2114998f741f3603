// SPDX-License-Identifier: Apache-2.0
// One exchange by libcurl, with all that can be seen of it, also where it fails.
#pragma once

#include "net/http.hpp"

namespace belay::net {

struct Call {
  const Request& request;     // not copied: its body may be large
  bool connect_only = false;  // no request: connect (and shake hands when https)
};

struct Reply {
  bool complete = false;  // the whole answer arrived
  bool begun = false;     // its headers did
  bool stopped = false;
  bool sent = false;       // a part of the request may have left
  bool untrusted = false;  // the server's certificates do not hold
  bool late = false;       // there was no whole answer within the timeout
  std::string problem;     // why it is not complete
  int status = 0;
  std::string body;
  Headers headers;
  Phases phases;
  std::optional<Certificate> certificate;
};

// What a connection lives in from one call to the next. Not safe from two threads at once.
class Line {
 public:
  Line();
  ~Line();
  Line(Line&&) noexcept;
  Line& operator=(Line&&) noexcept;

 private:
  friend Reply call(const Call&, const Clock&, const Trust&, std::stop_token, Line*);
  struct State;
  std::unique_ptr<State> state_;
};

// Without a line: on a connection of its own.
Reply call(const Call& call, const Clock& clock, const Trust& trust, std::stop_token stop,
           Line* line = nullptr);

}  // namespace belay::net
