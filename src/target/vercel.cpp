// SPDX-License-Identifier: Apache-2.0
#include "target/vercel.hpp"

#include <fmt/format.h>

#include <set>

#include "base/text.hpp"
#include "target/hosted.hpp"
#include "target/vercel_api.hpp"
#include "target/vercel_files.hpp"
#include "target/vercel_variables.hpp"
#include "target/version_files.hpp"

namespace belay::target {

namespace {

// In a deployment's `meta`: what it is, by which it is found again.
constexpr const char* meta_service = "belayService";
constexpr const char* meta_release = "belayRelease";
constexpr const char* meta_commit = "belayCommit";
constexpr const char* meta_key = "belayKey";

constexpr int most_uploads = 4;  // of uploading what Vercel misses

// A release's name has its time ("prod-20261123-101500"): nothing of it is older, whatever the two
// clocks say. Nothing for other names.
std::optional<TimePoint> earliest(const Version& version) {
  constexpr std::size_t stamp = 15;
  const auto& name = version.release;
  if (name.size() <= stamp) return std::nullopt;
  const auto at = parse_tag_stamp(std::string_view(name).substr(name.size() - stamp));
  if (!at) return std::nullopt;
  return *at - std::chrono::days(1);
}

bool is_of(const Deployment& deployment, const char* name, const std::string& value) {
  const auto found = deployment.meta.find(name);
  return found != deployment.meta.end() && found->second == value;
}

class Vercel final : public Target {
 public:
  Vercel(VercelConfig config, Clock& clock, Random& random)
      : config_(std::move(config)), clock_(clock), api_(config_, clock, random) {}

  Status prepare(const Version& version, const Artifact& artifact, const std::string& key,
                 const Output& output, std::stop_token stop) override {
    TRY(check_version(version));
    TRY_LET(auto mine, find(version, stop));
    if (mine && !is_over(*mine)) {
      const bool other = !artifact.commit.empty() && mine->meta.contains(meta_commit) &&
                         !is_of(*mine, meta_commit, artifact.commit);
      if (other) {
        return fail(Fault::conflict,
                    fmt::format("{} {} was made of another commit ({})", version.service,
                                version.release, mine->meta.at(meta_commit)));
      }
    } else if (!mine || !is_of(*mine, meta_key, key)) {
      if (!artifact.variables.empty())
        TRY(set_variables(api_, artifact.variables, clock_, stop).in("the variables"));
      TRY_LET(mine, make(version, artifact, key, stop));
    }
    return follow(std::move(*mine), output, stop);
  }

  Result<VersionStatus> start(const Version& version, const Environment&,
                              std::stop_token) override {
    return status(version);
  }

  Status activate(const Version& version, const Environment&, const std::string&,
                  const Output& output, std::stop_token stop) override {
    TRY_LET(const auto mine, ready(version, stop));
    TRY(let_others_end(mine, stop));
    TRY_LET(const bool live, is_live(mine, stop));
    if (live) return {};
    TRY(api_.promote(mine.id, stop));
    return follow_domain(mine, output, stop);
  }

  // The deployment has the variables it was built with. The project gets the release's again, for
  // what is made there next; that customers are back does not depend on it.
  Status go_back(const Version& version, const Environment& env, const std::string& key,
                 const Output& output, std::stop_token stop) override {
    TRY(point_back(version, env, key, output, stop));
    const auto set = env.empty() ? Status() : set_variables(api_, env, clock_, stop);
    if (!set && output)
      output("the variables for later deployments are not set: " + set.error().message() + "\n");
    return {};
  }
  Result<VersionStatus> status(const Version& version) override {
    TRY(check_version(version));
    TRY_LET(const auto mine, find(version, {}));
    VersionStatus status;
    if (!mine) return status;
    status.text = fmt::format("{} ({})", mine->id, mine->state);
    if (is_over(*mine)) return status;
    if (!is_ready(*mine)) {
      status.phase = Phase::preparing;
      return status;
    }
    TRY_LET(status.live, is_live(*mine, {}));
    status.phase = status.live ? Phase::running : Phase::prepared;
    return status;
  }

  // Vercel keeps what is not live at no cost, and starts it by itself.
  Status stop(const Version&, Millis) override { return {}; }

  Status remove(const Version& version) override {
    TRY(check_version(version));
    std::vector<Deployment> all;
    TRY(api_.deployments(
        [&](const Deployment& each) {
          if (is_mine(each, version)) all.push_back(each);
          return true;
        },
        earliest(version), {}));
    for (const auto& each : all) {
      TRY_LET(const bool live, is_live(each, {}));
      if (live) {
        return fail(Fault::refused, fmt::format("{} {} is live at {}", version.service,
                                                version.release, config_.domain));
      }
      TRY(api_.remove(each.id));
    }
    return {};
  }

  Result<std::string> logs(const Version& version, std::size_t bytes) override {
    TRY(check_version(version));
    TRY_LET(const auto mine, find(version, {}));
    if (!mine) return std::string();
    TRY_LET(auto text, api_.log(mine->id, {}));
    return text.substr(text.size() > bytes ? text.size() - bytes : 0);
  }

  Result<std::vector<Version>> versions(const std::string& service) override {
    std::set<std::string> releases;
    TRY(api_.deployments(
        [&](const Deployment& each) {
          if (is_of(each, meta_service, service) && is_ready(each) &&
              each.meta.contains(meta_release))
            releases.insert(each.meta.at(meta_release));
          return true;
        },
        {}, {}));
    std::vector<Version> found;
    for (const auto& release : releases) found.push_back({service, release});
    return found;
  }

  bool behind_proxy() const override { return false; }

  Result<std::optional<VariableNames>> variables(const Environment& wanted,
                                                 std::stop_token stop) override {
    TRY_LET(auto names, compare_variables(api_, wanted, stop));
    return std::optional(std::move(names));
  }

  Result<std::optional<Preview>> preview(const Version& version, std::stop_token stop) override {
    TRY_LET(const auto mine, ready(version, stop));
    if (mine.host.empty())
      return fail(Fault::corrupt, "Vercel does not say where " + mine.id + " can be asked");
    const bool plain = config_.endpoint.starts_with("http://");
    Preview found{(plain ? "http://" : "https://") + mine.host, {}};
    TRY(let_past_protection(found, stop));
    return std::optional(std::move(found));
  }

 private:
  static bool is_mine(const Deployment& deployment, const Version& version) {
    return is_of(deployment, meta_service, version.service) &&
           is_of(deployment, meta_release, version.release);
  }

  // The newest that is not over, else the newest.
  Result<std::optional<Deployment>> find(const Version& version, const std::stop_token& stop) {
    std::optional<Deployment> found;
    TRY(api_.deployments(
        [&](const Deployment& each) {
          if (!is_mine(each, version)) return true;
          if (!found || !is_over(each)) found = each;
          return is_over(each);
        },
        earliest(version), stop));
    return found;
  }

  Result<Deployment> ready(const Version& version, const std::stop_token& stop) {
    TRY(check_version(version));
    TRY_LET(auto mine, find(version, stop));
    if (mine && is_ready(*mine)) return std::move(*mine);
    return fail(Fault::missing,
                fmt::format("Vercel has no finished deployment of {} {}{}", version.service,
                            version.release, mine ? ": " + mine->id + " is " + mine->state : ""));
  }

  Result<bool> is_live(const Deployment& deployment, const std::stop_token& stop) {
    TRY_LET(const auto now, api_.deployment(config_.domain, stop));
    return now && now->id == deployment.id;
  }

  Status point_back(const Version& version, const Environment& env, const std::string& key,
                    const Output& output, const std::stop_token& stop) {
    TRY_LET(const auto mine, ready(version, stop));
    TRY(let_others_end(mine, stop));
    TRY_LET(const bool live, is_live(mine, stop));
    if (live) return {};
    auto back = api_.roll_back(mine.id, stop);
    // Not each plan, nor each deployment, can be gone back to so; any can be promoted.
    if (!back && back.error().fault == Fault::refused) {
      if (output) output(back.error().message() + "; it is promoted instead\n");
      return activate(version, env, key, output, stop);
    }
    TRY(std::move(back));
    return follow_domain(mine, output, stop);
  }

  // Vercel must not answer in the application's place: a page of its own is no answer to a check.
  Status let_past_protection(Preview& preview, const std::stop_token& stop) {
    TRY_LET(const auto protection, api_.protection(stop));
    if (!protection.on) return {};
    const auto stands = "Vercel's deployment protection stands before " + preview.url;
    const std::string remedy =
        ": make a secret there under Protection Bypass for Automation and give it by "
        "`bypass: ${NAME}`, or leave the check out with --skip-checks";
    if (config_.bypass.empty()) return fail(Fault::refused, stands + remedy);
    preview.headers["x-vercel-protection-bypass"] = config_.bypass.reveal();
    if (protection.keys && protection.keys->contains(config_.bypass.reveal())) return {};
    bool taken = false;
    if (!protection.keys) {
      TRY_LET(const auto answer, api_.look_at(preview, stop));
      taken = answer.status != 401;
    }
    return taken ? Status()
                 : Status(fail(Fault::refused, stands + ", and does not take `bypass`" + remedy));
  }

  // --- making one -----------------------------------------------------------------------------

  Json order(const Version& version, const Artifact& artifact, const std::string& key,
             const std::vector<SourceFile>& files) const {
    Json list = Json::array();
    for (const auto& file : files) {
      list.push_back(
          {{"file", file.name}, {"sha", file.sha1}, {"size", file.bytes}, {"mode", file.mode}});
    }
    Json meta{{meta_service, version.service}, {meta_release, version.release}, {meta_key, key}};
    if (!artifact.commit.empty()) meta[meta_commit] = artifact.commit;
    return {{"name", config_.project},  {"project", config_.project},
            {"target", "production"},   {"autoAssignCustomDomains", false},
            {"files", std::move(list)}, {"meta", std::move(meta)}};
  }

  Result<std::optional<Deployment>> make(const Version& version, const Artifact& artifact,
                                         const std::string& key, const std::stop_token& stop) {
    TRY_LET(const auto files,
            files_in((artifact.source / artifact.folder).lexically_normal()).in("the files"));
    const auto body = order(version, artifact, key, files);
    for (int round = 0; round < most_uploads; ++round) {
      auto created = api_.create(body, stop);
      if (!created && created.error().effect == Effect::unknown) {
        TRY_LET(auto lost, look_for_lost(version, key, stop));
        if (lost) return lost;
        continue;
      }
      if (!created) return std::move(created).error();
      if (created->deployment) return std::move(created->deployment);
      TRY(upload(files, created->missing, stop));
    }
    return unknown_effect(Fault::unreachable,
                          fmt::format("Vercel did not say that it makes {} {}, and does not show "
                                      "it either",
                                      version.service, version.release));
  }

  // What was made although nobody said so may be shown a little later.
  Result<std::optional<Deployment>> look_for_lost(const Version& version, const std::string& key,
                                                  const std::stop_token& stop) {
    for (int look = 0; look < looks_for_lost; ++look) {
      TRY_LET(auto mine, find(version, stop));
      if (mine && is_of(*mine, meta_key, key)) return mine;
      if (!clock_.sleep(between_looks, stop))
        return unknown_effect(Fault::cancelled, "stopped while looking for a deployment");
    }
    return std::optional<Deployment>();
  }

  Status upload(const std::vector<SourceFile>& files, const std::vector<std::string>& missing,
                const std::stop_token& stop) {
    if (missing.empty()) return fail(Fault::corrupt, "Vercel misses files, and does not say which");
    for (const auto& sha1 : missing) {
      const auto file = std::find_if(files.begin(), files.end(),
                                     [&](const auto& each) { return each.sha1 == sha1; });
      if (file == files.end()) return fail(Fault::corrupt, "Vercel misses a file that is not ours");
      TRY_LET(auto content, read_file(file->path, largest_source_file));
      TRY(api_.upload(std::move(content), sha1, stop).in(file->name));
    }
    return {};
  }

  // --- waiting --------------------------------------------------------------------------------

  // Until its build is over. cancelled: the build goes on, and the same key finds it again.
  Status follow(Deployment deployment, const Output& output, const std::stop_token& stop) {
    const LongWait wait(clock_, config_.limit);
    std::string said;
    while (!is_ready(deployment) && !is_over(deployment)) {
      if (output && deployment.state != said)
        output(fmt::format("{}: {}\n", deployment.id, printable(deployment.state)));
      said = deployment.state;
      if (wait.over()) {
        return unknown_effect(Fault::timeout, fmt::format("{} is {} after {}", deployment.id, said,
                                                          to_text(config_.limit)));
      }
      if (!wait.pause(stop))
        return fail(Fault::cancelled, "stopped while Vercel builds " + deployment.id);
      TRY_LET(auto now, api_.deployment(deployment.id, stop));
      if (!now)
        return fail(Fault::missing, "Vercel has no deployment " + deployment.id + " any more");
      deployment = std::move(*now);
    }
    const auto log = api_.log(deployment.id, stop);
    if (output && log) output(*log);
    if (is_ready(deployment)) return {};
    return fail(Fault::refused,
                fmt::format("Vercel's deployment {} is {}{}{}{}", deployment.id, deployment.state,
                            deployment.reason.empty() ? "" : ": ", printable(deployment.reason),
                            log ? "; its last lines:\n" + last_lines(*log, 20) : ""));
  }

  // An order that is still under way would move the domain after ours.
  Status let_others_end(const Deployment& wanted, const std::stop_token& stop) {
    const LongWait wait(clock_, config_.limit);
    while (true) {
      TRY_LET(const auto last, api_.last_alias_request(stop));
      const bool under_way = last && (last->state == "pending" || last->state == "in-progress");
      if (!under_way || last->to == wanted.id) return {};
      if (wait.over()) {
        return unknown_effect(Fault::timeout, fmt::format("Vercel is still pointing {} at {}",
                                                          config_.domain, last->to));
      }
      if (!wait.pause(stop))
        return unknown_effect(Fault::cancelled, "stopped while Vercel points the domains");
    }
  }

  // Until customers' domain points at it: nothing else says that it is live.
  Status follow_domain(const Deployment& wanted, const Output& output,
                       const std::stop_token& stop) {
    const LongWait wait(clock_, config_.limit);
    while (true) {
      TRY_LET(const bool live, is_live(wanted, stop));
      if (live) return {};
      TRY_LET(const auto last, api_.last_alias_request(stop));
      if (last && last->to == wanted.id && (last->state == "failed" || last->state == "skipped")) {
        return unknown_effect(Fault::refused, fmt::format("Vercel says of pointing {} at {}: {}",
                                                          config_.domain, wanted.id, last->state));
      }
      if (wait.over()) {
        return unknown_effect(Fault::timeout,
                              fmt::format("{} does not point at {} after {}", config_.domain,
                                          wanted.id, to_text(config_.limit)));
      }
      if (output) output(fmt::format("{} is being pointed at {}\n", config_.domain, wanted.id));
      if (!wait.pause(stop))
        return unknown_effect(Fault::cancelled, "stopped while Vercel points the domains");
    }
  }

  VercelConfig config_;
  Clock& clock_;
  VercelApi api_;
};

}  // namespace

std::unique_ptr<Target> make_vercel(VercelConfig config, Clock& clock, Random& random) {
  return std::make_unique<Vercel>(std::move(config), clock, random);
}

}  // namespace belay::target
