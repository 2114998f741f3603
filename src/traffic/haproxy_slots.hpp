// SPDX-License-Identifier: Apache-2.0
// The slots of a service's lane, beside what the proxy says of its servers.
#pragma once

#include "traffic/haproxy_admin.hpp"
#include "traffic/haproxy_record.hpp"

namespace belay::traffic {

using Servers = std::map<std::string, Server>;  // by slot's name

// The one for a new version: one that points there already; else a free one, the longest unused
// first; else the one with the fewest requests, which keep their connections when the slot is
// pointed elsewhere. -1: none.
int choose_slot(const Lane& lane, const Backend& to, const Servers& now);

// Whether the active slot gets the new requests, at its port, and no other one does.
bool as_wanted(const Lane& lane, const Servers& now);

}  // namespace belay::traffic
