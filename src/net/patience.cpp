// SPDX-License-Identifier: Apache-2.0
#include "net/patience.hpp"

#include <algorithm>

#include "net/date.hpp"

namespace belay::net {

std::optional<Millis> asked_to_wait(const Response& response, TimePoint now) {
  const auto text = response.header("retry-after");
  if (text.empty()) return std::nullopt;
  if (std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    // More digits than that are a wait without end.
    return text.size() > 9 ? Millis::max() : Millis(std::chrono::seconds(std::stol(text)));
  }
  const auto until = parse_http_date(text);
  if (!until) return std::nullopt;
  return std::max(Millis(0), Millis(*until - now));
}

Millis wait_after(int attempt, std::optional<Millis> asked, const Patience& patience,
                  Random& random) {
  const int doublings = std::clamp(attempt - 1, 0, 20);
  const auto due = std::min(patience.longest.count(), patience.first.count() << doublings);
  const auto half = due / 2;
  const auto more = static_cast<Millis::rep>(random.next() % static_cast<std::uint64_t>(half + 1));
  return std::max(Millis(due - half + more), asked.value_or(Millis(0)));
}

bool is_passing(const Result<Response>& answer) {
  if (!answer) {
    return answer.error().fault == Fault::unreachable || answer.error().fault == Fault::timeout;
  }
  switch (answer->status) {
    case 408:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504: return true;
    default: return false;
  }
}

Result<Sent> send_patiently(Client& client, const std::function<Result<Request>()>& make,
                            const Patience& patience, Clock& clock, Random& random,
                            std::stop_token stop) {
  bool perhaps = false;
  for (int attempt = 1;; ++attempt) {
    TRY_LET(const auto request, make());
    auto answer = client.send(request, stop);
    const bool again = is_passing(answer) && attempt < patience.attempts;
    const auto asked = answer ? asked_to_wait(*answer, clock.now()) : std::nullopt;
    const bool too_long = asked && *asked > patience.longest_asked;
    const bool over =
        !again || too_long || !clock.sleep(wait_after(attempt, asked, patience, random), stop);
    if (over && answer) return Sent{std::move(answer).value(), attempt, perhaps};
    // A server's 5xx, too, says nothing of what it had done by then.
    const bool known = answer ? answer->status < 500 && answer->status != 408
                              : answer.error().effect == Effect::none;
    perhaps = perhaps || !known;
    if (over) {
      auto error = std::move(answer).error();
      if (perhaps) error.effect = Effect::unknown;
      return error;
    }
  }
}

Result<Response> ask_once(Client& client, const Request& request, const Patience& patience,
                          Clock& clock, Random& random, const std::stop_token& stop) {
  for (int attempt = 1;; ++attempt) {
    TRY_LET(auto answer, client.send(request, stop));
    if (answer.status != 429 || attempt == patience.attempts) return answer;
    const auto asked = asked_to_wait(answer, clock.now());
    if (asked && *asked > patience.longest_asked) return answer;
    if (!clock.sleep(wait_after(attempt, asked, patience, random), stop)) return answer;
  }
}

}  // namespace belay::net
