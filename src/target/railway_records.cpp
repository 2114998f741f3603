// SPDX-License-Identifier: Apache-2.0
#include "target/railway_records.hpp"

#include "base/json.hpp"
#include "base/text.hpp"
#include "target/version_files.hpp"

namespace belay::target {

namespace fs = std::filesystem;

namespace {

Json to_json(const RailwayRecord& record) {
  return {
      {"commit", record.commit}, {"deployment", record.deployment}, {"key", record.key},
      {"before", record.before}, {"asked", record.asked},           {"variables", record.variables},
      {"former", record.former}, {"holds", record.holds},           {"held", record.held}};
}

// The later members are missing in older files.
Result<RailwayRecord> record_from(const Json& json, const Path& file) {
  try {
    return RailwayRecord{
        json.at("commit").get<std::string>(), json.at("deployment").get<std::string>(),
        json.at("key").get<std::string>(),    json.at("before").get<std::vector<std::string>>(),
        json.at("asked").get<bool>(),         json.value("variables", std::string()),
        json.value("former", std::string()),  json.value("holds", false),
        json.value("held", std::string())};
  } catch (const Json::exception&) {
    return fail(Fault::corrupt, file.string() + " does not say what it should");
  }
}

}  // namespace

Path RailwayRecords::file_of(const Version& version) const {
  return folder_ / version.service / (version.release + ".json");
}

Path RailwayRecords::stopped_file(const std::string& service) const {
  return folder_ / service / "stopped";
}

Result<std::optional<RailwayRecord>> RailwayRecords::find(const Version& version) const {
  const auto text = read_file(file_of(version));
  if (!text && text.error().fault == Fault::missing) return std::optional<RailwayRecord>();
  if (!text) return text.error();
  TRY_LET(const auto json, parse_json(*text).in(file_of(version).string()));
  TRY_LET(auto record, record_from(json, file_of(version)));
  return std::optional(std::move(record));
}

Result<RailwayRecord> RailwayRecords::of(const Version& version) const {
  TRY(check_version(version));
  TRY_LET(auto record, find(version));
  if (record) return std::move(*record);
  return fail(Fault::missing, version.service + " " + version.release + " was never prepared");
}

Status RailwayRecords::keep(const Version& version, const RailwayRecord& record) const {
  TRY(make_folder(folder_ / version.service));
  return write_file(file_of(version), to_json(record).dump() + "\n");
}

Status RailwayRecords::remove_file(const Path& file) const {
  std::error_code code;
  fs::remove(file, code);
  return code ? errno_error(code.value(), "cannot remove " + file.string()) : Status();
}

Status RailwayRecords::remove(const Version& version) const {
  return remove_file(file_of(version));
}

Result<std::vector<Version>> RailwayRecords::versions(const std::string& service) const {
  TRY(check_version({service, "any"}));
  std::vector<Version> found;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(folder_ / service, code)) {
    const Version version{service, entry.path().stem().string()};
    if (entry.path().extension() == ".json" && check_version(version)) found.push_back(version);
  }
  std::sort(found.begin(), found.end(),
            [](const Version& a, const Version& b) { return a.release < b.release; });
  return found;
}

Result<std::string> RailwayRecords::stopped(const std::string& service) const {
  auto text = read_file(stopped_file(service));
  if (!text && text.error().fault == Fault::missing) return std::string();
  TRY_LET(const auto id, std::move(text));
  return std::string(trim(id));
}

Status RailwayRecords::keep_stopped(const std::string& service,
                                    const std::string& deployment) const {
  TRY(make_folder(folder_ / service));
  return write_file(stopped_file(service), deployment + "\n");
}

Status RailwayRecords::forget_stopped(const std::string& service) const {
  return remove_file(stopped_file(service));
}

}  // namespace belay::target
