// SPDX-License-Identifier: Apache-2.0
#include "app/own_journal.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/text.hpp"

namespace belay::app {

namespace {

constexpr std::size_t most_bytes = 256;

Path marker_of(const Path& environment) {
  return environment / "journal";
}

std::string line_of(std::int64_t id, const std::string& hash) {
  return fmt::format("{} {}\n", id, hash);
}

Error another(const Path& environment, const std::string& what) {
  return fail(Fault::refused,
              fmt::format("the journal here is not the one that the environment in {} belongs to: "
                          "{}. Put that journal back; or, if it is gone for good, look at what "
                          "runs there, remove {}, and what ran before is nobody's",
                          environment.string(), what, marker_of(environment).string()));
}

}  // namespace

Status check_own_journal(journal::Journal& journal, const Path& environment) {
  const Path marker = marker_of(environment);
  std::error_code code;
  if (!std::filesystem::exists(marker, code)) return {};
  TRY_LET(const std::string text, read_file(marker, most_bytes));
  std::int64_t id = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), id);
  const std::string named(trim(std::string_view(end, text.data() + text.size())));
  if (fault != std::errc() || id < 1 || named.empty())
    return another(environment, "what is written in " + marker.string() + " names no event");
  auto hash = journal.hash_of(id);
  if (!hash && hash.error().fault != Fault::missing) return std::move(hash).error();
  if (!hash)
    return another(environment,
                   fmt::format("event {} is missing, as in an older copy or a new journal", id));
  if (*hash != named) return another(environment, fmt::format("event {} is another one", id));
  return {};
}

Status name_own_journal(journal::Journal& journal, const Path& environment) {
  TRY(check_own_journal(journal, environment));
  TRY_LET(const auto head, journal.head());
  if (head.first == 0) return {};
  TRY(make_folder(environment));
  return write_file(marker_of(environment), line_of(head.first, head.second));
}

}  // namespace belay::app
