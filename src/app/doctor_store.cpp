// SPDX-License-Identifier: Apache-2.0
// A store over the network: there, ours to use, and one that never writes over what it has.
#include <fmt/format.h>

#include "app/doctor_parts.hpp"
#include "app/store.hpp"
#include "app/trust.hpp"
#include "net/url.hpp"

namespace belay::app {

namespace {

constexpr const char* in_general =
    "see: docs/guide/stores.md (what the bucket or container and the key must allow)";

std::string remedy_for(Fault fault) {
  if (fault == Fault::missing) return "create it, or mend vault.store";
  if (fault == Fault::denied)
    return "give the key the rights to list, read, write and delete there";
  if (fault == Fault::unreachable || fault == Fault::timeout)
    return "look at the endpoint, the region and this machine's network";
  return in_general;
}

// Nothing is left of it, whatever fails. The error says which of a vault's needs is not met.
Status prove(storage::Storage& store, const std::string& name) {
  TRY(store.put(name, "first").in("writing"));
  const auto again = store.put(name, "second");
  if (again) {
    return fail(Fault::refused,
                "it writes over what is there: conditional writes (If-None-Match) are needed");
  }
  if (again.error().fault != Fault::conflict) return Status(again.error()).in("writing twice");
  TRY_LET(const auto content, store.get(name).in("reading"));
  if (content != "first")
    return fail(Fault::corrupt, "it gives back other bytes than were written");
  TRY_LET(const auto listed, store.list(name).in("listing"));
  if (listed.size() != 1) return fail(Fault::corrupt, "it does not list what was written");
  return {};
}

bool goes_open(const StoreRecipe& recipe) {
  return recipe.endpoint.starts_with("http://") && !net::is_near(recipe.endpoint);
}

}  // namespace

bool examine_remote_store(Desk& desk, const pipeline::Vault& vault, Secrets& secrets,
                          const std::string& about, Findings& out) {
  const auto& project = desk.project;
  auto trust = trust_of(project.spec.tls, project.folder, *desk.machine);
  if (!trust) return false;  // a finding of its own
  auto recipe =
      store_recipe(vault, project.places, project.folder, secrets, std::move(trust).value());
  if (!recipe) {
    out.bad(about, recipe.error().message(),
            "give it where `secrets:` says, or in the environment");
    return false;
  }
  auto& random = desk.world().random;
  auto store = make_store(*recipe, desk.world().clock, random);
  if (!store) {
    out.bad(about, store.error().message(), in_general);
    return false;
  }
  if (goes_open(*recipe))
    out.warn(about, recipe->endpoint + " is not encrypted on its way", "write https:// there");
  const auto name = "proof/" + random.hex(8);
  auto proved = prove(**store, name);
  auto removed = (*store)->remove(name);
  if (proved) proved = std::move(removed).in("removing");
  if (!proved) {
    out.bad(about, proved.error().message(), remedy_for(proved.error().fault));
    return false;
  }
  out.good(about, (*store)->where() + " writes, reads, lists, removes, and never writes over");
  return true;
}

}  // namespace belay::app
