// SPDX-License-Identifier: Apache-2.0
#include "storage/remote.hpp"

#include <algorithm>
#include <mutex>

#include "base/world.hpp"
#include "net/date.hpp"
#include "storage/name.hpp"

namespace belay::storage {

namespace {

// Both providers bear 15 minutes.
constexpr Millis far_off = std::chrono::minutes(10);
constexpr int most_collisions = 5;
constexpr int most_beginnings = 5;  // of an object that changes while it is read

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

Status in_lanes(std::size_t lanes, std::size_t count,
                const std::function<Status(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::optional<Error> error;
  const auto lane = [&] {
    for (auto one = next++; one < count; one = next++) {
      auto done = work(one);
      if (done) continue;
      next = count;
      const std::lock_guard lock(mutex);
      if (!error) error = std::move(done).error();
    }
  };
  ThreadExecutor().run_all(std::vector<std::function<void()>>(std::min(lanes, count), lane));
  return error ? Status(*error) : Status();
}

Remote::Remote(const net::Patience& patience, const net::Trust& trust, Clock& clock, Random& random)
    : patience_(patience),
      clock_(clock),
      random_(random),
      client_(net::make_client(clock, trust)) {}

Result<net::Sent> Remote::ask(const Make& make) {
  const auto send = [&] {
    return net::send_patiently(*client_, [&] { return make(server_time()); }, patience_, clock_,
                               random_, {});
  };
  TRY_LET(auto sent, send());
  if (sent.response.status == 403 && follow(sent.response)) return send();
  if (stale_ && sent.response.status >= 400 && stale_(sent.response)) return send();
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

Result<std::optional<net::Response>> Remote::fetch(Download& download, const MakePart& make) {
  for (int beginning = 1;;) {
    const auto before = download.here();
    net::Response unfinished;
    const auto keep = [&] { download.keep(std::exchange(unfinished, {})); };
    auto sent = ask([&](TimePoint now) -> Result<net::Request> {
      keep();
      TRY_LET(auto request, make(download.headers(), now));
      request.unfinished = &unfinished;
      return request;
    });
    keep();
    if (!sent && download.here() > before) continue;
    if (!sent) return std::move(sent).error();
    switch (download.take(sent->response)) {
      case Download::Step::done: return std::optional<net::Response>();
      case Download::Step::no: return std::optional(std::move(sent->response));
      case Download::Step::again: break;
    }
    if (download.here() <= before && ++beginning > most_beginnings)
      return fail(Fault::conflict, "it changes while it is read");
  }
}

Status Remote::write_once(const Make& make, const Once& once) {
  for (int collision = 1;; ++collision) {
    TRY_LET(const auto sent, ask(make).in(once.where));
    const auto written = once.judge(sent.response);
    if (written == Written::done) return {};
    const bool last = collision == most_collisions;
    if (written == Written::refused || (written == Written::collided && last))
      return once.refusal(sent.response);
    if (written == Written::collided) {
      clock_.sleep(net::wait_after(collision, {}, patience_, random_), {});
      continue;
    }
    const bool perhaps_ours = sent.perhaps_before || collision > 1 || written == Written::gone;
    if (perhaps_ours && once.is_ours()) return {};
    if (written == Written::gone) return once.refusal(sent.response);
    return fail(Fault::conflict, once.where + once.name + " is there already");
  }
}

}  // namespace belay::storage
