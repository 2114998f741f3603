// SPDX-License-Identifier: Apache-2.0
// belay.yaml as typed objects. parse_spec reads the whole file and returns every complaint at
// once; a file with a complaint gives no Spec. `${NAME}` stays a reference here: secrets are
// resolved where they are used (app/). Shape: docs/belay.schema.json, one full example:
// examples/belay.yaml.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace belay::pipeline {

using belay::to_text;  // of times and durations: beside the one of complaints

struct Complaint {
  int line = 0, column = 0;  // 1-based, of the key or value
  std::string key;           // "environments.production.approvals.required"
  std::string text;          // what was expected, the nearest known key
  bool unread = false;       // a value stands there and is not in the Spec
};
// "belay.yaml:14:5  services.backend.helth: unknown key; did you mean \"check\"? Known here: ..."
std::string to_text(const std::string& file, const Complaint& complaint);
// All of them, one a line and in line, with how many there are: "2 problems; nothing was changed."
std::string report(const std::string& file, const std::vector<Complaint>& complaints);

// Text that may hold ${NAME} references; "$$" is a dollar sign.
struct Template {
  // ${NAME} is a secret, ${service.X.url} where service X answers customers.
  std::string text;
  std::vector<std::string> names() const;  // what it refers to, in order
  // The text with every reference replaced; missing, with the name, when `value` knows it not.
  Result<std::string> filled(
      const std::function<std::optional<std::string>(const std::string& name)>& value) const;
  bool literal() const { return names().empty(); }
};

struct Check {  // one probe with a rule
  std::string name;
  enum class Kind { http, tcp, tls, database, command } kind = Kind::http;
  std::string service = {};  // http, tcp: a service of the environment, when no url
  std::string url = {};      // http(s)://..., host:port for tcp and tls
  std::string method = "GET";
  std::string path = "/";
  std::map<std::string, std::string> send_headers = {};
  std::string send_body = {};  // both may hold ${NAME}, as a Template's text
  int status = 0;              // 0: any 2xx
  Json json = Json::object();  // member -> expected value ("a.b": "ok"); null: none
  std::string body = {};       // must occur in the body
  std::map<std::string, std::string> headers = {};  // must be there with this value
  std::optional<Millis> under;                      // longest allowed time of one sample
  struct Percentile {
    int rank = 95;
    Millis limit{0};
    int samples = 20;
  };
  std::optional<Percentile> percentile;  // "p95 < 2s" over `samples`
  int certificate_days = 14;             // tls: days left, at least
  std::string run = {};                  // command
  Json query = nullptr;                  // database: null = ping; {collection, filter, at_least}
  int rise = 1, fall = 1;                // successes / failures in a row that decide
  Millis interval{1000}, timeout{5000};
  bool warn_only = false;  // severity: warn
  bool send_json = false;  // send_body is JSON: what is filled in there is escaped
};

struct Service {
  std::string name;
  std::string path = ".";  // what is packaged from the source tree
  std::string build, run;
  enum class Kind { web, worker } kind = Kind::web;
  std::optional<Check> check;  // readiness of a new version
  std::map<std::string, Template> env;
  std::optional<std::string> env_file;
  std::vector<std::string> needs;
  std::string user;  // whom it runs as; empty: as belay runs
};

struct Migration {
  std::string run;
  std::string in;  // the service whose release folder it runs in; the only one, when not written
  std::optional<Template> uri;  // its own database user
  Millis limit = std::chrono::hours(1);
};

struct Database {
  Template uri;
  std::string env = "MONGODB_URI";  // under this name services get it
  std::vector<std::string> names;   // the application's databases; empty: the URI's
  std::optional<Migration> migrate;
};

// How to sign in to a store over the network, and where it is; an endpoint that is empty is the
// provider's own.
struct S3Store {
  std::optional<Template> key, secret, session;
  // Instead of these: whose token signs in ("github", "federated"; else empty), to which role,
  // where.
  std::string identity, role, sts;
  std::string region = "us-east-1", endpoint;
  bool path_style = false;
};
struct AzblobStore {
  std::string account, endpoint;
  std::string identity, tenant, client, authority;  // instead of a key or a signature
  std::optional<Template> key, sas;
};

struct Vault {
  // "file:PATH", "s3:BUCKET/PREFIX", "azblob:CONTAINER/PREFIX"; empty: in the state folder
  std::string store;
  std::optional<S3Store> s3;          // with s3:, and only then
  std::optional<AzblobStore> azblob;  // with azblob:, and only then
  std::optional<Template> key;        // absent: a key file in the state folder
  struct Keep {
    int last = 30, days = 30, safety_days = 90;
  } keep;
  Millis lock{0};  // what is put there can be removed by nobody for so long; 0: no lock
};

// Whose certificates hold, beside what this machine trusts.
struct Tls {
  std::string ca;  // a file of authorities, PEM; a name in belay.yaml is from its folder
  struct Unchecked {
    std::string endpoint, because;  // "https://minio.internal:9000", "mongodb://db.internal"
  };
  std::vector<Unchecked> unchecked;
};

struct Reviewer {
  std::string name;
  std::vector<std::string> keys = {};  // OpenSSH public keys: "ssh-ed25519 AAAA... comment"
  std::string email = {};              // a requester is known by name or by email
  std::string github = {};             // the account there, by its login
  bool operator==(const Reviewer&) const = default;
};

// What an approval is evidenced by: an SSH signature, or a review of the workflow's run on GitHub.
enum class Evidence { signature, github };

struct Approvals {
  int required = 0;
  std::vector<std::string> reviewers;  // names, declared under `people`
  bool self_approval = false;
  Millis wait{0};
  Millis expires = std::chrono::hours(24);
  Evidence by = Evidence::signature;  // github: no reviewers written means all who have a login
};

struct Freeze {  // every week: "Fri 16:00" "Mon 08:00" "Europe/Paris"
  std::string from, to, zone;
  bool operator==(const Freeze&) const = default;
};

// How a service on a platform is kept from writing while data goes back: it is stopped, or is told
// by a variable of its own.
struct PlatformHold {
  bool stop = false;
  std::string variable = {}, on = "1", off = "0";
};

struct Placement {  // a service in an environment
  std::string service;
  enum class Target { host, command, vercel, railway } target = Target::host;
  // host
  std::string listen;                // "127.0.0.1:8080", ":443"
  std::vector<std::string> domains;  // hosted: the first is where customers are
  std::string certificate;           // PEM file for HAProxy
  std::string user;
  // command: the user's own programs
  std::string prepare, activate, status, rollback;
  Millis limit = std::chrono::minutes(15);  // hosted: 45 minutes, when not written
  // hosted: vercel, railway; their texts, and domains, may hold ${NAME} (app/hosted_names.hpp)
  std::string project, endpoint;  // endpoint empty: the platform's own
  std::optional<Template> token = {};
  std::string team;                              // vercel
  std::string their_service, their_environment;  // railway; empty: named as here
  std::optional<Template> account_token = {};    // railway: instead of the project's
  bool upload = false;                           // railway: its files are handed over
  std::optional<Template> bypass = {};           // vercel: past its deployment protection
  std::optional<PlatformHold> hold = {};         // railway; absent: its writers are not held
  std::map<std::string, Template> env;           // over the service's
  std::optional<std::string> env_file = {};      // instead of the service's
};

// On a platform that builds and runs it by itself.
inline bool is_hosted(const Placement& placed) {
  return placed.target == Placement::Target::vercel || placed.target == Placement::Target::railway;
}

// belay.yaml gives it variables, in a file or one by one.
inline bool has_variables(const Service& service, const Placement& placed) {
  return !service.env.empty() || service.env_file || !placed.env.empty() || placed.env_file;
}

enum class Strategy { all_at_once, blue_green };
enum class Busy { queue, supersede, refuse };
enum class DataReturn { automatic, ask, never };

struct RollbackRule {
  bool automatic = true;  // `auto: [checks]` or [] to switch it off
  DataReturn database = DataReturn::ask;
  Millis keep_warm = std::chrono::minutes(30);
  Millis budget = std::chrono::minutes(15);
  std::optional<Approvals> approvals;  // absent: the environment's, without its wait
  std::vector<std::string> branches;   // empty: all
  std::vector<std::string> emergency;  // people who may go without approval
};

struct Notification {
  std::string run;                                            // notify: command
  std::optional<std::vector<std::string>> issue_labels = {};  // notify: github_issue
};

struct Github {
  std::string repository;         // "owner/name"; empty: the job's, else that of the clone's remote
  std::string endpoint;           // empty: the job's, else api.github.com
  std::optional<Template> token;  // always there, when read without complaint
  std::vector<std::string> releases = {};  // of these environments: a release there for each
};

struct EnvironmentSpec {
  std::string name;
  std::string tag;                    // prefix of release tags
  std::vector<std::string> branches;  // empty: all; fnmatch patterns
  Approvals approvals;
  std::vector<Freeze> freeze;
  std::vector<Placement> services;  // in the order of the file
  Strategy strategy = Strategy::blue_green;
  std::vector<Check> checks;
  Millis watch = std::chrono::seconds(60);
  RollbackRule rollback;
  Busy busy = Busy::queue;
  Millis hold = std::chrono::seconds(25);  // longest a request waits at the fence
  bool first = false;                      // the first release needs no further question
  std::vector<Notification> notify;
  std::optional<Database> database;  // over the project's
  std::optional<Vault> vault;
};

struct Spec {
  std::string project;
  std::vector<Service> services;  // in the order of the file
  std::string test;               // command; empty: none
  std::string test_in = ".";      // a folder of the source tree
  Millis test_limit = std::chrono::minutes(30);
  std::optional<Database> database;
  Vault vault;
  Tls tls;
  std::vector<Reviewer> people;
  std::vector<EnvironmentSpec> environments;
  std::optional<Github> github;
  std::string state;              // folder; empty: the default place
  bool journal_in_store = false;  // with the vault, for machines that are thrown away
  struct Secrets {
    std::string file, command;
  } secrets;
  struct Ports {
    int first = 20000, last = 20999;
  } ports;

  const Service* service(std::string_view name) const;
  const EnvironmentSpec* environment(std::string_view name) const;
  const Reviewer* person(std::string_view name) const;
};

// An environment's own database, else the project's; null when there is none. An environment's own
// has the project's `migrate` and `env` where it says nothing of them.
const Database* database_of(const Spec& spec, std::string_view environment);
// What migrates there: run, in and limit of the release, whose spec this is. Null: nothing does.
const Migration* migration_of(const Spec& spec, std::string_view environment);

// Whom a service builds and runs as, the release's spec given; empty: nobody is written.
std::string user_of(const Spec& release, const Placement& placed);
// Whom `test:` runs as: the user of the service whose folder it tests, else of the first one; those
// on this host before the others.
std::string user_of_test(const Spec& release, const EnvironmentSpec& environment);

struct ParsedSpec {
  std::optional<Spec> spec;           // only without complaints
  std::vector<Complaint> complaints;  // in the order of the file
};
ParsedSpec parse_spec(std::string_view text);
// A text that was accepted by the rules of its time: with complaints, too, there is a Spec, of what
// could be read; none when it is no map at all.
ParsedSpec parse_stored(std::string_view text);

}  // namespace belay::pipeline
