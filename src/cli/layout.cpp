// SPDX-License-Identifier: Apache-2.0
#include "cli/layout.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace belay::cli {

namespace {

constexpr std::size_t bar_width = 20;
constexpr std::size_t least_room = 20;  // a narrower terminal breaks lines by itself

// What one line becomes. Its breaks take the place of the space there.
std::vector<std::string> broken(std::string line, std::size_t width) {
  std::vector<std::string> out;
  while (columns(line) > width) {
    std::size_t at = std::string::npos;
    for (std::size_t i = line.find_first_not_of(' '); i < line.size(); ++i) {
      if (line[i] != ' ') continue;
      if (at != std::string::npos && columns(std::string_view(line).substr(0, i)) > width) break;
      at = i;
    }
    if (at == std::string::npos) break;
    out.push_back(line.substr(0, at));
    line.erase(0, line.find_first_not_of(' ', at) == std::string::npos
                      ? line.size()
                      : line.find_first_not_of(' ', at));
  }
  if (!line.empty() || out.empty()) out.push_back(std::move(line));
  return out;
}

}  // namespace

std::size_t columns(std::string_view text) {
  std::size_t count = 0;
  bool colour = false;
  for (const char c : text) {
    if (c == '\x1b') colour = true;
    if (!colour) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
    if (c == 'm') colour = false;
  }
  return count;
}

std::vector<std::string> wrapped(const std::string& text, std::size_t width) {
  std::vector<std::string> out;
  for (const auto& line : split(text, '\n')) {
    for (auto& one : broken(line, std::max(width, least_room))) out.push_back(std::move(one));
  }
  return out;
}

std::string wrapped_text(const std::string& text, std::size_t width) {
  std::vector<std::string> out;
  for (const auto& line : split(text, '\n')) {
    const auto spaces = std::min(line.find_first_not_of(' '), line.size());
    auto parts = broken(line, width);
    out.push_back(parts.front());
    if (parts.size() == 1) continue;
    const std::string deeper(spaces + 2, ' ');
    const auto rest = trim(std::string_view(line).substr(parts.front().size()));
    for (const auto& one : wrapped(std::string(rest), width - deeper.size()))
      out.push_back(deeper + one);
  }
  return join(out, "\n");
}

std::string row(const std::string& mark, const std::string& label, const std::string& what,
                const std::string& time, std::size_t width, bool wraps) {
  std::string out = fmt::format(" {}  {:<18} ", mark, label);
  const auto deep = columns(out);
  const auto taken = deep + (time.empty() ? 0 : columns(time) + 2);
  const auto lines = wraps ? wrapped(what, width > taken ? width - taken : 0) : split(what, '\n');
  out += lines.empty() ? "" : lines.front();
  if (!time.empty()) {
    const auto wide = columns(out) + columns(time);
    out.append(wide + 2 <= width ? width - wide : 2, ' ');
    out += time;
  }
  for (std::size_t i = 1; i < lines.size(); ++i) {
    out += "\n" + std::string(wraps ? deep : 8, ' ') + lines[i];
  }
  return out;
}

std::string progress_text(const engine::Progress& p, double rate) {
  const auto of = p.total > 0 ? " of " + with_commas(p.total) : std::string();
  std::string text = fmt::format("{} {}{} {}", p.what, with_commas(p.done), of, p.unit);
  if (p.total > 0) {
    const auto filled = static_cast<std::size_t>(
        bar_width * std::min(1.0, static_cast<double>(p.done) / static_cast<double>(p.total)));
    std::string bar;
    for (std::size_t i = 0; i < bar_width; ++i) bar += i < filled ? "━" : "╌";
    text += " " + bar;
  }
  if (rate >= 1) text += fmt::format("  {}/s", with_commas(static_cast<std::uint64_t>(rate)));
  if (rate >= 1 && p.total > p.done) {
    text += fmt::format("  {} left", for_people(Millis(static_cast<std::int64_t>(
                                         static_cast<double>(p.total - p.done) / rate * 1000))));
  }
  return text;
}

}  // namespace belay::cli
