// SPDX-License-Identifier: Apache-2.0
// `belay agent` as a service of this machine: a systemd unit where systemd runs, else a runit
// service in the state folder.
#pragma once

#include <string>

#include "app/project.hpp"
#include "base/clock.hpp"

namespace belay::app {

enum class Boot {
  systemd,  // /run/systemd/system is there
  runit,    // a runsvdir looks after /etc/service
  nobody,   // nothing here starts services after a reboot
};
Boot boot_of_this_machine();

struct AgentPlace {
  Path program;  // belay
  Path file;     // belay.yaml
  std::string project;
  Path state;
  bool root = false;
};

// The unit's text. The services' supervisors and the proxy are started by the agent after a reboot
// and must outlive it: only its own process is ever ended.
std::string unit_text(const AgentPlace& place, const std::string& path_variable);
Path unit_file(const AgentPlace& place, const Getenv& env);

// An agent holds its lock while it is at work.
bool agent_at_work(const Places& places);
// There is a unit or a service for it, whether or not it runs now.
bool agent_installed(const AgentPlace& place, const Getenv& env, Clock& clock);

// Written, enabled and started; what was done, for people. Safe to repeat: the text is brought up
// to date. On failure the agent may be installed and not started.
Result<std::string> install_agent(const AgentPlace& place, Boot boot, const Getenv& env,
                                  Clock& clock);

}  // namespace belay::app
