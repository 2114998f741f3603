// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.hpp"

int main(int argc, char** argv) {
  return belay::cli::run_command_line(argc, argv);
}
