// SPDX-License-Identifier: Apache-2.0
#include "target/railway.hpp"

#include <fmt/format.h>

#include <set>

#include "base/text.hpp"
#include "target/hosted.hpp"
#include "target/railway_api.hpp"
#include "target/version_files.hpp"

namespace belay::target {

namespace fs = std::filesystem;

namespace {

constexpr int most_rounds = 3;  // of an order that was surely not taken

// What is known of a release, in a file of its own.
struct Record {
  std::string commit;
  std::string deployment;           // the newest of it; empty: none is known
  std::string key;                  // of the order that is or was under way
  std::vector<std::string> before;  // the deployments that were there when it was given
  bool asked = false;               // the order was given, and what came of it is not known
};

Json to_json(const Record& record) {
  return {{"commit", record.commit},
          {"deployment", record.deployment},
          {"key", record.key},
          {"before", record.before},
          {"asked", record.asked}};
}

Result<Record> record_from(const Json& json, const Path& file) {
  try {
    return Record{json.at("commit").get<std::string>(), json.at("deployment").get<std::string>(),
                  json.at("key").get<std::string>(),
                  json.at("before").get<std::vector<std::string>>(), json.at("asked").get<bool>()};
  } catch (const Json::exception&) {
    return fail(Fault::corrupt, file.string() + " does not say what it should");
  }
}

// It was live once.
bool was_replaced(const RailwayDeployment& deployment) {
  return deployment.status == "REMOVED" || deployment.status == "REMOVING";
}

class Railway final : public Target {
 public:
  Railway(RailwayConfig config, Clock& clock, Random& random)
      : config_(std::move(config)), clock_(clock), api_(config_, clock, random) {}

  Status prepare(const Version& version, const Artifact& artifact, const std::string&,
                 const Output&, std::stop_token) override {
    TRY(check_version(version));
    TRY_LET(const auto known, find(version));
    if (!known) return keep(version, {artifact.commit, "", "", {}, false});
    if (artifact.commit.empty() || known->commit == artifact.commit) return {};
    return fail(Fault::conflict, fmt::format("{} {} is of another commit ({})", version.service,
                                             version.release, known->commit));
  }

  Result<VersionStatus> start(const Version& version, const Environment&,
                              std::stop_token) override {
    return status(version);
  }

  Status activate(const Version& version, const Environment&, const std::string& key,
                  const Output& output, std::stop_token stop) override {
    TRY_LET(auto record, record_of(version));
    return make_live(version, record, key, Order::deploy, output, stop);
  }

  // Railway keeps a release's image for a while, with its variables; after that it is built anew.
  Status go_back(const Version& version, const Environment&, const std::string& key,
                 const Output& output, std::stop_token stop) override {
    TRY_LET(auto record, record_of(version));
    bool kept = false;
    if (!record.deployment.empty()) {
      auto former = api_.deployment(record.deployment, stop);
      if (!former && former.error().fault != Fault::missing) return std::move(former).error();
      kept = former && former->can_roll_back;
    }
    if (!kept && output)
      output("Railway has no image of " + version.release + " any more: it is built anew\n");
    return make_live(version, record, key, kept ? Order::roll_back : Order::deploy, output, stop);
  }

  Result<VersionStatus> status(const Version& version) override {
    TRY(check_version(version));
    TRY_LET(const auto record, find(version));
    TRY_LET(const auto up, newest_up({}));
    VersionStatus status;
    if (!record) return status;
    status.live = up && up->id == record->deployment;
    status.phase = status.live ? Phase::running : Phase::prepared;
    status.text = up ? up->id + " is live" : "nothing is live";
    return status;
  }

  // What is not live Railway has stopped itself.
  Status stop(const Version&, Millis) override { return {}; }

  Status remove(const Version& version) override {
    TRY_LET(const auto now, status(version));
    if (now.live)
      return fail(Fault::refused, version.service + " " + version.release + " is live at Railway");
    std::error_code code;
    fs::remove(file_of(version), code);
    return code ? errno_error(code.value(), "cannot remove " + file_of(version).string())
                : Status();
  }

  Result<std::string> logs(const Version& version, std::size_t bytes) override {
    TRY(check_version(version));
    TRY_LET(const auto record, find(version));
    if (!record || record->deployment.empty()) return std::string();
    TRY_LET(auto text, api_.build_log(record->deployment, {}));
    return text.substr(text.size() > bytes ? text.size() - bytes : 0);
  }

  Result<std::vector<Version>> versions(const std::string& service) override {
    TRY(check_version({service, "any"}));
    std::vector<Version> found;
    std::error_code code;
    for (const auto& entry : fs::directory_iterator(config_.folder / service, code)) {
      const Version version{service, entry.path().stem().string()};
      if (entry.path().extension() == ".json" && check_version(version)) found.push_back(version);
    }
    std::sort(found.begin(), found.end(),
              [](const Version& a, const Version& b) { return a.release < b.release; });
    return found;
  }

  bool behind_proxy() const override { return false; }

 private:
  enum class Order { deploy, roll_back };

  // --- the record -----------------------------------------------------------------------------

  Path file_of(const Version& version) const {
    return config_.folder / version.service / (version.release + ".json");
  }

  Result<std::optional<Record>> find(const Version& version) const {
    const auto text = read_file(file_of(version));
    if (!text && text.error().fault == Fault::missing) return std::optional<Record>();
    if (!text) return text.error();
    TRY_LET(const auto json, parse_json(*text).in(file_of(version).string()));
    TRY_LET(auto record, record_from(json, file_of(version)));
    return std::optional(std::move(record));
  }

  Result<Record> record_of(const Version& version) const {
    TRY(check_version(version));
    TRY_LET(auto record, find(version));
    if (record) return std::move(*record);
    return fail(Fault::missing, version.service + " " + version.release + " was never prepared");
  }

  Status keep(const Version& version, const Record& record) const {
    TRY(make_folder(config_.folder / version.service));
    return write_file(file_of(version), to_json(record).dump() + "\n");
  }

  // --- an order -------------------------------------------------------------------------------

  Result<std::optional<RailwayDeployment>> newest_up(const std::stop_token& stop) {
    TRY_LET(const auto all, api_.deployments(stop));
    const auto up = std::find_if(all.begin(), all.end(), is_up);
    if (up == all.end()) return std::optional<RailwayDeployment>();
    return std::optional(*up);
  }

  Status make_live(const Version& version, Record& record, const std::string& key, Order order,
                   const Output& output, const std::stop_token& stop) {
    if (record.asked) TRY(settle(version, record, stop));
    TRY(end_others(version, output, stop));
    TRY_LET(const auto up, newest_up(stop));
    if (up && up->id == record.deployment) return {};
    // An order that is still under way is followed; one that has failed under this key has failed.
    if (!record.deployment.empty()) {
      auto former = api_.deployment(record.deployment, stop);
      if (!former && former.error().fault != Fault::missing) return std::move(former).error();
      const bool under_way = former && !is_down(*former) && !is_up(*former);
      const bool failed = former && is_down(*former) && !was_replaced(*former);
      if (under_way || (failed && record.key == key)) return follow(*former, output, stop);
      // It may have come up between the two looks.
      if (former && is_up(*former)) {
        TRY_LET(const auto again, newest_up(stop));
        if (again && again->id == former->id) return {};
      }
    }
    TRY(give(version, record, key, order, stop));
    TRY_LET(const auto made, api_.deployment(record.deployment, stop));
    return follow(made, output, stop);
  }

  // What was ordered of another release, and is still under way, would be live after this one.
  Status end_others(const Version& wanted, const Output& output, const std::stop_token& stop) {
    TRY_LET(const auto all, versions(wanted.service));
    std::set<std::string> others;
    for (const auto& version : all) {
      if (version.release == wanted.release) continue;
      TRY_LET(auto record, record_of(version));
      if (record.asked) TRY(settle(version, record, stop));
      others.insert(record.deployment);
    }
    TRY_LET(const auto now, api_.deployments(stop));
    for (const auto& each : now) {
      const bool under_way = !is_up(each) && !is_down(each);
      if (under_way && others.contains(each.id)) TRY(end(each, output, stop));
    }
    return {};
  }

  Status end(const RailwayDeployment& deployment, const Output& output,
             const std::stop_token& stop) {
    if (output) output(deployment.id + " is under way: it is cancelled\n");
    auto cancelled = api_.cancel(deployment.id, stop);
    // Too late: it comes to its end by itself.
    if (!cancelled && cancelled.error().fault != Fault::refused) return cancelled;
    const Status ended = follow(deployment, {}, stop);
    return ended || ended.error().fault == Fault::refused ? Status() : ended;
  }

  // An order was given, by us or by whoever was killed, and nobody knows what came of it.
  Status settle(const Version& version, Record& record, const std::stop_token& stop) {
    TRY_LET(const auto made, look_for(record, stop));
    if (!made.empty()) record.deployment = made;
    record.asked = false;
    return keep(version, record);
  }

  // The deployment of our commit that was not there before the order; empty: there is none.
  Result<std::string> look_for(const Record& record, const std::stop_token& stop) {
    for (int look = 0; look < looks_for_lost; ++look) {
      TRY_LET(const auto all, api_.deployments(stop));
      for (const auto& each : all) {
        const bool there =
            std::find(record.before.begin(), record.before.end(), each.id) != record.before.end();
        if (!there && each.commit == record.commit) return each.id;
      }
      if (!clock_.sleep(between_looks, stop))
        return unknown_effect(Fault::cancelled, "stopped while looking for a deployment");
    }
    return std::string();
  }

  Status give(const Version& version, Record& record, const std::string& key, Order order,
              const std::stop_token& stop) {
    if (record.commit.empty())
      return fail(Fault::invalid, "the commit of " + version.release + " is not known");
    const auto former = record.deployment;
    for (int round = 0; round < most_rounds; ++round) {
      TRY_LET(const auto all, api_.deployments(stop));
      record.before.clear();
      for (const auto& each : all) record.before.push_back(each.id);
      record.key = key;
      record.asked = true;
      TRY(keep(version, record));
      Result<std::string> made = std::string();
      if (order == Order::deploy) {
        made = api_.deploy(record.commit, stop);
      } else if (auto back = api_.roll_back(former, stop); !back) {
        made = back.error();
      }
      if (!made && made.error().effect == Effect::none) {
        record.asked = false;
        TRY(keep(version, record));
        return std::move(made).error();
      }
      // A rollback does not say what it made.
      const bool taken = made.ok();
      if (!made || made->empty()) made = look_for(record, stop);
      TRY_LET(const auto id, std::move(made));
      if (id.empty() && taken) break;
      if (id.empty()) continue;
      record.deployment = id;
      record.asked = false;
      return keep(version, record);
    }
    return unknown_effect(Fault::unreachable,
                          fmt::format("Railway does not show a deployment that makes {} {} live",
                                      version.service, version.release));
  }

  // Until it is over. cancelled: Railway goes on, and who comes next finds it again.
  Status follow(RailwayDeployment deployment, const Output& output, const std::stop_token& stop) {
    const LongWait wait(clock_, config_.limit);
    std::string said;
    while (!is_up(deployment) && !is_down(deployment)) {
      if (output && deployment.status != said)
        output(fmt::format("{}: {}\n", deployment.id, printable(deployment.status)));
      said = deployment.status;
      if (wait.over()) {
        return unknown_effect(Fault::timeout, fmt::format("{} is {} after {}", deployment.id, said,
                                                          to_text(config_.limit)));
      }
      if (!wait.pause(stop))
        return unknown_effect(Fault::cancelled, "stopped while Railway works on " + deployment.id);
      TRY_LET(deployment, api_.deployment(deployment.id, stop));
    }
    const auto log = api_.build_log(deployment.id, stop);
    if (output && log) output(*log);
    if (is_up(deployment)) return {};
    return fail(Fault::refused,
                fmt::format("Railway's deployment {} is {}{}", deployment.id, deployment.status,
                            log ? "; its last lines:\n" + last_lines(*log, 20) : ""));
  }

  RailwayConfig config_;
  Clock& clock_;
  RailwayApi api_;
};

}  // namespace

std::unique_ptr<Target> make_railway(RailwayConfig config, Clock& clock, Random& random) {
  return std::make_unique<Railway>(std::move(config), clock, random);
}

}  // namespace belay::target
