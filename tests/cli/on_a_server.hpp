// SPDX-License-Identifier: Apache-2.0
// The real program in a project of its own, whose database is on a real server.
#pragma once

#include "base/json.hpp"
#include "tests/support/mongo_server.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::cli::testing {

struct OnAServer : ::testing::Test {
  belay::testing::ScratchProject project;
  std::unique_ptr<belay::testing::MongoServer> server;

  void SetUp() override {
    auto started = belay::testing::MongoServer::start();
    ASSERT_TRUE(started) << started.error().message();
    server = std::move(started).value();
  }
  // `database`: more lines of that block, indented by two; `environments`: the block.
  void write(const std::string& database, const std::string& environments) const {
    project.write("belay.yaml", "project: shop\nstate: ../state\ndatabase:\n  uri: " +
                                    server->uri("one") + "\n" + database + environments);
  }
  Finished belay(std::vector<std::string> words) const { return project.belay(std::move(words)); }
  std::size_t count(const std::string& name, const std::string& collection) const {
    auto reply = server->command(name, R"({"count": ")" + collection + R"("})");
    return reply ? Json::parse(*reply).at("n").get<std::size_t>() : 0;
  }
};

}  // namespace belay::cli::testing
