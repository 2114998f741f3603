// SPDX-License-Identifier: Apache-2.0
#include "target/railway_records.hpp"

#include "base/json.hpp"
#include "base/text.hpp"
#include "target/version_files.hpp"

namespace belay::target {

namespace {

Json to_json(const RailwayRecord& record) {
  return {{"commit", record.commit}, {"deployment", record.deployment},
          {"key", record.key},       {"before", record.before},
          {"asked", record.asked},   {"variables", record.variables},
          {"former", record.former}, {"holds", record.holds},
          {"held", record.held},     {"folder", record.folder}};
}

// The later members are missing in older files.
Result<RailwayRecord> record_from(const Json& json, const std::string& name) {
  try {
    return RailwayRecord{
        json.at("commit").get<std::string>(), json.at("deployment").get<std::string>(),
        json.at("key").get<std::string>(),    json.at("before").get<std::vector<std::string>>(),
        json.at("asked").get<bool>(),         json.value("variables", std::string()),
        json.value("former", std::string()),  json.value("holds", false),
        json.value("held", std::string()),    json.value("folder", std::string())};
  } catch (const Json::exception&) {
    return fail(Fault::corrupt, name + " does not say what it should");
  }
}

std::string folder_of(const std::string& service) {
  return "railway/" + service + "/";
}
std::string name_of(const Version& version) {
  return folder_of(version.service) + version.release + ".json";
}
std::string stopped_name(const std::string& service) {
  return folder_of(service) + "stopped";
}

}  // namespace

Result<std::optional<RailwayRecord>> RailwayRecords::find(const Version& version) const {
  const auto name = name_of(version);
  TRY_LET(const auto text, records_->read(name));
  if (!text) return std::optional<RailwayRecord>();
  TRY_LET(const auto json, parse_json(*text).in(records_->where() + "/" + name));
  TRY_LET(auto record, record_from(json, records_->where() + "/" + name));
  return std::optional(std::move(record));
}

Result<RailwayRecord> RailwayRecords::of(const Version& version) const {
  TRY(check_version(version));
  TRY_LET(auto record, find(version));
  if (record) return std::move(*record);
  return fail(Fault::missing, version.service + " " + version.release + " was never prepared");
}

Status RailwayRecords::keep(const Version& version, const RailwayRecord& record) const {
  return records_->write(name_of(version), to_json(record).dump() + "\n");
}

Status RailwayRecords::remove(const Version& version) const {
  return records_->remove(name_of(version));
}

Result<std::vector<Version>> RailwayRecords::versions(const std::string& service) const {
  TRY(check_version({service, "any"}));
  TRY_LET(const auto names, records_->names(folder_of(service)));
  std::vector<Version> found;
  for (const auto& name : names) {
    const Path path = name;
    const Version version{service, path.stem().string()};
    if (path.extension() == ".json" && check_version(version)) found.push_back(version);
  }
  std::sort(found.begin(), found.end(),
            [](const Version& a, const Version& b) { return a.release < b.release; });
  return found;
}

Result<std::string> RailwayRecords::stopped(const std::string& service) const {
  TRY_LET(const auto id, records_->read(stopped_name(service)));
  return id ? std::string(trim(*id)) : std::string();
}

Status RailwayRecords::keep_stopped(const std::string& service,
                                    const std::string& deployment) const {
  return records_->write(stopped_name(service), deployment + "\n");
}

Status RailwayRecords::forget_stopped(const std::string& service) const {
  return records_->remove(stopped_name(service));
}

}  // namespace belay::target
