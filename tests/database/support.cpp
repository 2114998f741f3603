// SPDX-License-Identifier: Apache-2.0
#include "tests/database/support.hpp"

namespace belay::database::testing {
namespace {

std::unique_ptr<MongoServer> start(Mode mode) {
  auto server = MongoServer::start(mode);
  if (!server) {
    ADD_FAILURE() << server.error().message();
    std::abort();
  }
  return std::move(*server);
}

}  // namespace

MongoServer& shared_server(Mode mode) {
  static std::unique_ptr<MongoServer> replica_set, standalone;
  auto& server = mode == Mode::replica_set ? replica_set : standalone;
  if (!server) server = start(mode);
  return *server;
}

std::string fresh_name() {
  static int last = 0;
  return "shop" + std::to_string(++last);
}

std::unique_ptr<Database> open(const MongoServer& server, const std::string& name, int port,
                               const std::string& more) {
  auto made = make_mongodb({Secret(server.uri(name, port) + more), {}, std::chrono::seconds(20)});
  EXPECT_TRUE(made.ok()) << (made ? "" : made.error().message());
  return made ? std::move(*made) : nullptr;
}

Bson bson(std::string_view json) {
  auto parsed = from_json(json);
  EXPECT_TRUE(parsed.ok()) << json;
  return parsed ? std::move(*parsed) : Bson();
}

Bson sized_document(std::int32_t id, std::size_t size) {
  Bson out = bson(R"({"_id": )" + std::to_string(id) + R"(, "x": ""})");
  const std::size_t fill = size - out.size(), text = 4 + 9 + 3;  // frame, `_id`, type and name of x
  out.insert(out.size() - 2, fill, 'x');
  for (unsigned i = 0; i < 4; ++i) {
    out[i] = static_cast<char>(size >> (8 * i));
    out[text + i] = static_cast<char>((fill + 1) >> (8 * i));
  }
  EXPECT_TRUE(is_framed(out) || size > std::size_t{16} << 20);
  return out;
}

Collection find_collection(Database& database, const Namespace& ns) {
  auto catalogue = database.catalogue();
  EXPECT_TRUE(catalogue.ok()) << (catalogue ? "" : catalogue.error().message());
  if (catalogue)
    for (auto& collection : *catalogue)
      if (collection.ns == ns) return collection;
  Collection plain;
  plain.ns = ns;
  return plain;
}

std::vector<Bson> read_all(Database& database, const Namespace& ns) {
  std::vector<Bson> out;
  const auto sink = [&](std::string_view document) -> Status {
    out.emplace_back(document);
    return {};
  };
  const auto status =
      database.scan(find_collection(database, ns), std::nullopt, std::nullopt, sink, {});
  EXPECT_TRUE(status.ok()) << (status ? "" : status.error().message());
  return out;
}

}  // namespace belay::database::testing
