// SPDX-License-Identifier: Apache-2.0
#include "probe/call.hpp"

#include <curl/curl.h>
#include <signal.h>

#include <array>

#include "base/text.hpp"
#include "probe/certificate.hpp"

namespace belay::probe {
namespace {

constexpr std::size_t largest_body = std::size_t{1} << 20;
constexpr std::size_t largest_header = std::size_t{64} << 10;

struct EasyEnd {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiEnd {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct ListEnd {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EasyEnd>;
using Multi = std::unique_ptr<CURLM, MultiEnd>;
using List = std::unique_ptr<curl_slist, ListEnd>;

// libcurl leaves SIGPIPE alone when told to use no signals; a server that hangs up in a TLS goodbye
// would end the program. Held back in this thread only, and thrown away.
class SigpipeBlock {
 public:
  SigpipeBlock() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending{};
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  SigpipeBlock(const SigpipeBlock&) = delete;
  SigpipeBlock& operator=(const SigpipeBlock&) = delete;
  ~SigpipeBlock() {
    const timespec none{};
    if (!was_pending_) sigtimedwait(&pipe_, nullptr, &none);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t pipe_{}, before_{};
  bool was_pending_ = false;
};

// What the callbacks write to.
struct Arriving {
  Reply reply;
  std::size_t header_bytes = 0;
  std::string too_large;
};

std::size_t take_body(char* bytes, std::size_t, std::size_t count, void* to) {
  auto& arriving = *static_cast<Arriving*>(to);
  if (arriving.reply.body.size() + count > largest_body) {
    arriving.too_large = "the body is over 1 MiB";
    return 0;
  }
  arriving.reply.body.append(bytes, count);
  return count;
}

std::size_t take_header(char* bytes, std::size_t, std::size_t count, void* to) {
  auto& arriving = *static_cast<Arriving*>(to);
  arriving.header_bytes += count;
  if (arriving.header_bytes > largest_header) {
    arriving.too_large = "the headers are over 64 KiB";
    return 0;
  }
  const std::string_view line(bytes, count);
  if (line.starts_with("HTTP/")) arriving.reply.headers.clear();  // after an interim answer
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return count;
  std::string name(line.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  arriving.reply.headers.emplace_back(name, std::string(trim(line.substr(colon + 1))));
  return count;
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::string refusal(const HttpRequest& request) {
  if (request.url.empty()) return "there is no URL to ask";
  if (has_control(request.url) || request.url.find(' ') != std::string::npos) {
    return "the URL holds spaces or control characters";
  }
  const bool word = !request.method.empty() &&
                    std::all_of(request.method.begin(), request.method.end(),
                                [](char c) { return (c >= 'A' && c <= 'Z') || c == '-'; });
  if (!word) return "the method is not one of HTTP's";
  for (const auto& [name, value] : request.headers) {
    if (name.empty() || has_control(name) || has_control(value) ||
        name.find_first_of(": ") != std::string::npos) {
      return "a header to send holds control characters or a bad name";
    }
  }
  if (request.timeout <= Millis(0)) return "there is no time to wait for an answer";
  return "";
}

List send_headers(const HttpRequest& request) {
  curl_slist* list = nullptr;
  for (const auto& [name, value] : request.headers) {
    list = curl_slist_append(list, (name + (value.empty() ? ";" : ": " + value)).c_str());
  }
  list = curl_slist_append(list, "Expect:");
  return List(list);
}

// A proxy must not answer for what stands on this machine.
bool is_near(const HttpRequest& request) {
  if (!request.connect_to.empty()) return true;
  const auto host = split(request.url, '/');
  if (host.size() < 3) return false;
  return host[2].starts_with("127.") || host[2].starts_with("localhost") ||
         host[2].starts_with("[::1]");
}

void set_request(CURL* easy, const Call& call) {
  const auto& request = call.request;
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  if (call.connect_only) {
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    return;
  }
  if (!request.body.empty()) {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
  }
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

void set_limits(CURL* easy, const HttpRequest& request) {
  const auto limit = static_cast<long>(std::min<Millis::rep>(request.timeout.count(), 86'400'000));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, limit);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, limit);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
  curl_easy_setopt(easy, CURLOPT_NETRC, 0L);
  if (is_near(request)) curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

Phases phases_of(CURL* easy) {
  const auto seconds = [easy](CURLINFO what) {
    curl_off_t micros = 0;
    curl_easy_getinfo(easy, what, &micros);
    return static_cast<double>(micros) / 1e6;
  };
  return {seconds(CURLINFO_NAMELOOKUP_TIME_T),    seconds(CURLINFO_CONNECT_TIME_T),
          seconds(CURLINFO_APPCONNECT_TIME_T),    seconds(CURLINFO_PRETRANSFER_TIME_T),
          seconds(CURLINFO_STARTTRANSFER_TIME_T), seconds(CURLINFO_TOTAL_TIME_T)};
}

// Runs the exchange so that a stop request ends it at once.
std::optional<CURLcode> drive(CURL* easy, const std::stop_token& stop) {
  const Multi multi(curl_multi_init());
  curl_multi_add_handle(multi.get(), easy);
  const std::stop_callback wake(stop, [&multi] { curl_multi_wakeup(multi.get()); });
  std::optional<CURLcode> code;
  int running = 1;
  while (running > 0 && !stop.stop_requested()) {
    if (curl_multi_perform(multi.get(), &running) != CURLM_OK) break;
    if (running > 0 && curl_multi_poll(multi.get(), nullptr, 0, 1000, nullptr) != CURLM_OK) break;
  }
  int left = 0;
  while (const auto* message = curl_multi_info_read(multi.get(), &left)) {
    if (message->msg == CURLMSG_DONE) code = message->data.result;
  }
  curl_multi_remove_handle(multi.get(), easy);
  return code;
}

std::string problem_of(CURLcode code, const std::string& said, const Call& call,
                       const Arriving& arriving) {
  if (!arriving.too_large.empty()) return arriving.too_large;
  const auto& certificate = arriving.reply.certificate;
  if (certificate && !certificate->problem.empty()) return "certificate: " + certificate->problem;
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return "no whole answer within " + to_text(call.request.timeout);
  }
  return said.empty() ? curl_easy_strerror(code) : said;
}

}  // namespace

Reply call(const Call& call, const Clock& clock, std::stop_token stop) {
  const SigpipeBlock block;  // first: it must outlive the handle
  Arriving arriving;
  arriving.reply.problem = refusal(call.request);
  if (!arriving.reply.problem.empty()) return std::move(arriving.reply);
  const Easy easy(curl_easy_init());
  if (!easy) {
    arriving.reply.problem = "libcurl cannot start";
    return std::move(arriving.reply);
  }
  const List headers = send_headers(call.request);
  const List connect_to(call.request.connect_to.empty()
                            ? nullptr
                            : curl_slist_append(nullptr, ("::" + call.request.connect_to).c_str()));
  std::array<char, CURL_ERROR_SIZE> said{};
  CertificateWatch certificate(clock.now(), call.request.url);
  set_request(easy.get(), call);
  set_limits(easy.get(), call.request);
  certificate.attach(easy.get());
  curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, headers.get());
  if (connect_to) curl_easy_setopt(easy.get(), CURLOPT_CONNECT_TO, connect_to.get());
  curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, said.data());
  curl_easy_setopt(easy.get(), CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(easy.get(), CURLOPT_WRITEDATA, &arriving);
  curl_easy_setopt(easy.get(), CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(easy.get(), CURLOPT_HEADERDATA, &arriving);
  const auto code = drive(easy.get(), stop);
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  arriving.reply.status = static_cast<int>(status);
  arriving.reply.phases = phases_of(easy.get());
  arriving.reply.certificate = certificate.seen();
  arriving.reply.complete = code == CURLE_OK;
  arriving.reply.stopped = !code && stop.stop_requested();
  if (arriving.reply.stopped) {
    arriving.reply.problem = "stopped before the answer came";
  } else if (!arriving.reply.complete) {
    arriving.reply.problem =
        problem_of(code.value_or(CURLE_FAILED_INIT), said.data(), call, arriving);
  }
  return std::move(arriving.reply);
}

}  // namespace belay::probe
