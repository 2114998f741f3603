// SPDX-License-Identifier: Apache-2.0
// Restore points in a store: content-addressed, compressed, encrypted blocks; a manifest, written
// last, is the only commit point. Format: docs/formats/vault.md. Reading verifies every block.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/random.hpp"
#include "base/secret.hpp"
#include "database/database.hpp"
#include "storage/storage.hpp"

namespace belay::vault {

struct Block {       // a run of documents in `_id` order
  std::string name;  // keyed hash of its content, hex
  std::uint32_t documents = 0;
  std::uint32_t plain_bytes = 0;
  database::Bson first_id;
};

struct Layer {  // one collection's documents
  std::vector<Block> blocks;
  std::uint64_t documents = 0, bytes = 0;
};

struct SavedCollection {
  database::Collection facts;
  Layer base;                              // what was scanned
  Layer delta;                             // touched later: wins over base, by id
  std::vector<database::Bson> gone;        // ids removed later, in order
  std::uint64_t documents = 0, bytes = 0;  // of the merged result
  std::string md5;                         // over the merged raw documents, as the server's dbHash
};

struct Point {       // a restore point: its manifest
  std::string name;  // "rp-7", "safety-9", "rp-20261123-101500"
  std::string kind;  // "deploy", "manual", "safety", "salvage"
  TimePoint started{}, finished{};
  std::string project, environment, run;
  std::string by;      // who asked for it
  std::string origin;  // hash of the run's first event: whose run it is; empty: made by hand
  bool exact = false;  // at one instant; false: fuzzy, and `method` says why
  std::string method;  // "transaction", "quiet standalone", "fenced", "fuzzy"
  std::optional<database::Position> since, instant;
  database::Facts server;
  database::Proofs proofs;
  std::vector<std::string> databases;  // the application's, empty ones too
  std::vector<SavedCollection> collections;
  std::uint64_t documents = 0, bytes = 0, stored_bytes = 0;
  std::string journal_head;  // "412:9f3c...": anchors the journal
};

// When the database was as the point shows it: on a replica set the transaction's time, not when
// all was written down.
TimePoint instant_of(const Point& point);

Json to_json(const Point& point);
Result<Point> point_from_json(const Json& json);

// The `*-metadata.json` that scripts read: timestamp, backup_name, backup_size, ...
// backup_hash_sha256 is over the canonical manifest, and the manifest names every block by its
// hash.
Json metadata(const Point& point);
// `folder`/NAME-metadata.json.
Status write_metadata(const Path& folder, const Point& point);

struct Progress {
  std::string what;                   // "shop.orders"
  std::uint64_t done = 0, total = 0;  // documents; total 0: unknown
};
using OnProgress = std::function<void(const Progress&)>;

struct PointSummary {
  std::string name, kind, project, environment, run, method;
  TimePoint finished{}, instant{};  // `instant`: as of instant_of()
  bool exact = false;
  std::uint64_t documents = 0, bytes = 0, stored_bytes = 0;
};

struct VerifyReport {
  std::uint64_t blocks = 0, documents = 0, bytes = 0;
  std::vector<std::string> problems;  // each names the block or collection
};

// What pruning did.
struct Freed {
  std::uint64_t bytes = 0;
  std::uint64_t locked = 0;  // bytes that nothing needs either, and that the store still locks
  std::optional<TimePoint> until;  // the last date of these
};

// Reads one saved collection in `_id` order, base and delta merged. Bounded memory.
class DocumentReader {
 public:
  virtual ~DocumentReader() = default;
  virtual Result<std::optional<database::Bson>> next() = 0;  // none at the end
};

// Safe from many threads; one LayerWriter or DocumentReader belongs to one thread.
class Vault {
 public:
  virtual ~Vault() = default;
  // Oldest first. A manifest that cannot be read is listed with the kind "damaged" and what is
  // wrong as its method: it must not hide the others.
  virtual Result<std::vector<PointSummary>> list() = 0;
  virtual Result<Point> load(const std::string& name) = 0;  // missing, corrupt
  virtual Result<std::unique_ptr<DocumentReader>> read(const SavedCollection& collection) = 0;
  // Reads, decrypts, counts every document from the store.
  virtual Result<VerifyReport> verify(const std::string& name, const OnProgress& progress,
                                      std::stop_token stop) = 0;

  // Writing: blocks first, in any order, then the manifest. A writer that is dropped leaves only
  // unreferenced blocks, which prune removes.
  class LayerWriter {
   public:
    virtual ~LayerWriter() = default;
    virtual Status add(std::string_view document) = 0;  // in `_id` order
    virtual Result<Layer> finish() = 0;
  };
  virtual std::unique_ptr<LayerWriter> write_layer() = 0;
  // conflict: the name is taken. missing: a block that the point references is not in the store.
  virtual Status commit(const Point& point) = 0;
  // A sealed object beside the points (salvage segments, plans): encrypted, compressed. conflict:
  // the name is taken. Layers that the content refers to are given by their blocks' names in
  // `blocks`: prune keeps them as long as this object is there.
  virtual Status put_sealed(const std::string& name, std::string_view content,
                            const std::vector<std::string>& blocks = {}) = 0;
  virtual Result<std::string> get_sealed(const std::string& name) = 0;
  virtual Result<std::vector<std::string>> list_sealed(const std::string& prefix) = 0;
  virtual Status remove_sealed(const std::string& name) = 0;  // fine when it is not there; busy

  // Removes those blocks of these collections that cannot be read: so they are stored again when
  // they are written next, and the points that use them are whole again. How many.
  virtual Result<std::uint64_t> drop_damaged(const std::vector<SavedCollection>& collections) = 0;
  // The manifest; blocks go with prune. busy: the store's lock keeps it, and says until when.
  virtual Status forget(const std::string& name) = 0;
  // Safe beside a writer, also one in another process: then it frees nothing. corrupt: a manifest
  // cannot be read, so nobody knows what it references, and nothing is removed.
  virtual Result<Freed> prune() = 0;
  virtual std::string where() const = 0;
  virtual std::uint64_t bytes_written() const = 0;  // by this object
};

// `key`: 32 bytes as hex or base64, or a passphrase of at least 16 characters (Argon2id). A wrong
// key is refused before anything is read. A vault of a newer format is refused by name.
Result<std::unique_ptr<Vault>> open_vault(storage::Storage& store, const Secret& key, Clock& clock,
                                          Random& random);

// Whether an object of a vault is to outlive whoever put it, which is what a store that locks
// should lock. Leases come and go.
bool is_lasting(const std::string& object);

// Which points retention would remove (pure): never the `protected_names`.
struct Keep {
  int last = 30, days = 30, safety_days = 90;
};
std::vector<std::string> expired(const std::vector<PointSummary>& points, const Keep& keep,
                                 TimePoint now, const std::vector<std::string>& protected_names);

}  // namespace belay::vault
