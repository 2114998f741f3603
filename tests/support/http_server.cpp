// SPDX-License-Identifier: Apache-2.0
#include "tests/support/http_server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "base/text.hpp"

namespace belay::testing {
namespace {

constexpr Millis tick{10};

void need(bool condition) {
  if (!condition) std::abort();
}

Fd listen_on_free_port(int& port) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  need(::bind(fd.get(), reinterpret_cast<sockaddr*>(&at), size) == 0);
  need(::listen(fd.get(), 64) == 0);
  need(::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&at), &size) == 0);
  port = ntohs(at.sin_port);
  return fd;
}

bool wait_for(int fd, short events, const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    pollfd one{fd, events, 0};
    if (::poll(&one, 1, static_cast<int>(tick.count())) > 0) return true;
  }
  return false;
}

void rest(Millis duration, const std::stop_token& stop) {
  const auto until = std::chrono::steady_clock::now() + duration;
  while (!stop.stop_requested() && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::min(tick, duration));
  }
}

SSL_CTX* tls_context(const Identity& identity) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_security_level(context, 0);  // weak certificates are wanted here
  BIO* bio =
      BIO_new_mem_buf(identity.certificate.data(), static_cast<int>(identity.certificate.size()));
  bool first = true;
  while (X509* one = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr)) {
    if (first) {
      need(SSL_CTX_use_certificate(context, one) == 1);
      X509_free(one);
    } else {
      need(SSL_CTX_add0_chain_cert(context, one) == 1);
    }
    first = false;
  }
  ERR_clear_error();
  BIO_free(bio);
  bio = BIO_new_mem_buf(identity.key.data(), static_cast<int>(identity.key.size()));
  EVP_PKEY* key = PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr);
  need(key != nullptr && SSL_CTX_use_PrivateKey(context, key) == 1);
  EVP_PKEY_free(key);
  BIO_free(bio);
  return context;
}

}  // namespace

// A connection with or without TLS.
class HttpServer::Wire {
 public:
  Wire(int fd, void* context, const std::stop_token& stop) : fd_(fd), stop_(stop) {
    if (context == nullptr) return;
    ssl_ = SSL_new(static_cast<SSL_CTX*>(context));
    SSL_set_fd(ssl_, fd);
    timeval limit{5, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    open_ = SSL_accept(ssl_) == 1;
  }
  ~Wire() {
    ERR_clear_error();
    SSL_free(ssl_);
  }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  bool open() const { return open_; }
  // False: the client is gone, or the server is to end.
  bool put(std::string_view bytes) {
    while (!bytes.empty() && open_ && !stop_.stop_requested()) {
      const auto n = ssl_ != nullptr ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                                     : ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return open_ = false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return open_ && !stop_.stop_requested();
  }
  // More bytes of the request; empty at the end.
  std::string get() {
    const bool waiting = ssl_ == nullptr || SSL_pending(ssl_) == 0;
    if (waiting && !wait_for(fd_.get(), POLLIN, stop_)) return "";
    char bytes[4096];
    const auto n = ssl_ != nullptr ? SSL_read(ssl_, bytes, sizeof bytes)
                                   : ::recv(fd_.get(), bytes, sizeof bytes, 0);
    return n > 0 ? std::string(bytes, static_cast<std::size_t>(n)) : "";
  }
  // Until the client hangs up.
  void hold() {
    while (!stop_.stop_requested() && !get().empty()) {}
  }

 private:
  Fd fd_;
  const std::stop_token& stop_;
  SSL* ssl_ = nullptr;
  bool open_ = true;
};

HttpServer::HttpServer(std::optional<Identity> identity) : tls_(identity.has_value()) {
  ::signal(SIGPIPE, SIG_IGN);  // clients hang up in the middle
  if (identity) context_ = tls_context(*identity);
  listening_ = listen_on_free_port(port_);
  accepting_ = std::jthread([this](const std::stop_token& stop) { accept_all(stop); });
}

HttpServer::~HttpServer() {
  accepting_.request_stop();
  accepting_.join();
  for (auto& one : serving_) one.request_stop();
  serving_.clear();
  SSL_CTX_free(static_cast<SSL_CTX*>(context_));
}

void HttpServer::answer(const std::string& path, std::vector<Answer> answers) {
  const std::lock_guard lock(mutex_);
  answers_[path] = std::move(answers);
}

std::vector<Asked> HttpServer::asked() const {
  const std::lock_guard lock(mutex_);
  return asked_;
}

void HttpServer::accept_all(const std::stop_token& stop) {
  while (wait_for(listening_.get(), POLLIN, stop)) {
    const int fd = ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    serving_.emplace_back([this, fd](const std::stop_token& ended) { serve(fd, ended); });
  }
}

void HttpServer::serve(int fd, const std::stop_token& stop) {
  Wire wire(fd, context_, stop);
  std::string text;
  std::size_t head_end = std::string::npos;
  while (wire.open() && (head_end = text.find("\r\n\r\n")) == std::string::npos) {
    const auto more = wire.get();
    if (more.empty()) return;
    text += more;
  }
  if (!wire.open()) return;
  Asked asked;
  asked.head = text.substr(0, head_end);
  asked.body = text.substr(head_end + 4);
  std::size_t length = 0;
  if (const auto at = asked.head.find("Content-Length: "); at != std::string::npos) {
    length = std::stoul(asked.head.substr(at + 16));
  }
  while (asked.body.size() < length) {
    const auto more = wire.get();
    if (more.empty()) return;
    asked.body += more;
  }
  const auto words = split(asked.head.substr(0, asked.head.find("\r\n")), ' ');
  asked.method = words[0];
  asked.path = words.size() > 1 ? words[1] : "";
  const auto answer = next_answer(asked);
  send(wire, answer, asked.method, stop);
}

Answer HttpServer::next_answer(const Asked& asked) {
  const std::lock_guard lock(mutex_);
  asked_.push_back(asked);
  const auto found = answers_.find(asked.path);
  if (found == answers_.end() || found->second.empty()) return {404, "no such page"};
  auto& all = found->second;
  auto answer = all.front();
  if (all.size() > 1) all.erase(all.begin());
  return answer;
}

void HttpServer::send(Wire& wire, const Answer& answer, const std::string& method,
                      const std::stop_token& stop) {
  using Trouble = Answer::Trouble;
  rest(answer.delay, stop);
  if (answer.trouble == Trouble::close) return;
  if (answer.trouble == Trouble::hang) return wire.hold();
  if (answer.trouble == Trouble::garbage) {
    wire.put("I am not a web server\r\n\r\nreally\r\n");
    return;
  }
  std::string head = fmt::format("HTTP/1.1 {} Scripted\r\nConnection: close\r\n", answer.status);
  for (const auto& [name, value] : answer.headers) head += name + ": " + value + "\r\n";
  const auto more = answer.trouble == Trouble::wrong_length ? 1000U : 0U;
  if (answer.trouble != Trouble::endless) {
    head += fmt::format("Content-Length: {}\r\n", answer.body.size() + more);
  }
  wire.put(head + "\r\n");
  if (method == "HEAD") return;
  if (answer.trouble == Trouble::drip) {
    for (const char c : answer.body) {
      rest(Millis(20), stop);
      if (!wire.put(std::string_view(&c, 1))) return;
    }
  } else if (answer.trouble == Trouble::cut || answer.trouble == Trouble::hang_in_body) {
    wire.put(answer.body.substr(0, answer.body.size() / 2));
    if (answer.trouble == Trouble::hang_in_body) wire.hold();
  } else if (answer.trouble == Trouble::endless) {
    const std::string block(65536, 'x');
    while (wire.put(block)) {}
  } else {
    wire.put(answer.body);
  }
}

int unused_port() {
  int port = 0;
  const Fd fd = listen_on_free_port(port);
  return port;
}

}  // namespace belay::testing
