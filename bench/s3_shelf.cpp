// SPDX-License-Identifier: Apache-2.0
#include "bench/s3_shelf.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "base/lower_case.hpp"

namespace belay::bench {

namespace {

constexpr std::size_t page = 1000;

// The value of a query's parameter; empty when it is not there.
std::string parameter(const std::string& query, const std::string& name) {
  const auto at = ("&" + query).find("&" + name + "=");
  if (at == std::string::npos) return "";
  const auto begin = at + name.size() + 1;
  return query.substr(begin, query.find('&', begin) - begin);
}

std::string without_escapes(std::string text) {
  for (auto at = text.find("%2F"); at != std::string::npos; at = text.find("%2F"))
    text.replace(at, 3, "/");
  return text;
}

}  // namespace

struct S3Shelf::Request {
  std::string method, key, query;
  std::size_t length = 0;
  bool only_new = false, waits = false;
};

class S3Shelf::Wire {
 public:
  Wire(int fd, std::uint64_t pace) : fd_(fd), pace_(pace) {}

  // False at the end of the connection.
  bool read_head(Request& request) {
    std::size_t end = 0;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!more()) return false;
    }
    const auto head = lower_case(buffer_.substr(0, end));
    const auto line = buffer_.substr(0, buffer_.find('\r'));
    buffer_.erase(0, end + 4);
    const auto first = line.find(' '), second = line.find(' ', first + 1);
    const auto target = line.substr(first + 1, second - first - 1);
    request.method = line.substr(0, first);
    const auto question = target.find('?');
    request.query = question == std::string::npos ? "" : target.substr(question + 1);
    const auto path = target.substr(0, question);
    const auto slash = path.find('/', 1);
    request.key = slash == std::string::npos ? "" : path.substr(slash + 1);
    const auto length = head.find("content-length:");
    request.length = length == std::string::npos ? 0 : std::stoul(head.substr(length + 15));
    request.only_new = head.find("if-none-match: *") != std::string::npos;
    request.waits = head.find("expect: 100-continue") != std::string::npos;
    return true;
  }

  // The body, or nothing where it is only to be swallowed.
  bool read_body(const Request& request, bool keep, std::string& body) {
    if (request.waits) say("HTTP/1.1 100 Continue\r\n\r\n");
    const auto begun = std::chrono::steady_clock::now();
    std::size_t got = 0;
    while (got < request.length) {
      if (buffer_.empty() && !more()) return false;
      const auto count = std::min(buffer_.size(), request.length - got);
      if (keep) body.append(buffer_, 0, count);
      buffer_.erase(0, count);
      got += count;
      if (pace_ != 0) {
        const std::chrono::duration<double> due(static_cast<double>(got) /
                                                static_cast<double>(pace_));
        std::this_thread::sleep_until(begun +
                                      std::chrono::duration_cast<std::chrono::nanoseconds>(due));
      }
    }
    return true;
  }

  void reply(int status, const std::string& body, const std::string& headers = {},
             std::size_t length = std::string::npos) {
    say(fmt::format("HTTP/1.1 {} X\r\nETag: \"0\"\r\n{}Content-Length: {}\r\n\r\n", status, headers,
                    length == std::string::npos ? body.size() : length));
    say(body);
  }

 private:
  bool more() {
    const auto before = buffer_.size();
    buffer_.resize(before + (std::size_t{1} << 18));
    const auto n = ::recv(fd_, buffer_.data() + before, buffer_.size() - before, 0);
    buffer_.resize(before + (n > 0 ? static_cast<std::size_t>(n) : 0));
    return n > 0;
  }
  void say(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }

  int fd_;
  std::uint64_t pace_;
  std::string buffer_;
};

S3Shelf::S3Shelf(std::uint64_t bytes_a_second) : pace_(bytes_a_second) {
  listening_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  auto* any = reinterpret_cast<sockaddr*>(&at);
  const bool ok = ::bind(listening_.get(), any, size) == 0 && ::listen(listening_.get(), 64) == 0 &&
                  ::getsockname(listening_.get(), any, &size) == 0;
  if (!ok) std::abort();
  port_ = ntohs(at.sin_port);
  accepting_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
}

S3Shelf::~S3Shelf() {
  accepting_.request_stop();
  ::shutdown(listening_.get(), SHUT_RDWR);
  accepting_.join();
  const std::lock_guard lock(mutex_);
  for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
}

std::uint64_t S3Shelf::sunk() const {
  const std::lock_guard lock(mutex_);
  return sunk_;
}

void S3Shelf::accept_all(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const int fd = ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    {
      const std::lock_guard lock(mutex_);
      open_.push_back(fd);
    }
    serving_.emplace_back([this, fd] { serve(fd); });
  }
}

void S3Shelf::serve(int fd) {
  Wire wire(fd, pace_);
  for (Request request; wire.read_head(request); request = {}) {
    const bool sinks = request.key.starts_with("sink/");
    std::string body;
    if (!wire.read_body(request, !sinks, body)) break;
    answer(wire, request, std::move(body));
  }
  const std::lock_guard lock(mutex_);
  std::erase(open_, fd);
  ::close(fd);
}

void S3Shelf::answer(Wire& wire, const Request& request, std::string body) {
  const auto& query = request.query;
  const auto has = [&query](const char* name) {
    return ("&" + query).find(std::string("&") + name + "=") != std::string::npos;
  };
  if (request.method == "GET" && has("list-type")) return list(wire, query);
  if (request.method == "GET" && has("uploads"))
    return wire.reply(200, "<ListMultipartUploadsResult/>");
  if (request.method == "GET" && has("uploadId")) return wire.reply(200, "<ListPartsResult/>");
  if (request.method == "POST" && has("uploads")) {
    return wire.reply(200,
                      "<InitiateMultipartUploadResult><UploadId>1</UploadId>"
                      "</InitiateMultipartUploadResult>");
  }
  if (request.method == "POST") return wire.reply(200, "<CompleteMultipartUploadResult/>");
  const std::lock_guard lock(mutex_);
  const auto found = objects_.find(request.key);
  if (request.method == "PUT") {
    sunk_ += request.length;
    if (request.key.starts_with("sink/")) return wire.reply(200, "");
    if (request.only_new && found != objects_.end()) return wire.reply(412, "");
    objects_[request.key] = std::move(body);
    return wire.reply(200, "");
  }
  if (request.method == "DELETE") {
    if (found != objects_.end()) objects_.erase(found);
    return wire.reply(204, "");
  }
  if (found == objects_.end()) return wire.reply(404, "");
  if (request.method == "HEAD") return wire.reply(200, "", "", found->second.size());
  wire.reply(200, found->second);
}

void S3Shelf::list(Wire& wire, const std::string& query) {
  const auto prefix = without_escapes(parameter(query, "prefix"));
  const auto after = without_escapes(parameter(query, "continuation-token"));
  std::string xml = "<ListBucketResult>";
  {
    const std::lock_guard lock(mutex_);
    std::size_t count = 0;
    auto one = after.empty() ? objects_.lower_bound(prefix) : objects_.upper_bound(after);
    std::string last;
    for (; one != objects_.end() && one->first.starts_with(prefix) && count < page;
         ++one, ++count) {
      xml += fmt::format("<Contents><Key>{}</Key><Size>{}</Size></Contents>", one->first,
                         one->second.size());
      last = one->first;
    }
    if (one != objects_.end() && one->first.starts_with(prefix))
      xml += "<IsTruncated>true</IsTruncated><NextContinuationToken>" + last +
             "</NextContinuationToken>";
  }
  wire.reply(200, xml + "</ListBucketResult>");
}

}  // namespace belay::bench
