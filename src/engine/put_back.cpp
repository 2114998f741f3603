// SPDX-License-Identifier: Apache-2.0
#include "engine/put_back.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace belay::engine {

namespace {

constexpr std::size_t conflicts_kept = 50;  // each has an id of any length
constexpr std::size_t longest_conflict = 400;

std::string cut(const std::string& text) {
  return text.size() <= longest_conflict ? text : text.substr(0, longest_conflict) + "...";
}

std::string count_of(const Json& report, const char* member) {
  return with_commas(report.value(member, std::uint64_t{0}));
}

}  // namespace

Result<vault::ApplyChoice> apply_choice(const Json& args) {
  vault::ApplyChoice choice;
  choice.added = args.value("added", false);
  choice.collection = args.value("collection", std::string());
  const auto id = args.value("id", std::string());
  if (id.empty()) return choice;
  auto document = database::from_json(fmt::format("{{\"_id\": {}}}", id));
  if (!document) {
    return fail(Fault::invalid,
                "--id takes a value in Extended JSON: --id 5, --id '\"x\"', --id "
                "'{\"$oid\": \"0123456789abcdef01234567\"}'");
  }
  choice.id = std::move(*document);
  return choice;
}

Json to_json(const vault::ApplyReport& report) {
  Json conflicts = Json::array();
  for (const auto& one : report.conflicts) {
    if (conflicts.size() < conflicts_kept) conflicts.push_back(cut(printable(one)));
  }
  return {{"inserted", report.inserted}, {"replaced", report.replaced},
          {"removed", report.removed},   {"there", report.there},
          {"conflicts", conflicts},      {"left_alone", report.conflicts.size()}};
}

std::string put_back_text(const Json& report) {
  auto text =
      fmt::format("{} documents put back, {} replaced, {} removed", count_of(report, "inserted"),
                  count_of(report, "replaced"), count_of(report, "removed"));
  if (report.value("there", 0U) > 0)
    text += "; " + count_of(report, "there") + " were there already";
  if (report.value("left_alone", 0U) > 0)
    text += "; " + count_of(report, "left_alone") + " left alone";
  return text;
}

}  // namespace belay::engine
