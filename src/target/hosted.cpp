// SPDX-License-Identifier: Apache-2.0
#include "target/hosted.hpp"

namespace belay::target {

const Json& member_in(const Json& json, const char* member) {
  static const Json none;
  if (!json.is_object()) return none;
  const auto found = json.find(member);
  return found != json.end() ? *found : none;
}

std::string text_in(const Json& json, const char* member) {
  const auto& found = member_in(json, member);
  return found.is_string() ? found.get<std::string>() : "";
}

bool flag_in(const Json& json, const char* member) {
  const auto& found = member_in(json, member);
  return found.is_boolean() && found.get<bool>();
}

bool LongWait::pause(const std::stop_token& stop) const {
  using std::chrono::seconds;
  const Millis waited = clock_.steady() - begun_;
  const Millis next = waited < seconds(15)   ? seconds(1)
                      : waited < seconds(60) ? seconds(5)
                                             : seconds(15);
  return clock_.sleep(next, stop);
}

Result<net::Response> ask_once(net::Client& client, const net::Request& request,
                               const net::Patience& patience, Clock& clock, Random& random,
                               const std::stop_token& stop) {
  for (int attempt = 1;; ++attempt) {
    TRY_LET(auto answer, client.send(request, stop));
    if (answer.status != 429 || attempt == patience.attempts) return answer;
    const auto asked = net::asked_to_wait(answer, clock.now());
    if (asked && *asked > patience.longest_asked) return answer;
    if (!clock.sleep(net::wait_after(attempt, asked, patience, random), stop)) return answer;
  }
}

}  // namespace belay::target
