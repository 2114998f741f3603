// SPDX-License-Identifier: Apache-2.0
// What the tests of this room share: one server of each kind a program, fresh databases by name.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "database/database.hpp"
#include "tests/support/mongo_server.hpp"

namespace belay::database::testing {

using belay::testing::MongoServer;
using Mode = MongoServer::Mode;

// Started on first use, ended at the program's end.
MongoServer& shared_server(Mode mode);
// A name that no other test of this program uses.
std::string fresh_name();
std::unique_ptr<Database> open(const MongoServer& server, const std::string& name, int port = 0,
                               const std::string& more = "");

Bson bson(std::string_view json);
// {"_id": id, "x": "xxx…"} of exactly this many bytes.
Bson sized_document(std::int32_t id, std::size_t size);
// All documents of a collection, as scanned.
std::vector<Bson> read_all(Database& database, const Namespace& ns);
Collection find_collection(Database& database, const Namespace& ns);

#define ASSERT_OK(expression)                               \
  do {                                                      \
    const auto& checked = (expression);                     \
    ASSERT_TRUE(checked.ok()) << checked.error().message(); \
  } while (false)

#define EXPECT_OK(expression)                                                \
  do {                                                                       \
    const auto& checked = (expression);                                      \
    EXPECT_TRUE(checked.ok()) << (checked ? "" : checked.error().message()); \
  } while (false)

}  // namespace belay::database::testing
