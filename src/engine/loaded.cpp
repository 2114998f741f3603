// SPDX-License-Identifier: Apache-2.0
#include "engine/loaded.hpp"

#include <fmt/format.h>

namespace belay::engine {

namespace {

constexpr int known_version = 1;  // of the bodies' shapes

}  // namespace

Result<pipeline::Event> read_event(const journal::Event& event) {
  if (event.version > known_version) {
    return fail(Fault::refused,
                fmt::format("event {} ({}) has version {}, and this program knows versions up to "
                            "{}; go on with the newer belay that wrote it",
                            event.seq, event.kind, event.version, known_version));
  }
  TRY_LET(Json body, parse_json(event.body).in("event " + std::to_string(event.id)));
  return pipeline::Event{event.seq, event.at, event.kind, event.key, std::move(body)};
}

journal::NewEvent make_event(std::string kind, const Json& body, std::string key) {
  return {std::move(kind), std::move(key), canonical(body), 1};
}

Result<Loaded> load_run(journal::Journal& journal, const std::string& run) {
  TRY_LET(auto raw, journal.load(run));
  if (raw.empty()) return fail(Fault::missing, "there is no run " + run);
  Loaded loaded;
  for (const auto& event : raw) {
    TRY_LET(auto read, read_event(event));
    loaded.events.push_back(std::move(read));
  }
  TRY_LET(loaded.history, pipeline::fold(loaded.events).in("run " + run));
  TRY_LET(loaded.plan,
          pipeline::plan_from_json(loaded.history.created.value("plan", Json::object()))
              .in("run " + run));
  return loaded;
}

Status append_event(journal::Journal& journal, const std::string& run, journal::NewEvent event,
                    const std::function<Status(const Loaded&)>& still_right) {
  for (;;) {
    TRY_LET(auto loaded, load_run(journal, run));
    TRY(still_right(loaded));
    Status done = journal.append(run, loaded.history.last_seq, {event});
    if (done || done.error().fault != Fault::conflict) return done;
  }
}

}  // namespace belay::engine
