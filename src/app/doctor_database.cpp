// SPDX-License-Identifier: Apache-2.0
// What the database is, what it can prove, what we may do there, and whether its clock is ours.
#include <fmt/format.h>
#include <unistd.h>

#include "app/doctor_parts.hpp"
#include "app/trust.hpp"
#include "app/vault_key.hpp"
#include "app/wire.hpp"
#include "base/text.hpp"

namespace belay::app {

namespace {

constexpr Millis patience = std::chrono::seconds(5);
constexpr Millis clocks_differ = std::chrono::seconds(5);
constexpr Millis clocks_wrong = std::chrono::minutes(2);

void examine_clock(const std::string& about, TimePoint ours, TimePoint theirs, Findings& out) {
  const Millis apart = std::chrono::abs(ours - theirs);
  const auto text =
      fmt::format("this machine says {}, the database {}", to_text(ours), to_text(theirs));
  const std::string remedy = "set both clocks by NTP: expiry, freeze and keep-warm follow them";
  if (apart > clocks_wrong)
    out.bad(about, text, remedy);
  else if (apart > clocks_differ)
    out.warn(about, text, remedy);
  else
    out.good(about, "agrees with the database's within " + for_people(clocks_differ));
}

// The newest restore point of the environment, without making a vault.
std::optional<vault::PointSummary> last_point(Desk& desk, const std::string& environment) {
  const auto made = vault_is_made(desk, environment);
  if (!made || !*made) return std::nullopt;
  auto works = wire_present(desk, environment, {true, false});
  if (!works) return std::nullopt;  // the vault's own finding says why
  auto points = (*works)->site.vault->list();
  if (!points || points->empty()) return std::nullopt;
  return points->back();
}

void examine_log(Desk& desk, const std::string& environment, const database::Reach& reach,
                 Findings& out) {
  const std::string about = environment + ": change log";
  if (!reach.oldest) return;  // the proofs name a server without one
  const auto window = for_people(*reach.newest - *reach.oldest);
  const auto point = last_point(desk, environment);
  if (point && point->finished < *reach.oldest)
    out.warn(about,
             fmt::format("it reaches back {}, and no longer to the last restore point ({} of {})",
                         window, point->name, to_text(point->finished)),
             "enlarge the log (replSetResizeOplog), or take restore points more often: belay "
             "backup create");
  else
    out.good(about, fmt::format("reaches back {}", window) +
                        (point ? ", beyond the last restore point" : ""));
}

void examine_proofs(const std::string& about, database::Database& database, Findings& out) {
  auto proofs = database.prove();
  if (!proofs) {
    out.bad(about + ": proofs", proofs.error().message(),
            "Belay's user needs readWrite on `belay` and on the application's database");
    return;
  }
  for (const auto& missing : proofs->missing) {
    const bool rights = missing.find("not authorized") != std::string::npos ||
                        missing.find("denied") != std::string::npos;
    auto& finding =
        out.warn(about + ": proofs", missing,
                 "restore points are still taken; where they are not exact, they say so");
    if (!rights) continue;
    finding.grade = Grade::bad;
    finding.remedy = "give Belay's user readWrite on `belay`, and read on `local`";
  }
  if (proofs->missing.empty())
    out.good(about + ": proofs",
             "exact bytes, order of ids, isolated transactions, a change log: restore points are "
             "exact");
}

void examine_server(Desk& desk, const std::string& environment, database::Database& database,
                    const database::Facts& facts, Findings& out) {
  const std::string about = environment + ": database";
  out.good(about, fmt::format("MongoDB {} at {}, {}", facts.version, facts.me,
                              facts.replica_set.empty() ? "a standalone server"
                                                        : "replica set " + facts.replica_set));
  auto catalogue = database.catalogue();
  if (!catalogue)
    out.bad(about, catalogue.error().message(),
            "give Belay's user readWrite on the application's database");
  else
    out.good(about, fmt::format("{} collections and views can be listed", catalogue->size()));
  examine_proofs(about, database, out);
  auto reach = database.reach();
  if (!reach) {
    out.warn(environment + ": change log", reach.error().message(),
             "give Belay's user read on `local`");
    return;
  }
  examine_clock(environment + ": clock", desk.world().clock.now(), reach->now, out);
  examine_log(desk, environment, *reach, out);
}

}  // namespace

std::vector<std::string> hosts_in(std::string_view uri) {
  const auto begin = uri.find("://");
  if (begin == std::string_view::npos) return {};
  auto rest = uri.substr(begin + 3);
  rest = rest.substr(0, rest.find_first_of("/?"));
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) rest = rest.substr(at + 1);
  std::vector<std::string> hosts;
  for (auto& host : split(rest, ',')) {
    const bool six = host.starts_with("[");
    const auto end = six ? host.find(']') : host.rfind(':');
    hosts.push_back(six ? host.substr(1, end - 1) : host.substr(0, end));
  }
  return hosts;
}

bool is_this_machine(const std::string& host) {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  // "%2F...": a socket in the file system.
  return host == "localhost" || host.starts_with("127.") || host == "::1" ||
         host.starts_with("%2F") || host == name;
}

void examine_database(Desk& desk, const std::string& environment, Secrets& secrets, Findings& out) {
  const auto* wanted = database_of(desk.project.spec, environment);
  const std::string about = environment + ": database";
  if (wanted == nullptr) {
    out.warn(about, "belay.yaml names none: nothing is backed up before a deploy",
             "if the application has one: database: { uri: ${MONGODB_URI} }");
    return;
  }
  auto uri = secrets.expand(wanted->uri);
  if (!uri) {
    out.bad(about, uri.error().message(), "give it where the message says");
    return;
  }
  auto trust = trust_of(desk.project.spec.tls, desk.project.folder, *desk.machine);
  if (!trust) return;  // a finding of its own
  auto database = database::make_mongodb({*uri, wanted->names, patience, *trust});
  if (!database) {
    out.bad(about, database.error().message(), "mend database.uri");
    return;
  }
  auto facts = (*database)->describe();
  if (!facts)
    out.bad(about, secrets.mask(facts.error().message()),
            "start the server, or mend the address and the credentials in database.uri");
  else if (facts->mongos)
    out.bad(about, facts->me + " is a mongos: a sharded cluster has no point at one instant",
            "name a replica set or a standalone server");
  else
    examine_server(desk, environment, **database, *facts, out);
}

}  // namespace belay::app
