// SPDX-License-Identifier: Apache-2.0
#include "traffic/haproxy_record.hpp"

#include <charconv>

#include "base/text.hpp"

namespace belay::traffic {

namespace {

// HAProxy refuses lines over 2048 bytes, comments too.
constexpr std::size_t piece = 1000;
constexpr std::string_view mark = "# belay ";

Json to_json(const Route& route) {
  return {{"service", route.service},
          {"listen", route.listen},
          {"domains", route.domains},
          {"certificate", route.certificate}};
}

Json to_json(const Lane& lane) {
  Json slots = Json::object();
  for (const auto& [slot, backend] : lane.slots) {
    slots[std::to_string(slot)] = {{"release", backend.release}, {"port", backend.port}};
  }
  return {{"active", lane.active}, {"last", lane.last}, {"slots", slots}};
}

Lane lane_of(const Json& json) {
  Lane lane;
  lane.active = json.at("active").get<int>();
  lane.last = json.at("last").get<int>();
  for (const auto& [slot, backend] : json.at("slots").items()) {
    lane.slots[std::stoi(slot)] = {backend.at("release").get<std::string>(),
                                   backend.at("port").get<std::uint16_t>()};
  }
  return lane;
}

Record record_of(const Json& json) {
  Record record;
  for (const auto& route : json.at("routes")) {
    record.routes.push_back({route.at("service").get<std::string>(),
                             route.at("listen").get<std::string>(),
                             route.at("domains").get<std::vector<std::string>>(),
                             route.at("certificate").get<std::string>()});
  }
  for (const auto& [service, lane] : json.at("lanes").items())
    record.lanes[service] = lane_of(lane);
  return record;
}

}  // namespace

const Route* Record::find(const std::string& service) const {
  for (const auto& route : routes) {
    if (route.service == service) return &route;
  }
  return nullptr;
}

std::string to_comment(const Record& record) {
  Json json{{"format", 1}, {"routes", Json::array()}, {"lanes", Json::object()}};
  for (const auto& route : record.routes) json["routes"].push_back(to_json(route));
  for (const auto& [service, lane] : record.lanes) json["lanes"][service] = to_json(lane);
  const std::string text = canonical(json);
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    out += std::string(mark) + text.substr(at, piece) + "\n";
  }
  return out;
}

Result<Record> from_comment(const std::string& configuration) {
  std::string text;
  for (const auto& line : split(configuration, '\n')) {
    if (line.starts_with(mark)) text += line.substr(mark.size());
  }
  if (text.empty())
    return fail(Fault::missing, "the proxy's configuration holds no record of ours");
  TRY_LET(const Json json, parse_json(text));
  try {
    if (json.at("format") != 1) {
      return fail(Fault::refused, "the proxy's configuration was written by a newer belay");
    }
    return record_of(json);
  } catch (const std::exception& problem) {
    return fail(Fault::corrupt, fmt::format("the record in the proxy's configuration cannot be "
                                            "read: {}",
                                            problem.what()));
  }
}

std::string to_map_file(const Fence& fence) {
  std::string text;
  for (const auto& [service, longest] : fence) text += fmt::format("{} {}\n", service, longest);
  return text;
}

Fence from_map_file(const std::string& text) {
  Fence fence;
  for (const auto& line : split(text, '\n')) {
    const auto words = split(line, ' ');
    if (words.size() != 2) continue;
    std::int64_t longest = 0;
    std::from_chars(words[1].data(), words[1].data() + words[1].size(), longest);
    fence[words[0]] = longest;
  }
  return fence;
}

}  // namespace belay::traffic
