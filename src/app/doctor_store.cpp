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

// At another time, when what was looked with is gone.
Result<std::string> bring_back(const StoreRecipe& recipe) {
  SystemClock clock;
  SystemRandom random;
  TRY_LET(const auto store, make_store(recipe, clock, random));
  TRY_LET(const auto names, store->locking()->hidden());
  for (const auto& name : names) TRY(store->locking()->uncover(name));
  return fmt::format("{} objects are there again; look further with: belay backup verify",
                     names.size());
}

// What is locked can be hidden by whoever has the keys, and no more.
void examine_hidden(const std::vector<std::string>& names, const StoreRecipe& recipe,
                    const std::string& about, Findings& out) {
  auto& found =
      out.bad(about,
              fmt::format("{} locked objects were removed or written over, and not by Belay: {}{}",
                          names.size(), names.front(), names.size() > 1 ? ", ..." : ""),
              "find out who has the store's keys and change them; then: belay doctor --fix");
  found.mend = {"Bring back what was removed from the store or written over?",
                [recipe] { return bring_back(recipe); }};
}

void examine_lock(storage::Locking& locking, const StoreRecipe& recipe, const std::string& about,
                  Findings& out) {
  if (const auto can = locking.check(); !can) {
    out.bad(about, can.error().message(),
            can.error().fault == Fault::refused
                ? "switch it on there, or take vault.lock out; see: docs/guide/stores.md"
                : "give the key the right to ask for it; see: docs/guide/stores.md");
    return;
  }
  const auto hidden = locking.hidden();
  if (!hidden) return void(out.bad(about, hidden.error().message(), in_general));
  if (!hidden->empty()) examine_hidden(*hidden, recipe, about, out);
  const auto until = locking.until("config");
  if (!until && until.error().fault != Fault::missing)
    return void(out.bad(about, until.error().message(), in_general));
  const auto time = "what is put is locked for " + to_text(recipe.lock);
  if (until && !until->has_value())
    out.warn(about, time + ", but the vault's keys are not locked now",
             "take a restore point: belay backup create");
  else
    out.good(about, time + (until ? "; the vault's keys until " + to_text(**until) : ""));
}

bool goes_open(const StoreRecipe& recipe) {
  return recipe.endpoint.starts_with("http://") && !net::is_near(recipe.endpoint);
}

}  // namespace

std::shared_ptr<storage::Storage> examine_remote_store(Desk& desk, const pipeline::Vault& vault,
                                                       Secrets& secrets, const std::string& about,
                                                       Findings& out) {
  const auto& project = desk.project;
  auto trust = trust_of(project.spec.tls, project.folder, *desk.machine);
  if (!trust) return nullptr;  // a finding of its own
  auto recipe =
      store_recipe(vault, project.places, project.folder, secrets, std::move(trust).value());
  if (!recipe) {
    out.bad(about, recipe.error().message(),
            "give it where `secrets:` says, or in the environment");
    return nullptr;
  }
  auto& random = desk.world().random;
  auto made = make_store(*recipe, desk.world().clock, random);
  if (!made) {
    out.bad(about, made.error().message(), in_general);
    return nullptr;
  }
  std::shared_ptr<storage::Storage> store = std::move(made).value();
  if (goes_open(*recipe))
    out.warn(about, recipe->endpoint + " is not encrypted on its way", "write https:// there");
  const auto name = "proof/" + random.hex(8);
  auto proved = prove(*store, name);
  auto removed = store->remove(name);
  if (proved) proved = std::move(removed).in("removing");
  if (!proved) {
    out.bad(about, proved.error().message(), remedy_for(proved.error().fault));
    return nullptr;
  }
  out.good(about, store->where() + " writes, reads, lists, removes, and never writes over");
  if (auto* const locking = store->locking())
    examine_lock(*locking, *recipe, about + ": lock", out);
  return store;
}

}  // namespace belay::app
