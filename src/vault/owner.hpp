// SPDX-License-Identifier: Apache-2.0
// Whose a restore point or a salvage is. A name holds a run's number only, and numbers begin anew
// with every journal, while a vault outlives journals and may be shared: a name proves nothing.
#pragma once

#include "vault/salvage.hpp"

namespace belay::vault {

struct Owner {
  std::string project, environment, run;
  std::string origin;  // hash of the run's first event; empty: nobody, nothing is ever its own
  bool operator==(const Owner&) const = default;
};

Owner owner_of(const Point& point);
Owner owner_of(const SalvageIndex& salvage);
// For people: "run 7 of production of shop, another journal's".
std::string text_of(const Owner& owner);

// refused: the name is not made of letters, digits, '-', '_' and '.'.
Status check_point_name(const std::string& name);

// The names that something of this owner, called `name`, may have had to take, the likelier first.
std::vector<std::string> names_for(const std::string& name, const Owner& owner);

// Where something called `name` is, or would be kept: under that name, or, where somebody else's
// has it, under the name with a piece of the origin.
template <class Kept>
struct Slot {
  std::string name;          // the owner's, or free
  std::optional<Kept> mine;  // what is there, if it is the owner's
  std::string whose;         // who has `name` itself, when it is somebody else; for people
};
// conflict, naming whose it is: both names are somebody else's, or `owner` is nobody.
Result<Slot<Point>> point_slot(Vault& vault, const std::string& name, const Owner& owner);
Result<Slot<SalvageIndex>> salvage_slot(Vault& vault, const std::string& name, const Owner& owner);
// The owner's own. missing: there is none, whoever else has the name.
Result<Point> load_own_point(Vault& vault, const std::string& name, const Owner& owner);
Result<SalvageIndex> load_own_salvage(Vault& vault, const std::string& name, const Owner& owner);

// What a rewind may be applied to.
struct Place {
  std::string project, environment;
  std::vector<std::string> databases;  // the application's
};
// refused, saying what differs: it was taken of something else.
Status fits(const Point& point, const Place& place);
Status fits(const SalvageIndex& salvage, const Place& place);

}  // namespace belay::vault
