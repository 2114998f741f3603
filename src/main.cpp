// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <exception>

#include "cli/cli.hpp"

int main(int argc, char** argv) {
  try {
    return belay::cli::run_command_line(argc, argv);
  } catch (const std::exception& e) {
    // What was begun is in the journal.
    std::fprintf(stderr, "belay: %s; a run that was begun can be resumed: belay status\n",
                 e.what());
    return belay::cli::exit_failed;
  }
}
