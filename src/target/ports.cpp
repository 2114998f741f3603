// SPDX-License-Identifier: Apache-2.0
#include "target/ports.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <charconv>

#include "base/hash.hpp"
#include "base/listeners.hpp"

namespace belay::target {

namespace {

std::uint16_t read_port(const Path& file) {
  const auto text = read_file(file, 64);
  unsigned port = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), port);
  return static_cast<std::uint16_t>(port);
}

}  // namespace

std::uint16_t Ports::of(const Path& service) {
  return read_port(service / "port");
}

std::set<std::uint16_t> Ports::assigned() const {
  std::set<std::uint16_t> ports;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "services", code)) {
    ports.insert(of(entry.path()));
  }
  return ports;
}

// The next one after the last: a port just given back may still be known to somebody. The very
// first is chosen by the folder's name, so that projects of one machine seldom meet.
int Ports::begin() const {
  const int span = last_ - first_ + 1;
  const int last = read_port(folder_ / "last_port");
  if (last >= first_ && last <= last_) return (last + 1 - first_) % span;
  const Sha256 digest = sha256(folder_.string());
  return ((digest[0] << 16) | (digest[1] << 8) | digest[2]) % span;
}

Result<std::uint16_t> Ports::assign(const Path& service) const {
  TRY(make_folder(service));
  const Path lock_path = folder_ / "ports.lock";
  Fd lock(::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock || ::flock(lock.get(), LOCK_EX) != 0) {
    return errno_error(errno, "cannot lock " + lock_path.string());
  }
  const std::set<std::uint16_t> taken = assigned();
  const int span = last_ - first_ + 1, from = begin();
  for (int n = 0; n < span; ++n) {
    const auto port = static_cast<std::uint16_t>(first_ + (from + n) % span);
    if (taken.contains(port) || !can_listen("127.0.0.1", port) || !can_listen("", port)) continue;
    TRY(write_file(folder_ / "last_port", std::to_string(port)));
    TRY(write_file(service / "port", std::to_string(port)));
    return port;
  }
  return fail(Fault::refused,
              fmt::format("every port from {} to {} is in use; widen `ports:`", first_, last_));
}

}  // namespace belay::target
