// SPDX-License-Identifier: Apache-2.0
#include "cli/job.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <regex>

#include "base/text.hpp"

namespace belay::cli {

namespace {

constexpr std::size_t summary_limit = std::size_t{1} << 20;
constexpr std::size_t said_limit = std::size_t{64} << 10;
constexpr std::size_t most_annotations = 10;  // more of one step are not shown
// As a Masker has it: shorter ones would hide ordinary text.
constexpr std::size_t shortest_mask = 4;

std::string escaped(std::string_view text, std::string_view characters) {
  std::string out;
  for (const char c : text) {
    if (characters.find(c) == std::string_view::npos)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;  // nobody reads: that stops nothing
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

bool is_file(int fd) {
  struct stat facts {};
  return ::fstat(fd, &facts) != 0 || S_ISREG(facts.st_mode);
}

// A line that is read is not one that begins a new one, nor ends ours.
std::string one_line(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return out;
}

std::string value_of(const app::Getenv& env, const char* name) {
  const auto at = env.find(name);
  return at == env.end() ? std::string() : at->second;
}

}  // namespace

std::string command_data(std::string_view text) {
  return escaped(text, "%\r\n");
}

std::string command_property(std::string_view text) {
  return escaped(text, "%\r\n:,");
}

std::string Harmless::operator()(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == '[' && hashes_ >= 2) {
      out += json_ ? "\\u005b" : " [";
      hashes_ = 0;
      shown_ = true;
      continue;
    }
    hashes_ = c == '#' ? hashes_ + 1 : 0;
    if (c == '\n' || c == '\r') {
      shown_ = false;
      colons_ = 0;
    } else if (!shown_ && c == ':') {
      if (++colons_ == 2) {
        out += ' ';
        shown_ = true;
      }
    } else if (!shown_) {
      // Whatever the runner takes for space has no letter among ASCII's.
      shown_ = c > ' ' && c <= '~';
      colons_ = 0;
    }
    out += c;
  }
  return out;
}

struct Job::Stream {
  Job* job;
  int fd;
  bool keeps;
  Harmless harmless;
};

long Job::take(void* cookie, const char* text, std::size_t size) {
  auto& stream = *static_cast<Stream*>(cookie);
  const std::lock_guard guard(stream.job->mutex_);
  if (stream.keeps && stream.job->said_.size() < said_limit)
    stream.job->said_.append(text, std::min(size, said_limit));
  write_all(stream.fd, stream.harmless({text, size}));
  return static_cast<long>(size);
}

std::FILE* Job::redirect(std::FILE* from, std::unique_ptr<Stream>& stream, int fd, bool json) {
  std::fflush(from);
  stream = std::make_unique<Stream>(Stream{this, fd, fd == STDERR_FILENO, Harmless(json)});
  cookie_io_functions_t functions{};
  functions.write = [](void* cookie, const char* text, std::size_t size) -> ssize_t {
    return take(cookie, text, size);
  };
  std::FILE* file = ::fopencookie(stream.get(), "w", functions);
  if (file == nullptr) return from;
  std::setvbuf(file, nullptr, fd == STDERR_FILENO ? _IONBF : _IOLBF, 4096);
  return file;
}

std::unique_ptr<Job> Job::of(const app::Getenv& env, bool json) {
  if (value_of(env, "GITHUB_ACTIONS") != "true") return nullptr;
  return std::unique_ptr<Job>(new Job(env, json));
}

Job::Job(const app::Getenv& env, bool json)
    : outputs_(value_of(env, "GITHUB_OUTPUT")),
      summary_(value_of(env, "GITHUB_STEP_SUMMARY")),
      workspace_(value_of(env, "GITHUB_WORKSPACE")),
      command_fd_(json ? STDERR_FILENO : STDOUT_FILENO),
      stdout_(stdout),
      stderr_(stderr) {
  stdout = redirect(stdout_, out_, STDOUT_FILENO, json);
  stderr = redirect(stderr_, err_, STDERR_FILENO, false);
}

Job::~Job() {
  std::FILE* const ours[] = {std::exchange(stdout, stdout_), std::exchange(stderr, stderr_)};
  for (std::FILE* file : ours) {
    if (file != stdout_ && file != stderr_) std::fclose(file);
  }
}

// After everything that was printed before, and in one piece.
void Job::command(const std::string& lines) {
  command(lines, command_fd_);
}

void Job::command(const std::string& lines, int fd) {
  std::fflush(stdout);
  std::fflush(stderr);
  const std::lock_guard guard(mutex_);
  write_all(fd, lines);
}

void Job::mask(const Secret& secret) {
  const auto& whole = secret.reveal();
  if (trim(whole).size() < shortest_mask || is_file(STDERR_FILENO)) return;
  {
    const std::lock_guard guard(mutex_);
    if (!masked_.insert(std::hash<std::string>()(whole)).second) return;
  }
  std::string lines = "::add-mask::" + command_data(whole) + "\n";
  for (const auto& line : split(whole, '\n')) {
    const auto part = trim(line);
    if (part.size() >= shortest_mask && part != whole)
      lines += "::add-mask::" + command_data(part) + "\n";
  }
  command(lines, STDERR_FILENO);
}

void Job::group(const std::string& title, std::string_view text) {
  const auto token = "belay-" + random_.hex(32);
  command(fmt::format("::group::{0}\n::stop-commands::{1}\n{2}{3}::{1}::\n::endgroup::\n",
                      command_data(one_line(title)), token, text,
                      text.empty() || text.back() == '\n' ? "" : "\n"));
}

void Job::error(const std::string& text, const std::string& title, const Spot& spot) {
  std::vector<std::string> properties;
  if (!title.empty()) properties.push_back("title=" + command_property(title));
  if (!spot.file.empty()) properties.push_back("file=" + command_property(spot.file));
  if (spot.line > 0) properties.push_back(fmt::format("line={}", spot.line));
  if (spot.column > 0) properties.push_back(fmt::format("col={}", spot.column));
  command(fmt::format("::error{}{}::{}\n", properties.empty() ? "" : " ", join(properties, ","),
                      command_data(trim(text))));
}

void Job::append(const Path& file, std::string_view text) {
  if (file.empty()) return;
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return;
  write_all(fd, text);
  ::close(fd);
}

void Job::output(const std::string& name, const std::string& value) {
  std::string delimiter;
  do {
    delimiter = "ghadelimiter_" + random_.hex(32);
  } while (value.find(delimiter) != std::string::npos);
  append(outputs_, fmt::format("{0}<<{1}\n{2}\n{1}\n", name, delimiter, value));
}

void Job::summary(std::string_view markdown) {
  constexpr std::string_view cut = "\n\n*The rest is in the job's log.*\n";
  std::error_code code;
  const auto there = summary_.empty() ? 0 : std::filesystem::file_size(summary_, code);
  const auto used = code ? 0 : static_cast<std::size_t>(there);
  if (used + markdown.size() <= summary_limit) return append(summary_, markdown);
  if (used + cut.size() >= summary_limit) return;
  auto part = markdown.substr(0, summary_limit - used - cut.size());
  part = part.substr(0, part.rfind('\n'));  // no half line, no half character
  append(summary_, std::string(part) + std::string(cut));
}

void Job::annotate_errors(const Path& folder) {
  static const std::regex placed(R"(^([^\s:]+\.ya?ml):(\d+):(\d+)\s+(.*)$)");
  std::vector<std::pair<std::string, Spot>> found;
  std::string rest;
  for (const auto& line : split(std::exchange(said_, {}), '\n')) {
    std::smatch match;
    if (std::regex_match(line, match, placed)) {
      const Path file = (folder / match[1].str()).lexically_normal();
      const auto known = workspace_.empty() ? file : file.lexically_proximate(workspace_);
      found.emplace_back(match[4].str(), Spot{known.string(), std::stoi(match[2].str()),
                                              std::stoi(match[3].str())});
    } else if (!trim(line).empty()) {
      rest += line + "\n";
    }
  }
  // What stands beside complaints only counts them.
  if (!rest.empty() && found.empty()) found.emplace_back(rest, Spot{});
  if (found.size() > most_annotations) found.resize(most_annotations);
  for (const auto& [text, spot] : found) error(text, "belay", spot);
}

std::string markdown_text(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (std::string_view("\\`*_{}[]()<>#+-!|~&@:").find(c) != std::string_view::npos)
      out += fmt::format("&#{};", static_cast<int>(c));
    else
      out += c;
  }
  return out;
}

std::string markdown_block(std::string_view text) {
  std::size_t longest = 2, now = 0;
  for (const char c : text) {
    now = c == '`' ? now + 1 : 0;
    longest = std::max(longest, now);
  }
  const std::string fence(longest + 1, '`');
  return fmt::format("{0}text\n{1}{2}{0}\n", fence, text,
                     text.empty() || text.back() == '\n' ? "" : "\n");
}

}  // namespace belay::cli
