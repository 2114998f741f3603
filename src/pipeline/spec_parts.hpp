// SPDX-License-Identifier: Apache-2.0
// The parts of belay.yaml, each read by one function. They complain through the field and fill in
// what they could read; whether the parts fit together is looked at last.
#pragma once

#include "pipeline/spec.hpp"
#include "pipeline/spec_reader.hpp"

namespace belay::pipeline {

void read_people(const Field& field, std::vector<Reviewer>& people);
void read_services(const Field& field, std::vector<Service>& services);
void read_test(const Field& field, Spec& spec);
void read_database(const Field& field, std::optional<Database>& database);
void read_vault(const Field& field, Vault& vault);
// Machines that are thrown away keep neither a vault nor its key.
void look_at_journal(const Spec& spec, Complaints& complaints);
void read_tls(const Field& field, Tls& tls);
void read_github(const Field& field, std::optional<Github>& github);
void read_issue(const Field& field, Notification& notification);
// ${NAME}-free https://HOST, or http:// for a server of one's own.
void read_endpoint(const Field& field, std::string& endpoint);
void read_secrets(const Field& field, Spec::Secrets& secrets);
void read_ports(const Field& field, Spec::Ports& ports);
void read_env(const Field& field, std::map<std::string, Template>& env);
// ${NAME}; a text that is the secret itself is complained of.
void read_named_secret(const Field& field, std::optional<Template>& into);

// A service's readiness: no name, no address of its own.
void read_readiness(const Field& field, std::optional<Check>& check);
void read_checks(const Field& field, std::vector<Check>& checks);

void read_approvals(const Field& field, Approvals& approvals);
void read_environment(const Field& field, EnvironmentSpec& environment);

// Fills in what one part says for another: an environment's database has the project's migration, a
// migration runs in the only service.
void settle(Spec& spec, Complaints& complaints);

// What approvals and issues on GitHub need of the rest of the file.
void look_at_github(const Spec& spec, Complaints& complaints);

// References between the parts: names that nobody has, circles, what is given twice.
void look_for_misfits(const Spec& spec, Complaints& complaints);
// The same of what runs on platforms.
void look_at_platforms(const Spec& spec, const EnvironmentSpec& environment,
                       Complaints& complaints);

// "host:port", ":port", "[::1]:port". Nothing when it is none of them.
struct Listen {
  std::string host;  // empty: every address
  int port = 0;
};
std::optional<Listen> parse_listen(std::string_view text);

}  // namespace belay::pipeline
