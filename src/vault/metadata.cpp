// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "base/hash.hpp"
#include "vault/owner.hpp"
#include "vault/vault.hpp"

namespace belay::vault {

namespace {

Json variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr || *value == '\0' ? Json() : Json(value);
}

Json triggered_by(const Point& point) {
  if (!point.by.empty()) return point.by;
  const Json actor = variable("GITHUB_ACTOR");
  if (!actor.is_null()) return actor;
  return point.run.empty() ? point.kind : point.run;
}

}  // namespace

Json metadata(const Point& point) {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(point.finished - point.started);
  return {{"timestamp", to_text(point.finished)},
          {"backup_name", point.name},
          {"backup_size", point.bytes},
          {"backup_hash_sha256", sha256_hex(canonical(to_json(point)))},
          {"backup_duration_seconds", seconds.count()},
          {"environment", point.environment},
          {"triggered_by", triggered_by(point)},
          {"github_run_id", variable("GITHUB_RUN_ID")},
          {"github_sha", variable("GITHUB_SHA")}};
}

Status write_metadata(const Path& folder, const Point& point) {
  TRY(check_point_name(point.name));
  TRY(make_folder(folder));
  return write_file(folder / (point.name + "-metadata.json"), metadata(point).dump(2) + "\n");
}

}  // namespace belay::vault
