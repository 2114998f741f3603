// SPDX-License-Identifier: Apache-2.0
#include "storage/remote.hpp"

#include <algorithm>

#include "net/date.hpp"
#include "storage/name.hpp"

namespace belay::storage {

namespace {

// Both providers bear 15 minutes.
constexpr Millis far_off = std::chrono::minutes(10);

}  // namespace

void take_ours(const std::vector<Object>& listed, const std::string& prefix,
               std::vector<Object>& found) {
  for (const auto& each : listed) {
    if (!each.name.starts_with(prefix)) continue;
    auto name = each.name.substr(prefix.size());
    if (check_name(name)) found.push_back({std::move(name), each.bytes});
  }
}

void sort_by_name(std::vector<Object>& objects) {
  std::sort(objects.begin(), objects.end(),
            [](const Object& a, const Object& b) { return a.name < b.name; });
}

Remote::Remote(const net::Patience& patience, Clock& clock, Random& random)
    : patience_(patience), clock_(clock), random_(random), client_(net::make_client(clock)) {}

Result<net::Sent> Remote::ask(const Make& make) {
  const auto send = [&] {
    return net::send_patiently(*client_, [&] { return make(clock_.now() + Millis(ahead_.load())); },
                               patience_, clock_, random_, {});
  };
  TRY_LET(auto sent, send());
  if (sent.response.status == 403 && follow(sent.response)) return send();
  return sent;
}

bool Remote::follow(const net::Response& response) {
  const auto theirs = net::parse_http_date(response.header("date"));
  if (!theirs) return false;
  const Millis ahead = *theirs - clock_.now();
  if (std::chrono::abs(ahead - Millis(ahead_.load())) < far_off) return false;
  ahead_ = ahead.count();
  return true;
}

void Remote::wait(int collisions) {
  clock_.sleep(net::wait_after(collisions, {}, patience_, random_), {});
}

}  // namespace belay::storage
