// SPDX-License-Identifier: Apache-2.0
#include "bench/figure.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <fstream>

namespace belay::bench {

void must(const Status& status) {
  if (status) return;
  fmt::print("failed: {}\n", status.error().message());
  std::exit(2);
}

double seconds_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void forget_peak() {
  std::ofstream("/proc/self/clear_refs") << "5";
}

double peak_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  must(fail(Fault::missing, "/proc/self/status shows no VmHWM"));
  return 0;
}

bool show(const Figure& figure) {
  const bool passed = figure.measured <= figure.goal;
  fmt::print("{:<58} {:8.2f} {:<4} goal: at most {:.2f}  {}\n", figure.what, figure.measured,
             figure.unit, figure.goal, passed ? "PASS" : "FAIL");
  if (!figure.beside.empty()) fmt::print("    {}\n", figure.beside);
  std::fflush(stdout);
  return passed;
}

}  // namespace belay::bench
