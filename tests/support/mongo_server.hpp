// SPDX-License-Identifier: Apache-2.0
// A real server for tests, on loopback and a free port, in a scratch folder of its own. It is
// $BELAY_MONGOD, else `mongod` on PATH, else SecantusDB from the tools folder. It is ended by its
// process id when the object goes, and by the kernel when the test dies.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace belay::testing {

class MongoServer {
 public:
  enum class Mode { replica_set, standalone };
  // Ready for writes when it returns. missing: no server is installed, with how to install one.
  // Start it from a thread that lives as long as the server is needed.
  // `log_entries`: the stand-in's log is no longer than this; a mongod's is as long as it is.
  static Result<std::unique_ptr<MongoServer>> start(Mode mode = Mode::replica_set,
                                                    int log_entries = 100'000);
  ~MongoServer();
  MongoServer(const MongoServer&) = delete;
  MongoServer& operator=(const MongoServer&) = delete;

  int port() const { return port_; }
  pid_t pid() const { return pid_; }
  bool is_mongod() const { return mongod_; }
  // "mongodb://127.0.0.1:PORT/NAME?...". `port`: of a proxy in front of it.
  std::string uri(std::string_view database = "shop", int port = 0) const;
  const std::filesystem::path& folder() const { return folder_; }

  // SIGKILL, and wait; start again on the same port and folder.
  void kill();
  Status restart();

  // A command in Extended JSON; the reply in relaxed Extended JSON (of any length).
  Result<std::string> command(const std::string& database, const std::string& json) const;
  // Many commands over one connection; the first failure ends it.
  Status commands(const std::string& database, const std::vector<std::string>& json) const;
  // Documents in Extended JSON, `_id` included; unvalidated.
  Status insert(const std::string& database, const std::string& collection,
                const std::vector<std::string>& json) const;
  // The same with raw BSON, in batches.
  Status insert_raw(const std::string& database, const std::string& collection,
                    const std::vector<std::string>& documents) const;

 private:
  MongoServer() = default;
  Status spawn();
  Status wait_until_ready() const;

  std::filesystem::path program_, folder_;
  Mode mode_ = Mode::replica_set;
  int log_entries_ = 0;
  bool mongod_ = false;
  int port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace belay::testing
