// SPDX-License-Identifier: Apache-2.0
// A run read from its journal.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "journal/journal.hpp"
#include "pipeline/history.hpp"
#include "pipeline/plan.hpp"

namespace belay::engine {

// A run as the journal has it.
struct Loaded {
  pipeline::Plan plan;
  pipeline::History history;
  std::vector<pipeline::Event> events;
};
Result<Loaded> load_run(journal::Journal& journal, const std::string& run);

// Appends to a run that others may be appending to as well: repeats after a conflict as long as
// `still_right` (which sees the history) agrees.
Status append_event(journal::Journal& journal, const std::string& run, journal::NewEvent event,
                    const std::function<Status(const Loaded&)>& still_right);

// corrupt, naming the event, when its body is no JSON.
Result<pipeline::Event> read_event(const journal::Event& event);
journal::NewEvent make_event(std::string kind, const Json& body, std::string key = {});

}  // namespace belay::engine
