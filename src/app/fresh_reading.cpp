// SPDX-License-Identifier: Apache-2.0
#include "app/fresh_reading.hpp"

#include <cstdio>
#include <iostream>
#include <iterator>

#include "base/process.hpp"
#include "base/text.hpp"

namespace belay::app {

namespace {

constexpr Millis longest_reading = std::chrono::hours(24);

Result<vault::VerifyReport> read_point(const Json& request) {
  SystemClock clock;
  SystemRandom random;
  TRY_LET(const auto recipe, store_recipe_from(request.at("store")));
  TRY_LET(const auto store, make_store(recipe, clock, random));
  TRY_LET(const auto vault,
          vault::open_vault(*store, Secret(request.at("key").get<std::string>()), clock, random));
  return vault->verify(request.at("point").get<std::string>(), {}, {});
}

Json to_json(const vault::VerifyReport& report) {
  return {{"blocks", report.blocks},
          {"documents", report.documents},
          {"bytes", report.bytes},
          {"problems", report.problems}};
}

Result<vault::VerifyReport> report_from(const std::string& text) {
  try {
    TRY_LET(const auto json, parse_json(text));
    vault::VerifyReport report;
    report.blocks = json.at("blocks").get<std::uint64_t>();
    report.documents = json.at("documents").get<std::uint64_t>();
    report.bytes = json.at("bytes").get<std::uint64_t>();
    report.problems = json.at("problems").get<std::vector<std::string>>();
    return report;
  } catch (const Json::exception&) {
    return fail(Fault::internal, "the process that reads the restore point gave no report");
  }
}

}  // namespace

Result<vault::VerifyReport> read_in_child(const StoreRecipe& store, const Secret& key,
                                          const std::string& point, std::stop_token stop) {
  Command command;
  command.argv = {"/proc/self/exe", reading_word};
  command.inherit_env = false;
  command.input = canonical({{"store", to_json(store)}, {"key", key.reveal()}, {"point", point}});
  command.limit = longest_reading;
  TRY_LET(const auto finished, run_ok(command, stop).in("reading it in a process of its own"));
  return report_from(finished.out);
}

int answer_reading() {
  const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
  auto request = parse_json(text);
  if (!request || !request->is_object()) {
    std::fputs("belay read-point is Belay's own; for people: belay backup verify\n", stderr);
    return 2;
  }
  Result<vault::VerifyReport> report = vault::VerifyReport{};
  try {
    report = read_point(*request);
  } catch (const Json::exception& error) {
    report = fail(Fault::invalid, error.what());
  }
  if (!report && report.error().fault == Fault::corrupt)
    report = vault::VerifyReport{0, 0, 0, {report.error().message()}};
  if (!report) {
    std::fputs((report.error().message() + "\n").c_str(), stderr);
    return 1;
  }
  std::fputs((canonical(to_json(*report)) + "\n").c_str(), stdout);
  return 0;
}

}  // namespace belay::app
