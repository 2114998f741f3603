// SPDX-License-Identifier: Apache-2.0
// The parts of an examination. Each adds its findings and depends on no other part.
#pragma once

#include "app/doctor.hpp"
#include "app/machine.hpp"
#include "app/secrets.hpp"
#include "database/database.hpp"
#include "storage/storage.hpp"

namespace belay::app {

class Findings {
 public:
  Finding& good(std::string about, std::string found) {
    return add({std::move(about), Grade::good, std::move(found), {}, {}});
  }
  Finding& warn(std::string about, std::string found, std::string remedy) {
    return add({std::move(about), Grade::warn, std::move(found), std::move(remedy), {}});
  }
  Finding& bad(std::string about, std::string found, std::string remedy) {
    return add({std::move(about), Grade::bad, std::move(found), std::move(remedy), {}});
  }
  std::vector<Finding> take() { return std::move(list_); }

 private:
  Finding& add(Finding finding) {
    list_.push_back(std::move(finding));
    return list_.back();
  }
  std::vector<Finding> list_;
};

void examine_tools(const pipeline::Spec* spec, Findings& out);
// The file of authorities, and what is not checked.
void examine_tls(Desk& desk, Findings& out);
void examine_source(const Project& project, Findings& out);
// Names only; a value is never shown.
void examine_secrets(const Project& project, const std::string& environment, Secrets& secrets,
                     bool agent_installed, Findings& out);

void examine_state(const Project& project, Findings& out);
void examine_journal(Desk& desk, Findings& out);
// Restore points have a place: the store, its key, and what of it was kept so far.
void examine_vault(Desk& desk, const std::string& environment, Secrets& secrets, Findings& out);

// A store over the network does what a vault needs of it, proved with an object that is removed
// again; and locks what it is to lock. None: it does not, or cannot be asked.
std::shared_ptr<storage::Storage> examine_remote_store(Desk& desk, const pipeline::Vault& vault,
                                                       Secrets& secrets, const std::string& about,
                                                       Findings& out);

void examine_database(Desk& desk, const std::string& environment, Secrets& secrets, Findings& out);
// The hosts of a connection string, without user and password.
std::vector<std::string> hosts_in(std::string_view uri);
bool is_this_machine(const std::string& host);

void examine_reviewers(const pipeline::Spec& spec, const pipeline::EnvironmentSpec& env,
                       Findings& out);
// The repository answers; where approvals are given there, its environments hold what is to be
// held.
void examine_github(Desk& desk, const pipeline::EnvironmentSpec& env, Secrets& secrets,
                    Findings& out);
void examine_freeze(const pipeline::EnvironmentSpec& env, TimePoint now, Findings& out);
void examine_services(Desk& desk, const pipeline::EnvironmentSpec& env, Findings& out);
// Environments that share a database or a vault although nobody wrote that they should.
void examine_sharing(const Project& project, Secrets& secrets, Findings& out);

void examine_agent(const Checkup& checkup, const Project& project, Findings& out);

}  // namespace belay::app
