// SPDX-License-Identifier: Apache-2.0
#include "vault/vault.hpp"

#include <sodium.h>

#include "vault/open.hpp"
#include "vault/prune.hpp"
#include "vault/reader.hpp"
#include "vault/verify.hpp"
#include "vault/writer.hpp"

namespace belay::vault {

namespace {

constexpr const char* points_prefix = "points/";
constexpr const char* sealed_prefix = "sealed/";

PointSummary summary_of(const Point& point) {
  return {point.name,  point.kind,      point.project,  point.environment,
          point.run,   point.method,    point.finished, instant_of(point),
          point.exact, point.documents, point.bytes,    point.stored_bytes};
}

PointSummary damaged(const std::string& name, const Error& error) {
  PointSummary summary;
  summary.name = name;
  summary.kind = "damaged";
  summary.method = error.message();
  return summary;
}

std::unordered_set<std::string> blocks_of(const Point& point) {
  std::unordered_set<std::string> names;
  for (const auto& saved : point.collections) {
    for (const auto& block : saved.base.blocks) names.insert(block.name);
    for (const auto& block : saved.delta.blocks) names.insert(block.name);
  }
  return names;
}

struct Sealed {
  std::vector<std::string> blocks;
  std::string content;
};

Result<Sealed> parse_sealed(const std::string& object, std::string plain) {
  const std::size_t end = plain.find('\n');
  auto json = parse_json(std::string_view(plain).substr(0, end));
  if (end == std::string::npos || !json || !json->is_object() || !json->contains("blocks")) {
    return fail(Fault::corrupt, object + " does not begin as Belay writes it");
  }
  Sealed sealed;
  for (const auto& name : (*json)["blocks"]) {
    if (!name.is_string())
      return fail(Fault::corrupt, object + " references something that is no block");
    sealed.blocks.push_back(name.get<std::string>());
  }
  sealed.content = plain.erase(0, end + 1);
  return sealed;
}

class StoredVault final : public Vault {
 public:
  StoredVault(storage::Storage& store, const Key& master, Clock& clock, Random& random)
      : store_(store),
        clock_(clock),
        random_(random),
        keys_(master, random_),
        lease_(store, clock_, random_),
        blocks_(store, keys_, lease_) {}

  Result<std::vector<PointSummary>> list() override {
    TRY_LET(const auto objects, store_.list(points_prefix));
    std::vector<PointSummary> out;
    for (const auto& object : objects) {
      const std::string name = object.name.substr(std::string_view(points_prefix).size());
      auto point = load(name);
      if (point) out.push_back(summary_of(point.value()));
      // Forgotten since the listing: not there any more.
      if (!point && point.error().fault == Fault::missing) continue;
      if (!point && !is_damage(point.error())) return std::move(point).error();
      if (!point) out.push_back(damaged(name, point.error()));
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const auto& a, const auto& b) { return a.finished < b.finished; });
    return out;
  }

  Result<Point> load(const std::string& name) override {
    const std::string object = points_prefix + name;
    auto bytes = store_.get(object);
    if (!bytes && bytes.error().fault == Fault::missing) {
      return fail(Fault::missing, "there is no restore point '" + name + "' in " + store_.where() +
                                      ": `belay backup list` shows those that are there");
    }
    if (!bytes) return std::move(bytes).error().in("restore point " + name);
    auto plain =
        keys_.open(SealKind::manifest, object, std::move(bytes).value(), most_sealed_bytes);
    if (!plain) return std::move(plain).error().in("restore point " + name);
    auto json = parse_json(plain.value());
    if (!json)
      return fail(Fault::corrupt, object + " does not hold JSON").in("restore point " + name);
    auto point = point_from_json(json.value());
    if (point && point->name != name) return fail(Fault::corrupt, object + " holds another point");
    return std::move(point).in("restore point " + name);
  }

  Result<std::unique_ptr<DocumentReader>> read(const SavedCollection& collection) override {
    return make_reader(blocks_, collection);
  }

  Result<VerifyReport> verify(const std::string& name, const OnProgress& progress,
                              std::stop_token stop) override {
    TRY_LET(const Point point, load(name));
    return verify_point(*this, point, progress, stop);
  }

  std::unique_ptr<LayerWriter> write_layer() override {
    return make_layer_writer(blocks_, keys_, packer_);
  }

  Status commit(const Point& point) override {
    const std::string object = points_prefix + point.name;
    TRY(blocks_.require(blocks_of(point)));
    TRY(keep_keys(store_));
    TRY(put(object, keys_.seal(SealKind::manifest, object, canonical(to_json(point)))));
    lease_.release();
    return {};
  }

  Status put_sealed(const std::string& name, std::string_view content,
                    const std::vector<std::string>& blocks) override {
    const std::string object = sealed_prefix + name;
    if (!blocks.empty()) TRY(blocks_.require({blocks.begin(), blocks.end()}));
    std::string plain = Json{{"blocks", blocks}}.dump() + "\n";
    plain += content;
    return put(object, keys_.seal(SealKind::sealed, object, plain));
  }

  Result<std::string> get_sealed(const std::string& name) override {
    TRY_LET(Sealed sealed, open_sealed(sealed_prefix + name));
    return std::move(sealed.content);
  }

  Result<std::vector<std::string>> list_sealed(const std::string& prefix) override {
    TRY_LET(const auto objects, store_.list(sealed_prefix + prefix));
    std::vector<std::string> names;
    for (const auto& object : objects) {
      names.push_back(object.name.substr(std::string_view(sealed_prefix).size()));
    }
    return names;
  }

  Status remove_sealed(const std::string& name) override {
    return store_.remove(sealed_prefix + name);
  }
  Status forget(const std::string& name) override { return store_.remove(points_prefix + name); }

  Result<std::uint64_t> drop_damaged(const std::vector<SavedCollection>& collections) override {
    std::uint64_t dropped = 0;
    for (const auto& saved : collections) {
      for (const Layer* layer : {&saved.base, &saved.delta}) {
        for (const auto& block : layer->blocks) {
          TRY_LET(const bool gone, blocks_.drop_damaged(block));
          dropped += gone ? 1 : 0;
        }
      }
    }
    return dropped;
  }

  Result<Freed> prune() override {
    return prune_blocks(store_, clock_, random_, [this] { return marked(); });
  }

  std::string where() const override { return store_.where(); }
  std::uint64_t bytes_written() const override { return sealed_bytes_ + blocks_.bytes_written(); }

 private:
  static bool is_damage(const Error& error) {
    return error.fault == Fault::corrupt || error.fault == Fault::refused;
  }

  Status put(const std::string& object, const std::string& bytes) {
    TRY(store_.put(object, bytes));
    sealed_bytes_ += bytes.size();
    return {};
  }

  Result<Sealed> open_sealed(const std::string& object) {
    TRY_LET(std::string bytes, store_.get(object));
    TRY_LET(std::string plain,
            keys_.open(SealKind::sealed, object, std::move(bytes), most_sealed_bytes));
    return parse_sealed(object, std::move(plain));
  }

  Result<std::unordered_set<std::string>> marked() {
    std::unordered_set<std::string> names;
    TRY_LET(const auto points, store_.list(points_prefix));
    for (const auto& object : points) {
      auto point = load(object.name.substr(std::string_view(points_prefix).size()));
      if (!point && point.error().fault == Fault::missing) continue;
      if (!point) return std::move(point).error();
      names.merge(blocks_of(point.value()));
    }
    TRY_LET(const auto sealed, store_.list(sealed_prefix));
    for (const auto& object : sealed) {
      auto opened = open_sealed(object.name);
      if (!opened && opened.error().fault == Fault::missing) continue;
      if (!opened) return std::move(opened).error();
      names.insert(opened->blocks.begin(), opened->blocks.end());
    }
    return names;
  }

  storage::Storage& store_;
  Clock& clock_;
  GuardedRandom random_;
  Keyring keys_;
  WriterLease lease_;
  Blocks blocks_;
  std::atomic<std::uint64_t> sealed_bytes_{0};
  Packer packer_;  // last: its work uses all of the above
};

}  // namespace

Result<std::unique_ptr<Vault>> open_vault(storage::Storage& store, const Secret& key, Clock& clock,
                                          Random& random) {
  if (sodium_init() < 0) return fail(Fault::internal, "libsodium does not start on this machine");
  TRY_LET(const UserKey user, parse_user_key(key));
  TRY_LET(Key master, open_master(store, user, random));
  std::unique_ptr<Vault> vault = std::make_unique<StoredVault>(store, master, clock, random);
  sodium_memzero(master.data(), master.size());
  return vault;
}

}  // namespace belay::vault
