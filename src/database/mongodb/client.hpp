// SPDX-License-Identifier: Apache-2.0
// Connections: a pool that many threads borrow from, a session that reads after what this object
// has seen, and the driver's errors in our words. No text here ever holds the URI.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "base/secret.hpp"
#include "database/mongodb/document.hpp"

namespace belay::database {

// Whether a failure on the way leaves the server changed.
enum class Nature { read, write };

// The driver's own pool keeps threads that watch the servers, and takes half a second to end: ours
// is a list of its clients without threads, which also live well with fork().
class Pool {
 public:
  // Resolves names (mongodb+srv), does not connect. `socket_limit`: how long one command may be
  // silent. invalid: the URI, without its text.
  // refused: certificates are not checked, and `trust` does not say why.
  static Result<std::unique_ptr<Pool>> open(const Secret& uri, Millis socket_limit,
                                            const net::Trust& trust);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  mongoc_client_t* borrow();
  void give_back(mongoc_client_t* client);
  // The database in the URI; may be empty.
  const std::string& database() const { return database_; }
  std::string masked(std::string_view text) const { return masker_.mask(text); }

  // The newest operation time any session of ours has seen: later reads come after it.
  void saw(std::uint64_t timestamp);
  std::uint64_t seen() const { return seen_.load(); }

 private:
  Pool() = default;
  mongoc_client_t* connect() const;

  mongoc_uri_t* uri_ = nullptr;
  std::mutex lock_;
  std::vector<mongoc_client_t*> idle_;
  std::string database_;
  Masker masker_;
  std::atomic<std::uint64_t> seen_ = 0;
};

// A borrowed client.
class Lease {
 public:
  explicit Lease(Pool& pool) : pool_(pool), client_(pool.borrow()) {}
  ~Lease() { pool_.give_back(client_); }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  mongoc_client_t* get() const { return client_; }
  Pool& pool() const { return pool_; }

  // The reply of a raw command to the primary. A reply with a write concern error is a failure.
  Result<Document> run(const std::string& database, const Document& command, Nature nature) const;
  // As run(), and on success only.
  Status order(const std::string& database, const Document& command, Nature nature) const;
  Error explain(const bson_error_t& error, const bson_t* reply, Nature nature) const;

 private:
  Pool& pool_;
  mongoc_client_t* client_;
};

// A causally consistent session: its reads come after everything the pool has seen. On a server
// without a log (`causal` false) it is empty, and nothing is added to a command.
class Session {
 public:
  static Result<Session> start(const Lease& lease, bool causal, std::uint64_t after = 0);
  ~Session();
  Session(Session&& other) noexcept;
  Session& operator=(Session&&) = delete;
  mongoc_client_session_t* get() const { return session_; }
  // Adds itself to the options of a driver's call.
  Status add_to(Document& options) const;

 private:
  Session(const Lease& lease, mongoc_client_session_t* session)
      : lease_(&lease), session_(session) {}
  const Lease* lease_;
  mongoc_client_session_t* session_;
};

struct CursorCloser {
  void operator()(mongoc_cursor_t* cursor) const { mongoc_cursor_destroy(cursor); }
};
using Cursor = std::unique_ptr<mongoc_cursor_t, CursorCloser>;
struct CollectionCloser {
  void operator()(mongoc_collection_t* it) const { mongoc_collection_destroy(it); }
};
using CollectionHandle = std::unique_ptr<mongoc_collection_t, CollectionCloser>;

CollectionHandle open_collection(const Lease& lease, const Namespace& ns);
// Gives every document of the cursor to the sink.
Status drain(const Lease& lease, mongoc_cursor_t* cursor, const DocumentSink& sink,
             std::stop_token stop);

// The documents with these ids, in groups; `options` as for a find.
Status fetch_ids(const Lease& lease, const Namespace& ns, const std::vector<Bson>& ids,
                 const Document& options, const DocumentSink& sink);

// The finished indexes in name order; none when there is no such collection.
Result<std::vector<Bson>> list_indexes(const Lease& lease, const Namespace& ns);

}  // namespace belay::database
