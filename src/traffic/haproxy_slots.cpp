// SPDX-License-Identifier: Apache-2.0
#include "traffic/haproxy_slots.hpp"

namespace belay::traffic {

int choose_slot(const Lane& lane, const Backend& to, const Servers& now) {
  for (const auto& [slot, backend] : lane.slots) {
    if (backend == to) return slot;
  }
  int best = -1, fewest = 0;
  for (int n = 1; n <= slot_count; ++n) {
    const int slot = (lane.last + n) % slot_count;
    const auto server = now.find(slot_name(slot));
    if (slot == lane.active || server == now.end()) continue;
    if (best < 0 || server->second.in_flight < fewest) {
      best = slot;
      fewest = server->second.in_flight;
    }
  }
  return best;
}

bool as_wanted(const Lane& lane, const Servers& now) {
  for (const auto& [slot, server] : now) {
    const bool wanted = lane.active >= 0 && slot == slot_name(lane.active);
    if (server.ready != wanted) return false;
    if (wanted && server.port != lane.slots.at(lane.active).port) return false;
  }
  return true;
}

}  // namespace belay::traffic
