// SPDX-License-Identifier: Apache-2.0
#include "app/run_lease.hpp"

#include <fmt/format.h>

#include "base/json.hpp"

namespace belay::app {

namespace {

constexpr int watch_steps = 6;

}  // namespace

RunLease::RunLease(storage::Storage& store, Clock& clock, std::string run, Holder me,
                   LeaseTimes times)
    : entries_(store, "claims/" + run + "/"),
      clock_(clock),
      run_(std::move(run)),
      me_(std::move(me)),
      times_(times) {}

Result<std::optional<RunLease::Entry>> RunLease::latest() {
  TRY_LET(const auto found, entries_.latest());
  if (!found) return std::optional<Entry>();
  try {
    const Json json = Json::parse(found->text);
    return std::optional(
        Entry{found->number,
              {json.at("by").get<std::string>(), json.at("machine").get<std::string>()},
              TimePoint(Millis(json.at("at").get<std::int64_t>())),
              json.at("released").get<bool>()});
  } catch (const Json::exception&) {
    return fail(Fault::corrupt, entries_.name(found->number) + " does not say who drives the run");
  }
}

Status RunLease::put(std::int64_t number, bool released) {
  return entries_.put(number, canonical(Json{{"by", me_.by},
                                             {"machine", me_.machine},
                                             {"at", clock_.now().time_since_epoch().count()},
                                             {"released", released}}));
}

// A process of this machine is known by its lock on a file, which the caller holds by now.
bool RunLease::over(const Entry& entry) const {
  return entry.released || entry.holder.machine == me_.machine;
}

bool RunLease::fresh(const Entry& entry) const {
  const auto age = clock_.now() - entry.at;
  return age < times_.dead_after && age > -times_.dead_after;
}

Error RunLease::busy(const Entry& entry) const {
  return fail(Fault::busy, fmt::format("run {} is being driven by {}", run_, entry.holder.by));
}

// Its clock may be wrong, or ours: it is dead when nothing comes of it for long enough.
Status RunLease::wait_out(const Entry& entry) {
  if (fresh(entry)) return busy(entry);
  for (int step = 0; step < watch_steps; ++step) {
    clock_.sleep(times_.watch / watch_steps, {});
    TRY_LET(const auto now, latest());
    if (!now || now->released) return {};
    if (now->number != entry.number) return busy(*now);
  }
  return {};
}

Status RunLease::take() {
  TRY_LET(const auto before, latest());
  if (before && !over(*before)) TRY(wait_out(*before));
  // Again: it may have come to its end in good order meanwhile.
  TRY_LET(const auto all, entries_.numbers());
  const auto last = all.empty() ? 0 : all.back();
  Status taken = put(last + 1, false);
  if (!taken && taken.error().fault == Fault::conflict)
    return fail(Fault::busy, fmt::format("run {} was taken by another machine just now", run_));
  TRY(std::move(taken));
  number_ = last + 1;
  entries_.remove_below(number_, all);
  return {};
}

// Who slept through its time may write a number that was used and removed: the list shows it.
Result<bool> RunLease::renew() {
  Status renewed = put(number_ + 1, false);
  if (!renewed && renewed.error().fault == Fault::conflict) return false;
  TRY(std::move(renewed));
  ++number_;
  TRY_LET(const auto all, entries_.numbers());
  if (all.empty() || all.back() != number_) return false;
  entries_.remove_below(number_, all);
  return true;
}

void RunLease::release() {
  if (number_ == 0) return;
  if (!put(number_ + 1, true)) return;
  ++number_;
  const auto all = entries_.numbers();
  if (all) entries_.remove_below(number_, *all);
  number_ = 0;
}

bool RunLease::is_free() {
  const auto entry = latest();
  if (!entry) return false;
  return !*entry || over(**entry) || !fresh(**entry);
}

}  // namespace belay::app
