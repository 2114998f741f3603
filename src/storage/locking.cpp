// SPDX-License-Identifier: Apache-2.0
#include "storage/locking.hpp"

#include <fmt/format.h>

#include "storage/name.hpp"

namespace belay::storage {

Result<std::optional<TimePoint>> DatedLocking::until(const std::string& name) {
  TRY(check_name(name));
  TRY_LET(const auto shown, look(name));
  if (!shown) return fail(Fault::missing, "there is no " + where_ + name);
  return holds(shown->until) ? shown->until : std::nullopt;
}

Status DatedLocking::keep(const std::string& name) {
  TRY(check_name(name));
  TRY_LET(const auto shown, look(name));
  if (!shown) return fail(Fault::missing, "there is no " + where_ + name);
  const auto now = remote_.server_time();
  if (shown->for_good && shown->until && *shown->until >= now + lock_.time) return {};
  // Never sooner than it is now: that would be refused.
  const auto until = std::max(lock_.until(now), shown->until.value_or(TimePoint()));
  return extend(name, *shown, until).in("locking it");
}

Status DatedLocking::remove(const std::string& name) {
  TRY(check_name(name));
  TRY_LET(const auto shown, look(name));
  if (!shown) return {};
  if (!holds(shown->until)) return erase(name, *shown);
  // What is not ours to lock has its date from a rule of the place's own.
  if (!covers(name)) return mark_removed(name);
  return fail(Fault::busy,
              fmt::format("{}{} is locked until {}", where_, name, to_text(*shown->until)));
}

Status DatedLocking::see_once(const std::string& name) {
  if (seen_) return {};
  TRY_LET(const auto shown, look(name));
  if (!shown || !shown->for_good || !holds(shown->until)) {
    return fail(Fault::refused, where_ + name +
                                    " is there, but not locked: the store does not know locks, or "
                                    "the key may not read them");
  }
  seen_ = true;
  return {};
}

}  // namespace belay::storage
