// SPDX-License-Identifier: Apache-2.0
// The server filters the log for us. What it leaves out must be nothing: a reader of every entry
// finds the same.
#include <random>
#include <set>

#include "database/log_reading.hpp"
#include "database/mongodb/document.hpp"
#include "tests/database/support.hpp"

namespace belay::database::testing {
namespace {

// Every entry from one position to the other.
std::vector<Bson> whole_log(const MongoServer& server, const Position& from, const Position& to) {
  mongoc_client_t* client = mongoc_client_new(server.uri("local").c_str());
  mongoc_collection_t* log = mongoc_client_get_collection(client, "local", "oplog.rs");
  Document filter;
  filter.doc("ts", Document().stamp("$gte", from.timestamp).stamp("$lte", to.timestamp));
  mongoc_cursor_t* cursor =
      mongoc_collection_find_with_opts(log, filter.get(), Document().get(), nullptr);
  std::vector<Bson> out;
  const bson_t* entry = nullptr;
  while (mongoc_cursor_next(cursor, &entry)) out.emplace_back(bytes_of(entry));
  mongoc_cursor_destroy(cursor);
  mongoc_collection_destroy(log);
  mongoc_client_destroy(client);
  return out;
}

struct Seen {
  std::set<std::pair<std::string, Bson>> ids;
  bool restart = false;
  bool operator==(const Seen&) const = default;
};

Seen seen_in(const Touched& touched) {
  Seen out;
  out.restart = !touched.restart.empty();
  for (const auto& entry : touched.entries)
    for (const auto& id : entry.ids) out.ids.emplace(entry.ns.text() + " " + entry.uuid, id);
  return out;
}

Seen unfiltered(const MongoServer& server, const std::string& name, const Position& from,
                const Position& to) {
  const auto log = whole_log(server, from, to);
  LogReading reading({name}, [&](const Position& at) -> Result<std::optional<Bson>> {
    for (const auto& entry : log)
      if (position_of(entry) == at) return std::optional(entry);
    return std::optional<Bson>();
  });
  for (const auto& entry : log) EXPECT_TRUE(reading.add(entry).ok());
  return seen_in(reading.take());
}

// Names that a careless pattern would take for ours, and ours.
struct Writer {
  const MongoServer& server;
  std::string name;
  std::mt19937 random;

  std::string any_database() {
    const std::vector<std::string> names{name, name, name, name + "x", "x" + name, name + "-b"};
    return names[random() % names.size()];
  }
  void one(bool commands) {
    const auto database = any_database();
    const std::string collection = random() % 3 == 0 ? "a.b" : "items";
    const auto id = std::to_string(random() % 30);
    const auto kind = random() % (commands ? 40 : 39);
    std::string order;
    if (kind < 15)
      order = R"({"update": ")" + collection + R"(", "updates": [{"q": {"_id": )" + id +
              R"(}, "u": {"$inc": {"n": 1}}, "upsert": true}]})";
    else if (kind < 25)
      order = R"({"delete": ")" + collection + R"(", "deletes": [{"q": {"_id": )" + id +
              R"(}, "limit": 1}]})";
    else if (kind < 39)
      order =
          R"({"update": ")" + collection +
          R"(", "updates": [{"q": {"n": {"$gt": 2}}, "u": {"$set": {"n": 0}}, "multi": true}]})";
    else
      order = R"({"create": "c)" + std::to_string(random()) + R"("})";
    EXPECT_OK(server.command(database, order));
  }
};

TEST(LogFilter, LeavesOutNothingThatAReaderOfEveryEntryFinds) {
  auto& server = shared_server(Mode::replica_set);
  const auto name = fresh_name();
  const auto database = open(server, name);
  Writer writer{server, name, std::mt19937(4)};
  for (int i = 0; i < 60; ++i) writer.one(false);  // all collections are there from now on
  auto last = database->mark();
  ASSERT_OK(last);
  ASSERT_OK(database->touched(*last, *last, {}));
  int anew = 0, ids = 0;
  for (int round = 0; round < 12; ++round) {
    auto from = database->mark();
    ASSERT_OK(from);
    ASSERT_OK(database->touched(*last, *from, {}));  // so that nothing older is shown again
    for (int i = 0; i < 12; ++i) writer.one(round % 3 == 2);
    auto to = database->mark();
    ASSERT_OK(to);
    auto touched = database->touched(*from, *to, {});
    ASSERT_OK(touched);
    const auto filtered = seen_in(*touched);
    EXPECT_EQ(filtered, unfiltered(server, name, *from, *to)) << "round " << round;
    anew += filtered.restart ? 1 : 0;
    ids += static_cast<int>(filtered.ids.size());
    last = to;
  }
  EXPECT_GT(ids, 20);
  RecordProperty("anew", anew);
}

}  // namespace
}  // namespace belay::database::testing
