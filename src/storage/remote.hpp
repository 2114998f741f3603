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
#include "storage/storage.hpp"

namespace belay::storage {

// More is held in no memory at once.
inline constexpr std::size_t largest_object = std::size_t{4} << 30;

// One request, before it is signed.
struct Ask {
  std::string method, key;  // the object's whole name; empty: the bucket or container itself
  net::Query query = {};
  std::map<std::string, std::string> headers = {};
  std::string body = {};
};

// Of a listing, what is a store's own under its prefix, without it, is added to `found`: what
// others keep there is left out.
void take_ours(const std::vector<Object>& listed, const std::string& prefix,
               std::vector<Object>& found);
void sort_by_name(std::vector<Object>& objects);

class Remote {
 public:
  Remote(const net::Patience& patience, Clock& clock, Random& random);

  // `make` makes the request of each try, as of the server's time. An answer of 403 from a server
  // whose clock is far from ours is asked once more, by its clock.
  using Make = std::function<Result<net::Request>(TimePoint now)>;
  Result<net::Sent> ask(const Make& make);
  // After `collisions` with another writer.
  void wait(int collisions);

 private:
  bool follow(const net::Response& response);

  net::Patience patience_;
  Clock& clock_;
  Random& random_;
  std::unique_ptr<net::Client> client_;
  std::atomic<Millis::rep> ahead_{0};  // the server's clock before ours
};

}  // namespace belay::storage
