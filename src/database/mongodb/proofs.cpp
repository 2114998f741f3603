// SPDX-License-Identifier: Apache-2.0
// What the server can do is proved with marker documents in Belay's own database, because servers
// accept options that they ignore. Each proof has collections of its own, dropped at the end; a
// proof that fails, or may not be tried, is named in `missing` with what follows from it.
#include "base/random.hpp"
#include "database/mongodb/mongodb.hpp"

namespace belay::database {
namespace {

Document all_kinds(std::int32_t id) {
  Document out;
  out.i32("_id", id).text("text", "a\xC3\xA9").i64("long", 1LL << 60).flag("flag", true);
  out.stamp("now", std::uint64_t{7} << 32).stamp("zero", 0);
  bson_append_double(out.get(), "minus", -1, -0.0);
  bson_append_null(out.get(), "null", -1);
  bson_append_minkey(out.get(), "min", -1);
  bson_append_binary(out.get(), "bytes", -1, BSON_SUBTYPE_USER,
                     reinterpret_cast<const std::uint8_t*>("\0\1"), 2);
  bson_decimal128_t decimal;
  bson_decimal128_from_string("1.00", &decimal);
  bson_append_decimal128(out.get(), "decimal", -1, &decimal);
  out.i32("", 1).i32("a.b", 2).doc("inside", Document().i32("$x", 1));
  return out;
}

template <class Append>
Bson id_with(Append append) {
  Document out;
  append(out.get());
  return out.bytes();
}

// Ids of every kind, in no order. Ids of one kind that are compared in unusual ways (documents of
// different shapes, numbers beyond 1E+127) are watched where they occur: by each scan.
std::vector<Bson> ids_of_every_kind() {
  const auto decimal = [](const char* text) {
    return id_with([&](bson_t* to) {
      bson_decimal128_t value;
      bson_decimal128_from_string(text, &value);
      bson_append_decimal128(to, "_id", 3, &value);
    });
  };
  const auto real = [](double value) {
    return id_with([&](bson_t* to) { bson_append_double(to, "_id", 3, value); });
  };
  const auto binary = [](bson_subtype_t kind, std::string_view bytes) {
    return id_with([&](bson_t* to) {
      bson_append_binary(to, "_id", 3, kind, reinterpret_cast<const std::uint8_t*>(bytes.data()),
                         static_cast<std::uint32_t>(bytes.size()));
    });
  };
  const auto date = [](std::int64_t at) {
    return id_with([&](bson_t* to) { bson_append_date_time(to, "_id", 3, at); });
  };
  std::vector<Bson> out = {
      id_with([](bson_t* to) { bson_append_maxkey(to, "_id", 3); }),
      date(-5),
      date(5),
      Document().stamp("_id", std::uint64_t{3} << 32).bytes(),
      Document().flag("_id", true).bytes(),
      Document().flag("_id", false).bytes(),
      Document().text("_id", "b").bytes(),
      Document().text("_id", "B").bytes(),
      Document().text("_id", "").bytes(),
      Document().text("_id", "ba").bytes(),
      Document().doc("_id", Document().i32("a", 1)).bytes(),
      Document().i32("_id", 2).bytes(),
      Document().i64("_id", (1LL << 53) + 1).bytes(),
      real(9007199254740992.0),
      real(std::numeric_limits<double>::quiet_NaN()),
      real(-std::numeric_limits<double>::infinity()),
      real(-0.0),
      real(2.5),
      decimal("2.25"),
      decimal("1E+60"),
      binary(BSON_SUBTYPE_USER, "a"),
      binary(BSON_SUBTYPE_BINARY, "zz"),
      binary(BSON_SUBTYPE_BINARY, "za"),
      binary(BSON_SUBTYPE_UUID, "0123456789abcdef"),
      id_with([](bson_t* to) { bson_append_null(to, "_id", 3); }),
      id_with([](bson_t* to) { bson_append_minkey(to, "_id", 3); }),
  };
  bson_oid_t oid;
  bson_oid_init_from_string(&oid, "0123456789abcdef01234567");
  out.push_back(id_with([&](bson_t* to) { bson_append_oid(to, "_id", 3, &oid); }));
  return out;
}

}  // namespace

// The proofs, each a promise of `Proofs`. An error: it could not be tried; false: tried and failed.
class Prover {
 public:
  explicit Prover(Mongodb& database) : database_(database), name_(SystemRandom().hex(6)) {}
  ~Prover() {
    for (const char* part : {"a", "b", "bytes", "order"}) (void)database_.drop(own(part));
  }
  Prover(const Prover&) = delete;
  Prover& operator=(const Prover&) = delete;

  Result<bool> exact_bytes() {
    const std::vector<Bson> documents = {all_kinds(1).bytes(), all_kinds(2).bytes()};
    TRY(put("bytes", documents));
    TRY_LET(const auto back, read("bytes"));
    return back == documents;
  }

  Result<bool> order_agrees() {
    std::vector<Bson> ids = ids_of_every_kind();
    TRY(put("order", ids));
    TRY_LET(const auto back, read("order"));
    std::sort(ids.begin(), ids.end(),
              [](const Bson& a, const Bson& b) { return compare_ids(a, b) < 0; });
    return back == ids;
  }

  Result<bool> transaction_isolates() {
    const Bson old = Document().i32("_id", 1).text("v", "old").bytes();
    const Bson later = Document().i32("_id", 1).text("v", "new").bytes();
    const Bson extra = Document().i32("_id", 2).bytes();
    TRY(put("a", {old}));
    TRY(put("b", {old}));
    TRY(database_.barrier());
    TRY_LET(const auto snapshot, database_.snapshot());
    for (const char* part : {"a", "b"}) {
      TRY(database_.apply(own(part), {{*id_of(old), old, later}}));
      TRY(put(part, {extra}));
    }
    std::vector<Bson> seen;
    const auto take = [&](std::string_view document) -> Status {
      seen.emplace_back(document);
      return {};
    };
    const std::vector<Bson> ids = {*id_of(old), *id_of(extra)};
    TRY(snapshot->fetch(own("a"), ids, take));
    TRY(snapshot->fetch(own("b"), ids, take));
    TRY(snapshot->commit());
    TRY_LET(const auto live, read("b"));  // and the writes were real
    return seen == std::vector<Bson>{old, old} && live == std::vector<Bson>{later, extra};
  }

  Result<bool> log_shows_writes(std::optional<Position>& mark) {
    TRY_LET(const auto marks, database_.mark_twice());
    if (marks.size() != 2 || marks[0] >= marks[1]) return false;
    mark = marks[1];
    return true;
  }

 private:
  Namespace own(const char* part) const { return {own_database, "proof_" + name_ + "_" + part}; }

  Status put(const char* part, const std::vector<Bson>& documents) {
    TRY_LET(const auto refused, database_.insert(own(part), documents));
    if (refused.empty()) return {};
    return fail(Fault::refused, "a document of the proof was refused: " + refused.front().reason);
  }

  // Without the watch over the order: that is what is to be proved.
  Result<std::vector<Bson>> read(const char* part) {
    Collection collection;
    collection.ns = own(part);
    collection.collated = true;
    std::vector<Bson> out;
    const auto take = [&](std::string_view document) -> Status {
      out.emplace_back(document);
      return {};
    };
    TRY(database_.scan(collection, std::nullopt, std::nullopt, take, {}));
    return out;
  }

  Mongodb& database_;
  std::string name_;
};

Result<Proofs> Mongodb::prove() {
  TRY_LET(const Facts facts, this->facts());
  {
    const std::lock_guard lock(facts_lock_);
    if (proved_ && proved_->first == facts) return proved_->second;
  }
  TRY_LET(Proofs proofs, prove_all(facts));
  const std::lock_guard lock(facts_lock_);
  if (proofs.missing.empty()) {
    proved_ = {facts, proofs};
    proved_->second.mark.reset();
  }
  return proofs;
}

Result<Proofs> Mongodb::prove_all(const Facts& facts) {
  Proofs out;
  Prover prover(*this);
  const auto record = [&](bool& proved, Result<bool> result, const std::string& what,
                          const std::string& then) {
    proved = result && *result;
    if (proved) return;
    const std::string why = result ? "the server does not keep it" : result.error().message();
    out.missing.push_back(what + ": " + why + "; " + then);
  };
  record(out.exact_bytes, prover.exact_bytes(), "a document comes back byte for byte",
         "restored documents may differ from those saved");
  record(out.order_agrees, prover.order_agrees(), "the server sorts `_id` as Belay does",
         "a collection whose ids it sorts otherwise is refused by name");
  if (facts.replica_set.empty()) {
    out.missing.push_back(
        "the server is a standalone: it has no transactions and no change log; a restore point "
        "is exact only while nobody writes. A replica set of one node has both (start mongod "
        "with --replSet, then rs.initiate())");
    return out;
  }
  record(out.transaction_isolates, prover.transaction_isolates(), "a transaction sees one instant",
         "a restore point is exact only while nobody writes");
  record(out.log_shows_writes, prover.log_shows_writes(out.mark), "the change log shows writes",
         "what changed is found by reading everything; Belay's user needs read on `local` and "
         "readWrite on `belay`");
  return out;
}

}  // namespace belay::database
