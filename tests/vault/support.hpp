// SPDX-License-Identifier: Apache-2.0
// What the vault's tests share: a seeded Random, a clock that a test moves, a vault on a fake
// store.
#pragma once

#include <gtest/gtest.h>

#include <atomic>

#include "tests/fake/fake_database.hpp"
#include "tests/fake/fake_storage.hpp"
#include "vault/backup.hpp"
#include "vault/vault.hpp"

namespace belay::vault {

inline const Secret test_key(std::string(64, 'a'));

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() override {  // splitmix64
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

 private:
  std::uint64_t state_;
};

class HandClock final : public Clock {
 public:
  TimePoint now() const override { return TimePoint(Millis(1763892900000 + at_.load())); }
  Millis steady() const override { return Millis(at_.load()); }
  bool sleep(Millis duration, std::stop_token stop) override {
    at_ += duration.count();
    if (on_sleep) on_sleep();
    return !stop.stop_requested();
  }
  void advance(Millis duration) { at_ += duration.count(); }
  std::function<void()> on_sleep;

 private:
  std::atomic<std::int64_t> at_{0};
};

inline database::Bson bson(const std::string& json) {
  auto document = database::from_json(json);
  if (!document) throw std::invalid_argument(json + ": " + document.error().message());
  return std::move(document).value();
}

inline database::Bson document(int id, std::size_t padding = 0) {
  return bson(fmt::format(R"({{"_id": {}, "text": "{}"}})", id, std::string(padding, 'x')));
}

struct VaultTest : ::testing::Test {
  fake::FakeStorage store;
  HandClock clock;
  SeededRandom random{1};

  std::unique_ptr<Vault> open(const Secret& key = test_key) {
    auto vault = open_vault(store, key, clock, random);
    if (!vault) throw std::runtime_error(vault.error().message());
    return std::move(vault).value();
  }

  static Layer write(Vault& vault, const std::vector<database::Bson>& documents) {
    auto writer = vault.write_layer();
    for (const auto& each : documents) EXPECT_TRUE(writer->add(each).ok());
    auto layer = writer->finish();
    if (!layer) throw std::runtime_error(layer.error().message());
    return std::move(layer).value();
  }

  static Result<std::vector<database::Bson>> read(Vault& vault, const SavedCollection& saved) {
    TRY_LET(const auto reader, vault.read(saved));
    std::vector<database::Bson> out;
    for (;;) {
      TRY_LET(auto each, reader->next());
      if (!each) return out;
      out.push_back(std::move(*each));
    }
  }

  static SavedCollection saved(const std::string& name, Layer base) {
    SavedCollection out;
    out.facts.ns = {"shop", name};
    out.facts.options = bson("{}");
    out.documents = base.documents;
    out.bytes = base.bytes;
    out.base = std::move(base);
    return out;
  }

  static Point point(const std::string& name, std::vector<SavedCollection> collections) {
    Point out;
    out.name = name;
    out.kind = "manual";
    for (const auto& each : collections) out.documents += each.documents;
    out.collections = std::move(collections);
    return out;
  }
};

}  // namespace belay::vault
