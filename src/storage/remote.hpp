// SPDX-License-Identifier: Apache-2.0
// The way to a store over HTTP: patient, and by the server's clock, which is what counts for a
// signature. Safe from many threads.
#pragma once

#include <atomic>
#include <functional>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "net/patience.hpp"
#include "net/url.hpp"
#include "storage/download.hpp"
#include "storage/storage.hpp"

namespace belay::storage {

// More is held in no memory at once.
inline constexpr std::size_t largest_object = std::size_t{4} << 30;

using HeaderMap = std::map<std::string, std::string>;

// One request, before it is signed.
struct Ask {
  std::string method, key;  // the object's whole name; empty: the bucket or container itself
  net::Query query = {};
  HeaderMap headers = {};
  std::string body = {};
  std::string_view content = {};  // or this, which is not copied
  bool locked = false;            // to be kept as the store's Lock says
};

// Of a listing, what is a store's own under its prefix, without it, is added to `found`: what
// others keep there is left out.
void take_ours(const std::vector<Object>& listed, const std::string& prefix,
               std::vector<Object>& found);
void sort_by_name(std::vector<Object>& objects);

// Calls `work` for 0 to `count` - 1, so many at once; after an error no more are begun. The first
// error.
Status in_lanes(std::size_t lanes, std::size_t count,
                const std::function<Status(std::size_t)>& work);

// What the answer to a write says that may not replace anything.
enum class Written {
  done,
  taken,     // the name is; perhaps by an earlier try of ours
  gone,      // what was to be finished is: an earlier try may have finished it
  collided,  // with another writer, who may have failed
  refused,
};

class Remote {
 public:
  Remote(const net::Patience& patience, const net::Trust& trust, Clock& clock, Random& random);

  // `make` makes the request of each try, as of the server's time. An answer of 403 from a server
  // whose clock is far from ours is asked once more, by its clock.
  using Make = std::function<Result<net::Request>(TimePoint now)>;
  Result<net::Sent> ask(const Make& make);

  // Of an answer that says no: whether what we signed in with was too old, and the next try will
  // have a new one.
  void on_stale(std::function<bool(const net::Response&)> stale) { stale_ = std::move(stale); }

  // Goes on from where an answer was cut; tries are counted anew after each that brought something.
  // `make` makes requests with these headers. The answer that says no; none: all is here.
  using MakePart = std::function<Result<net::Request>(const HeaderMap& headers, TimePoint now)>;
  Result<std::optional<net::Response>> fetch(Download& download, const MakePart& make);

  // Sends until it is certain who has the name. An earlier try, or whoever was here before it was
  // killed, may have had it already: then what counts is whether it is the same (`is_ours`).
  // conflict: it is another's.
  struct Once {
    std::string where, name;  // for errors
    std::function<Written(const net::Response&)> judge;
    std::function<bool()> is_ours;
    std::function<Error(const net::Response&)> refusal;
  };
  Status write_once(const Make& make, const Once& once);

  TimePoint server_time() const { return clock_.now() + Millis(ahead_.load()); }

 private:
  bool follow(const net::Response& response);

  net::Patience patience_;
  Clock& clock_;
  Random& random_;
  std::unique_ptr<net::Client> client_;
  std::function<bool(const net::Response&)> stale_;
  std::atomic<Millis::rep> ahead_{0};  // the server's clock before ours
};

}  // namespace belay::storage
