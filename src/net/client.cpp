// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <mutex>

#include "base/text.hpp"
#include "net/call.hpp"

namespace belay::net {

namespace {

constexpr std::size_t most_kept = 8;  // connections that wait for another request

bool may_go_out_again(const std::string& method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE";
}

// "https://host:port", for messages: paths and queries can hold secrets.
std::string place_of(const std::string& url) {
  const auto path = url.find('/', url.find("://") + 3);
  auto place = url.substr(0, path);
  const auto user = place.rfind('@');
  return user == std::string::npos ? place : place.substr(user + 1);
}

Error error_of(const Reply& reply, const Request& request) {
  auto text = fmt::format("{} {}: {}", request.method, place_of(request.url), reply.problem);
  const bool unfit = reply.status != 0 && !reply.late && !reply.stopped &&
                     reply.problem.starts_with("the body is over");
  const auto fault = reply.stopped              ? Fault::cancelled
                     : reply.late               ? Fault::timeout
                     : reply.untrusted || unfit ? Fault::refused
                                                : Fault::unreachable;
  return reply.sent ? unknown_effect(fault, std::move(text)) : fail(fault, std::move(text));
}

// What a server says back gets into errors, cut to a bearable length: half a secret would not be
// known again.
void hide(const std::vector<Secret>& secrets, Response& response) {
  const bool bytes =
      response.status < 300 && response.header("content-type") == "application/octet-stream";
  if (secrets.empty() || bytes) return;
  Masker masker;
  for (const auto& each : secrets) masker.add(each);
  response.body = masker.mask(response.body);
}

class Curl final : public Client {
 public:
  Curl(Clock& clock, Trust trust) : clock_(clock), trust_(std::move(trust)) {}

  Result<Response> send(const Request& request, std::stop_token stop) override {
    if (!may_go_out_again(request.method))
      return answer_of(call({request}, clock_, trust_, stop), request);
    Line line = take();
    auto reply = call({request}, clock_, trust_, stop, &line);
    if (reply.complete) keep(std::move(line));
    return answer_of(std::move(reply), request);
  }

 private:
  static Result<Response> answer_of(Reply&& reply, const Request& request) {
    Response response{reply.status, std::move(reply.body), std::move(reply.headers)};
    hide(request.secrets, response);
    if (reply.complete) return response;
    if (reply.begun && request.unfinished != nullptr) *request.unfinished = std::move(response);
    return error_of(reply, request);
  }

  Line take() {
    const std::lock_guard guard(mutex_);
    if (lines_.empty()) return {};
    Line line = std::move(lines_.back());
    lines_.pop_back();
    return line;
  }

  void keep(Line line) {
    const std::lock_guard guard(mutex_);
    if (lines_.size() < most_kept) lines_.push_back(std::move(line));
  }

  Clock& clock_;
  const Trust trust_;
  std::mutex mutex_;
  std::vector<Line> lines_;
};

}  // namespace

std::string Response::header(std::string_view name) const {
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [name](const auto& header) { return header.first == name; });
  return found == headers.end() ? "" : found->second;
}

std::unique_ptr<Client> make_client(Clock& clock, Trust trust) {
  return std::make_unique<Curl>(clock, std::move(trust));
}

}  // namespace belay::net
