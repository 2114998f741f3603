// SPDX-License-Identifier: Apache-2.0
// The one list of all commands, in the order of the help.
#include "cli/cli.hpp"

namespace belay::cli {

Command init_command();
Command doctor_command();
Command plan_command();
Command deploy_command();
Command approve_command();
Command reject_command();
Command rollback_command();
Command rewind_command();
Command resume_command();
Command cancel_command();
Command status_command();
Command history_command();
Command show_command();
Command logs_command();
Command backup_command();
Command restore_command();
Command salvage_command();
Command health_command();
Command audit_command();
Command agent_command();

const std::vector<Command>& commands() {
  static const std::vector<Command> all{
      init_command(),    doctor_command(),   plan_command(),   deploy_command(), approve_command(),
      reject_command(),  rollback_command(), rewind_command(), resume_command(), cancel_command(),
      status_command(),  history_command(),  show_command(),   logs_command(),   backup_command(),
      restore_command(), salvage_command(),  health_command(), audit_command(),  agent_command()};
  return all;
}

}  // namespace belay::cli
