// SPDX-License-Identifier: Apache-2.0
#include "vault/sealed_store.hpp"

#include <sodium.h>

#include "vault/blocks.hpp"
#include "vault/open.hpp"

namespace belay::vault {

namespace {

class SealedStore final : public storage::Storage {
 public:
  SealedStore(storage::Storage& store, const Key& master, Random& random)
      : store_(store), random_(random), keys_(master, random_) {}

  // Sealed bytes differ each time: those that are there are ours, or somebody else's.
  Status put(const std::string& name, std::string_view content) override {
    const auto sealed = keys_.seal(SealKind::sealed, name, content);
    Status put = store_.put(name, sealed);
    if (put || put.error().effect == Effect::none) return put;
    auto there = store_.get(name);
    if (!there) return put;
    if (*there == sealed) return {};
    return fail(Fault::conflict, name + " is there already");
  }

  Result<std::string> get(const std::string& name) override {
    TRY_LET(std::string bytes, store_.get(name));
    return keys_.open(SealKind::sealed, name, std::move(bytes), most_sealed_bytes);
  }

  Result<std::vector<storage::Object>> list(const std::string& prefix) override {
    return store_.list(prefix);
  }
  Status remove(const std::string& name) override { return store_.remove(name); }
  Result<bool> exists(const std::string& name) override { return store_.exists(name); }
  std::string where() const override { return store_.where(); }

 private:
  storage::Storage& store_;
  GuardedRandom random_;
  Keyring keys_;
};

}  // namespace

Result<std::unique_ptr<storage::Storage>> open_sealed_store(storage::Storage& store,
                                                            const Secret& key, Random& random) {
  if (sodium_init() < 0) return fail(Fault::internal, "libsodium does not start on this machine");
  TRY_LET(const UserKey user, parse_user_key(key));
  TRY_LET(Key master, open_master(store, user, random));
  std::unique_ptr<storage::Storage> sealed = std::make_unique<SealedStore>(store, master, random);
  sodium_memzero(master.data(), master.size());
  return sealed;
}

}  // namespace belay::vault
