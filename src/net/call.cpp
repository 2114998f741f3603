// SPDX-License-Identifier: Apache-2.0
#include "net/call.hpp"

#include <curl/curl.h>
#include <signal.h>

#include <array>
#include <mutex>

#include "base/lower_case.hpp"
#include "base/text.hpp"
#include "net/certificate.hpp"
#include "net/url.hpp"

namespace belay::net {
namespace {

constexpr long large_step = 1L << 20;  // of a large body, so much is handed over at once
constexpr std::size_t largest_header = std::size_t{64} << 10;

struct EasyEnd {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListEnd {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, EasyEnd>;
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
  std::size_t largest_body = 0;
  std::size_t header_bytes = 0;
  bool headers_ended = false;
  std::string too_large;
};

std::size_t take_body(char* bytes, std::size_t, std::size_t count, void* to) {
  auto& arriving = *static_cast<Arriving*>(to);
  if (arriving.reply.body.size() + count > arriving.largest_body) {
    arriving.too_large = fmt::format("the body is over {} MiB", arriving.largest_body >> 20);
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
  arriving.headers_ended = trim(line).empty();
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return count;
  arriving.reply.headers.emplace_back(lower_case(std::string(line.substr(0, colon))),
                                      std::string(trim(line.substr(colon + 1))));
  return count;
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::string refusal(const Request& request) {
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

List send_headers(const Request& request) {
  curl_slist* list = nullptr;
  for (const auto& [name, value] : request.headers) {
    list = curl_slist_append(list, (name + (value.empty() ? ";" : ": " + value)).c_str());
  }
  list = curl_slist_append(list, "Expect:");
  return List(list);
}

void set_request(CURL* easy, const Call& call) {
  const auto& request = call.request;
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  if (call.connect_only) {
    curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    return;
  }
  // An empty body too: what is put or posted has a length.
  const auto bytes = request.bytes();
  if (!bytes.empty() || request.method == "PUT" || request.method == "POST") {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(bytes.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, bytes.empty() ? "" : bytes.data());
    if (bytes.size() > static_cast<std::size_t>(large_step))
      curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, large_step);
  }
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
}

void set_limits(CURL* easy, const Request& request) {
  const auto limit = static_cast<long>(std::min<Millis::rep>(request.timeout.count(), 86'400'000));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, limit);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, limit);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NETRC, 0L);
  // A proxy must not answer for what stands on this machine.
  if (!request.connect_to.empty() || is_near(request.url))
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
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
std::optional<CURLcode> drive(CURL* easy, CURLM* multi, const std::stop_token& stop) {
  curl_multi_add_handle(multi, easy);
  const std::stop_callback wake(stop, [multi] { curl_multi_wakeup(multi); });
  std::optional<CURLcode> code;
  int running = 1;
  while (running > 0 && !stop.stop_requested()) {
    if (curl_multi_perform(multi, &running) != CURLM_OK) break;
    if (running > 0 && curl_multi_poll(multi, nullptr, 0, 1000, nullptr) != CURLM_OK) break;
  }
  int left = 0;
  while (const auto* message = curl_multi_info_read(multi, &left)) {
    if (message->msg == CURLMSG_DONE) code = message->data.result;
  }
  curl_multi_remove_handle(multi, easy);
  return code;
}

std::string problem_of(CURLcode code, const std::string& said, const Call& call,
                       const Arriving& arriving) {
  if (!arriving.too_large.empty()) return arriving.too_large;
  if (arriving.reply.untrusted)
    return "the server's certificate does not hold: " + arriving.reply.certificate->problem;
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return "no whole answer within " + belay::to_text(call.request.timeout);
  }
  return said.empty() ? curl_easy_strerror(code) : said;
}

void take_in(CURL* easy, Arriving& arriving) {
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &arriving);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &arriving);
}

void start_libcurl() {
  static std::once_flag started;
  std::call_once(started, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

void tell_if_unchecked(const std::string& url, const Trust& trust) {
  if (trust.unchecked.empty() || !trust.tell) return;
  const auto endpoint = endpoint_of(url);
  const auto found = endpoint ? trust.unchecked.find(*endpoint) : trust.unchecked.end();
  if (found != trust.unchecked.end()) trust.tell(found->first, found->second);
}

Reply without(std::string problem) {
  Reply reply;
  reply.problem = std::move(problem);
  return reply;
}

}  // namespace

// Has the connections: it outlives the exchange's handle.
struct Line::State {
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { curl_multi_cleanup(multi); }

  CURLM* multi = curl_multi_init();
};

Line::Line() {
  start_libcurl();
  state_ = std::make_unique<State>();
}
Line::~Line() = default;
Line::Line(Line&&) noexcept = default;
Line& Line::operator=(Line&&) noexcept = default;

Reply call(const Call& call, const Clock& clock, const Trust& trust, std::stop_token stop,
           Line* line) {
  const SigpipeBlock block;  // first: it must outlive the handle
  if (auto problem = refusal(call.request); !problem.empty()) return without(std::move(problem));
  std::optional<Line> own;
  if (line == nullptr) line = &own.emplace();
  auto* multi = line->state_->multi;
  Arriving arriving;
  arriving.largest_body = call.request.largest_body;
  const List headers = send_headers(call.request);
  const List connect_to(call.request.connect_to.empty()
                            ? nullptr
                            : curl_slist_append(nullptr, ("::" + call.request.connect_to).c_str()));
  std::array<char, CURL_ERROR_SIZE> said{};
  CertificateWatch certificate(clock.now(), call.request.url, trust);
  tell_if_unchecked(call.request.url, trust);
  const Easy easy(curl_easy_init());
  if (!easy || multi == nullptr) return without("libcurl cannot start");
  set_request(easy.get(), call);
  set_limits(easy.get(), call.request);
  curl_easy_setopt(easy.get(), CURLOPT_FORBID_REUSE, own ? 1L : 0L);
  certificate.attach(easy.get());
  curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, headers.get());
  if (connect_to) curl_easy_setopt(easy.get(), CURLOPT_CONNECT_TO, connect_to.get());
  curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, said.data());
  take_in(easy.get(), arriving);
  const auto code = drive(easy.get(), multi, stop);
  auto& reply = arriving.reply;
  long status = 0;
  curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  reply.status = static_cast<int>(status);
  reply.phases = phases_of(easy.get());
  reply.sent = reply.phases.pretransfer > 0;
  reply.certificate = certificate.seen();
  reply.untrusted = certificate.refused();
  // libcurl takes an answer that ends in its headers for a whole one without a body.
  reply.begun = arriving.headers_ended;
  reply.complete = code == CURLE_OK && (reply.begun || call.connect_only);
  reply.late = code == CURLE_OPERATION_TIMEDOUT;
  reply.stopped = !code && stop.stop_requested();
  if (reply.stopped) {
    reply.problem = "stopped before the answer came";
  } else if (!reply.complete) {
    reply.problem = code == CURLE_OK
                        ? "the answer ended in its headers"
                        : problem_of(code.value_or(CURLE_FAILED_INIT), said.data(), call, arriving);
  }
  return std::move(reply);
}

}  // namespace belay::net
