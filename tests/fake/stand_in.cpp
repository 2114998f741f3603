// SPDX-License-Identifier: Apache-2.0
#include "tests/fake/stand_in.hpp"

#include <gtest/gtest.h>

#include "net/http.hpp"

namespace belay::testing {

using Action = HttpFault::Action;

StandIn::StandIn(const std::string& script) {
  auto started = ServerProcess::start(
      {BELAY_TOOLS_DIR "/venv/bin/python", "-B", BELAY_SOURCE_DIR "/tests/fake/" + script},
      "{\"port\"");
  if (!started) {
    ADD_FAILURE() << started.error().message();
    std::abort();
  }
  server_ = std::move(started).value();
  port_ = parse_json(server_->line())->at("port").get<int>();
  proxy_ = std::make_unique<HttpProxy>(port_);
}

Json StandIn::ask(const std::string& path) const {
  SystemClock clock;
  net::Request request;
  request.url = direct_url() + path;
  const auto answer = net::make_client(clock)->send(request, {});
  EXPECT_TRUE(answer.ok());
  return answer ? parse_json(answer->body).value() : Json();
}

std::vector<HttpFault> every_fault() {
  return {{Action::close},
          {Action::lose_reply},
          {Action::cut_reply},
          {Action::answer, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"},
          {Action::answer, "HTTP/1.1 429 No\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n"}};
}

HttpProxy::Plan only(int number, const HttpFault& fault) {
  return [number, fault](int nth, const std::string&) {
    return nth == number ? std::optional(fault) : std::nullopt;
  };
}

HttpProxy::Plan dead_after(int number) {
  return [number](int nth, const std::string&) {
    const auto action = nth == number ? Action::lose_reply : Action::close;
    return nth >= number ? std::optional(HttpFault{action}) : std::nullopt;
  };
}

}  // namespace belay::testing
