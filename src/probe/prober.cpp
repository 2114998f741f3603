// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "base/process.hpp"
#include "base/text.hpp"
#include "net/call.hpp"
#include "probe/judge.hpp"

namespace belay::probe {
namespace {

constexpr std::size_t command_output_limit = std::size_t{1} << 20;

Millis rounded(double seconds) {
  return Millis(std::llround(seconds * 1000));
}

Sample bad(std::string text) {
  Sample sample;
  sample.text = std::move(text);
  return sample;
}

Sample from(net::Reply&& reply) {
  Sample sample;
  sample.took = rounded(reply.phases.total);
  sample.phases = reply.phases;
  sample.certificate = std::move(reply.certificate);
  sample.http_status = reply.status;
  sample.stopped = reply.stopped;
  sample.text = std::move(reply.problem);
  return sample;
}

bool is_address(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == text.size()) return false;
  const auto port = text.substr(colon + 1);
  if (port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos) return false;
  const int number = std::stoi(port);
  return number > 0 && number < 65536 &&
         text.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
             "0123456789.-_:[]") == std::string::npos;
}

// The last line a program wrote, short and without control characters.
std::string last_line(const std::string& text) {
  std::string line;
  for (const auto& one : split(text, '\n')) {
    if (!trim(one).empty()) line = trim(one);
  }
  if (line.size() > 200) line.replace(197, std::string::npos, "...");
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  return line;
}

class NetworkProber final : public Prober {
 public:
  NetworkProber(Clock& clock, net::Trust trust) : clock_(clock), trust_(std::move(trust)) {}

  Sample http(const HttpRequest& request, const Expectation& expected,
              std::stop_token stop) override {
    auto reply = net::call({request, false}, clock_, trust_, stop);
    const bool complete = reply.complete;
    auto wrong = complete ? disagreement(reply, expected) : "";
    const int status = reply.status;
    auto sample = from(std::move(reply));
    if (!complete) return sample;
    sample.good = wrong.empty();
    sample.text =
        sample.good ? fmt::format("{} in {} ms", status, sample.took.count()) : std::move(wrong);
    return sample;
  }

  Sample tcp(const std::string& address, Millis timeout, std::stop_token stop) override {
    if (!is_address(address)) return bad("\"" + last_line(address) + "\" is not host:port");
    HttpRequest request;
    request.url = "http://" + address;
    request.timeout = timeout;
    request.connect_to = address;  // to the port itself, never to a proxy
    auto reply = net::call({request, true}, clock_, trust_, stop);
    const bool complete = reply.complete;
    auto sample = from(std::move(reply));
    sample.good = complete;
    if (complete) {
      sample.text = fmt::format("{} accepts connections ({} ms)", address, sample.took.count());
    }
    return sample;
  }

  Sample tls(const std::string& address, int days_left, Millis timeout,
             std::stop_token stop) override {
    if (!is_address(address)) return bad("\"" + last_line(address) + "\" is not host:port");
    HttpRequest request;
    request.url = "https://" + address;
    request.timeout = timeout;
    auto reply = net::call({request, true}, clock_, {trust_.authorities}, stop);
    const bool complete = reply.complete;
    auto sample = from(std::move(reply));
    if (!complete) return sample;
    if (!sample.certificate) {
      sample.text = "the server showed no certificate";
      return sample;
    }
    judge_days(sample, days_left);
    return sample;
  }

  Sample command(const std::string& shell_command, const std::map<std::string, std::string>& env,
                 Millis timeout, std::stop_token stop) override {
    if (trim(shell_command).empty()) return bad("there is no command to run");
    Command command;
    command.argv = {"/bin/sh", "-c", shell_command};
    command.env = env;
    command.inherit_env = false;
    command.limit = timeout;
    command.output_limit = command_output_limit;
    const Millis start = clock_.steady();
    auto finished = run(command, stop);
    Sample sample;
    sample.took = clock_.steady() - start;
    if (!finished.ok()) {
      sample.stopped = finished.error().fault == Fault::cancelled;
      sample.text = finished.error().fault == Fault::timeout
                        ? "the command did not end within " + to_text(timeout)
                        : finished.error().message();
      return sample;
    }
    sample.good = finished->ok();
    const auto said = last_line(finished->err.empty() ? finished->out : finished->err);
    sample.text =
        fmt::format("ended with status {}{}{}", finished->status, said.empty() ? "" : ": ", said);
    return sample;
  }

 private:
  void judge_days(Sample& sample, int days_left) const {
    const auto& certificate = *sample.certificate;
    const auto left = std::chrono::floor<std::chrono::days>(certificate.chain_ends - clock_.now());
    sample.good = certificate.chain_valid && certificate.name_matches && left.count() >= days_left;
    sample.text = fmt::format("{} holds for {} more days", certificate.subject, left.count());
    if (certificate.chain_ends < certificate.not_after) sample.text += " (an issuer's ends first)";
    if (!sample.good) sample.text += fmt::format(", expected at least {}", days_left);
  }

  Clock& clock_;
  const net::Trust trust_;
};

}  // namespace

std::unique_ptr<Prober> make_prober(Clock& clock, net::Trust trust) {
  return std::make_unique<NetworkProber>(clock, std::move(trust));
}

}  // namespace belay::probe
