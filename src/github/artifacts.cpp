// SPDX-License-Identifier: Apache-2.0
// Files that jobs left. Uploading is for GitHub's own action, which alone gets the token for it.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "base/hash.hpp"
#include "github/parts.hpp"

namespace belay::github {

namespace {

constexpr std::string_view digest_kind = "sha256:";

std::string sha256_in(const Json& json) {
  const auto digest = text_in(json, "digest");
  return digest.starts_with(digest_kind) ? digest.substr(digest_kind.size()) : "";
}

std::optional<Artifact> artifact_in(const Json& json) {
  const auto id = number_in(json, "id"), bytes = number_in(json, "size_in_bytes");
  const auto& expired = member_in(json, "expired");
  const auto created = parse_time(text_in(json, "created_at"));
  const bool kept = expired.is_boolean() && !expired.get<bool>();
  if (!id || !bytes || *bytes < 0 || !kept || !created) return std::nullopt;
  Artifact artifact{*id, text_in(json, "name"), static_cast<std::uint64_t>(*bytes), sha256_in(json),
                    *created};
  artifact.workflow_run = number_in(member_in(json, "workflow_run"), "id").value_or(0);
  return artifact;
}

// A file that is gone again unless it is kept.
class NewFile {
 public:
  explicit NewFile(Path path) : path_(std::move(path)) {}
  ~NewFile() {
    if (fd_ && !kept_) ::unlink(path_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  Status create() {
    fd_ = Fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    return fd_ ? Status() : Status(errno_error(errno, "cannot create " + path_.string()));
  }
  Status add(std::string_view bytes) { return write_all(fd_.get(), bytes, path_); }
  void keep() { kept_ = true; }

 private:
  Path path_;
  Fd fd_;
  bool kept_ = false;
};

bool is_part(const net::Response& answer, std::uint64_t at, std::uint64_t count,
             std::uint64_t whole) {
  if (answer.body.size() != count) return false;
  if (answer.status == 200) return at == 0 && count == whole;
  return answer.header("content-range") == fmt::format("bytes {}-{}/{}", at, at + count - 1, whole);
}

class Download {
 public:
  Download(GithubApi& api, const Artifact& artifact, const std::stop_token& stop)
      : api_(api), artifact_(artifact), stop_(stop) {}

  Result<std::string> part(std::uint64_t at, std::uint64_t count) {
    if (place_.empty()) {
      TRY(ask_for_place());
    }
    TRY_LET(auto answer, api_.get_part(place_, at, count, stop_));
    // An address is good for a minute.
    if (answer.status >= 400 && answer.status < 500) {
      TRY(ask_for_place());
      TRY_LET(answer, api_.get_part(place_, at, count, stop_));
    }
    if (answer.status != 200 && answer.status != 206) {
      return fail(answer.status < 500 ? Fault::refused : Fault::unreachable,
                  fmt::format("the place of its bytes answers {} at byte {}", answer.status, at));
    }
    if (!is_part(answer, at, count, artifact_.bytes))
      return fail(Fault::corrupt, fmt::format("other bytes came than were asked for, at {}", at));
    return std::move(answer.body);
  }

 private:
  Status ask_for_place() {
    TRY_LET(place_, api_.place_of(fmt::format("/actions/artifacts/{}/zip", artifact_.id), stop_));
    return {};
  }

  GithubApi& api_;
  const Artifact& artifact_;
  const std::stop_token& stop_;
  std::string place_;
};

}  // namespace

Result<std::vector<Artifact>> list_artifacts(GithubApi& api, const std::string& name,
                                             const std::stop_token& stop) {
  std::vector<Artifact> found;
  TRY(api.list(
      "/actions/artifacts", {{"name", name}},
      [&](const Json& each) {
        auto artifact = artifact_in(each);
        if (artifact && artifact->name == name) found.push_back(std::move(*artifact));
        return true;
      },
      stop, "artifacts"));
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.created > b.created; });
  return found;
}

Status download_artifact(GithubApi& api, const Artifact& artifact, const Path& file,
                         const std::stop_token& stop) {
  if (artifact.sha256.empty()) {
    return fail(Fault::corrupt,
                "GitHub has no SHA-256 of it, so nobody can tell whether it comes as it was left");
  }
  NewFile to(file);
  TRY(to.create());
  Download from(api, artifact, stop);
  Sha256Stream hash;
  for (std::uint64_t at = 0; at < artifact.bytes;) {
    TRY_LET(const auto part, from.part(at, std::min(api.part_bytes(), artifact.bytes - at)));
    TRY(to.add(part));
    hash.add(part);
    at += part.size();
  }
  const auto sha256 = hex(hash.finish());
  if (sha256 != artifact.sha256) {
    return fail(Fault::corrupt, fmt::format("its SHA-256 is {}, and GitHub has {}: nothing of it "
                                            "is used",
                                            sha256, artifact.sha256));
  }
  to.keep();
  return {};
}

}  // namespace belay::github
