// SPDX-License-Identifier: Apache-2.0
// Requests to GitHub's REST API (version 2022-11-28) as it wants them: headers, errors, pages by
// their links, waits where it limits. Shapes: its OpenAPI description, api.github.com.
#pragma once

#include <functional>

#include "base/json.hpp"
#include "github/github.hpp"
#include "net/url.hpp"

namespace belay::github {

class GithubApi {
 public:
  GithubApi(GithubConfig config, Clock& clock, Random& random);

  const std::string& repository() const { return config_.repository; }
  std::uint64_t part_bytes() const { return config_.part_bytes; }

  // Paths are the repository's ("/issues"), but for those that begin with "//" ("//users/leo").
  Result<Json> get(const std::string& path, const std::stop_token& stop, net::Query query = {});
  // The items of a list, page after page, for as long as `wanted` says true; a list that is an
  // object has them under `member`.
  Status list(const std::string& path, net::Query query,
              const std::function<bool(const Json&)>& wanted, const std::stop_token& stop,
              const char* member = nullptr);
  // What does no harm twice.
  Result<Json> set(const char* method, const std::string& path, const Json& body,
                   const std::stop_token& stop);
  // What would be there twice: made when `look` does not find it, and looked for again when the
  // answer was lost. The value is the answer, or what was found.
  using Look = std::function<Result<std::optional<Json>>()>;
  Result<Json> make(const std::string& path, const Json& body, const Look& look,
                    const std::stop_token& stop);

  // The address, good for a minute, at which this path's bytes are to be had without the token.
  Result<std::string> place_of(const std::string& path, const std::stop_token& stop);
  // `count` bytes of what is there from `from` on, as the server answers; any status.
  Result<net::Response> get_part(const std::string& place, std::uint64_t from, std::uint64_t count,
                                 const std::stop_token& stop);

 private:
  enum class Send { once, patiently };
  net::Request request(const char* method, const std::string& url, const Json& body) const;
  std::string url_of(const std::string& path, const net::Query& query = {}) const;
  Result<net::Response> send(const net::Request& request, Send how, const std::stop_token& stop);
  Result<net::Response> send_unlimited(const net::Request& request, Send how,
                                       const std::stop_token& stop);
  Result<net::Response> follow(net::Request request, Send how, const std::stop_token& stop);
  std::optional<Millis> limited(const net::Response& response) const;
  Result<Json> json_of(const net::Response& response, const std::string& what) const;
  Error refusal_of(const net::Response& response, const std::string& what) const;
  Result<std::optional<Json>> look_again(const Look& look, const std::stop_token& stop);
  bool ours(const std::string& url) const;

  GithubConfig config_;
  Clock& clock_;
  Random& random_;
  std::unique_ptr<net::Client> client_;
};

}  // namespace belay::github
