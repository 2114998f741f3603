// SPDX-License-Identifier: Apache-2.0
// Requests that may be repeated, repeated: what to wait, and what is worth another try.
#pragma once

#include <functional>

#include "base/random.hpp"
#include "net/http.hpp"

namespace belay::net {

struct Patience {
  int attempts = 6;
  Millis first{500};  // doubles from try to try
  Millis longest{20'000};
  Millis longest_asked{120'000};  // a server that asks for more gets no further try
};

// What a server asks for by Retry-After: seconds, or a date.
std::optional<Millis> asked_to_wait(const Response& response, TimePoint now);

// After `attempt` tries (1 or more): between the half and the whole of what is due, so that many do
// not come back at once; never less than what the server asked for.
Millis wait_after(int attempt, std::optional<Millis> asked, const Patience& patience,
                  Random& random);

// No answer (but for a certificate, a body or a request that will not do better next time), or
// 408, 429, 500, 502, 503, 504.
bool is_passing(const Result<Response>& answer);

struct Sent {
  Response response;
  int attempts = 1;
  bool perhaps_before = false;  // an earlier try may have had its effect
};

// For requests that do no harm twice. `make` makes each try's request anew (signatures have times).
// The last answer, whatever its status, or the last error. Its effect is unknown when any try's
// was.
Result<Sent> send_patiently(Client& client, const std::function<Result<Request>()>& make,
                            const Patience& patience, Clock& clock, Random& random,
                            std::stop_token stop);

// For orders that must not be given twice: sent again only where the other side says that it did
// nothing (429).
Result<Response> ask_once(Client& client, const Request& request, const Patience& patience,
                          Clock& clock, Random& random, const std::stop_token& stop);

}  // namespace belay::net
