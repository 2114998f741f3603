// SPDX-License-Identifier: Apache-2.0
#include "tests/support/mongo_server.hpp"

#include <fcntl.h>
#include <mongoc/mongoc.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

namespace belay::testing {
namespace {

namespace fs = std::filesystem;

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* any = reinterpret_cast<sockaddr*>(&address);
  const bool ok = ::bind(fd, any, size) == 0 && ::getsockname(fd, any, &size) == 0;
  ::close(fd);
  return ok ? ntohs(address.sin_port) : 0;
}

// The driver rests five seconds after a refused connection: it is asked only once this is true.
bool is_listening(int port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  const bool ok = ::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return ok;
}

fs::path on_path(const char* name) {
  const char* path = std::getenv("PATH");
  std::string rest = path != nullptr ? path : "";
  while (!rest.empty()) {
    const auto end = rest.find(':');
    const fs::path candidate = fs::path(rest.substr(0, end)) / name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    rest = end == std::string::npos ? "" : rest.substr(end + 1);
  }
  return {};
}

void init_driver() {
  static std::once_flag once;
  std::call_once(once, [] { mongoc_init(); });
}

struct Client {
  explicit Client(const std::string& uri) {
    init_driver();
    client = mongoc_client_new(uri.c_str());
    mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
  }
  ~Client() { mongoc_client_destroy(client); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  mongoc_client_t* client;
};

// A bson_t in a struct: its alignment may not be a template argument.
struct Static {
  bson_t bson;
};

Result<std::string> run_json(mongoc_client_t* client, const std::string& database,
                             const std::string& json) {
  bson_error_t error;
  bson_t* command = bson_new_from_json(reinterpret_cast<const std::uint8_t*>(json.data()),
                                       static_cast<ssize_t>(json.size()), &error);
  if (command == nullptr) return fail(Fault::invalid, std::string("test JSON: ") + error.message);
  bson_t reply;
  const bool ok =
      mongoc_client_command_simple(client, database.c_str(), command, nullptr, &reply, &error);
  bson_destroy(command);
  char* text = bson_as_relaxed_extended_json(&reply, nullptr);
  std::string out = text != nullptr ? text : "";
  bson_free(text);
  bson_destroy(&reply);
  if (!ok) return fail(Fault::refused, error.message);
  return out;
}

}  // namespace

Result<std::unique_ptr<MongoServer>> MongoServer::start(Mode mode, int log_entries) {
  std::unique_ptr<MongoServer> server(new MongoServer);
  const char* wanted = std::getenv("BELAY_MONGOD");
  server->program_ = wanted != nullptr ? fs::path(wanted) : on_path("mongod");
  server->mongod_ = !server->program_.empty();
  if (!server->mongod_) server->program_ = fs::path(BELAY_TOOLS_DIR) / "venv/bin/secantusd-py";
  if (::access(server->program_.c_str(), X_OK) != 0)
    return fail(Fault::missing, "no MongoDB server for tests: set BELAY_MONGOD, put mongod on " +
                                    std::string("PATH, or run the set-up script"));
  std::string name = (fs::temp_directory_path() / "belay-mongo-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) return fail(Fault::internal, "no scratch folder");
  server->folder_ = name;
  server->mode_ = mode;
  server->log_entries_ = log_entries;
  Status ready = fail(Fault::unreachable, "never tried");
  for (int attempt = 0; attempt < 3 && !ready; ++attempt) {  // a free port may be taken meanwhile
    server->port_ = free_port();
    ready = server->spawn();
  }
  if (!ready) return std::move(ready).error();
  return server;
}

Status MongoServer::spawn() {
  const std::string port = std::to_string(port_);
  const fs::path data = folder_ / "data";
  fs::create_directories(data);
  std::vector<std::string> argv = {program_.string()};
  if (mongod_) {
    argv.insert(argv.end(), {"--bind_ip", "127.0.0.1", "--port", port, "--dbpath", data.string()});
    if (mode_ == Mode::replica_set) argv.insert(argv.end(), {"--replSet", "belay"});
  } else {
    argv.insert(argv.end(), {"--host", "127.0.0.1", "--port", port, "--storage-path", data.string(),
                             "--oplog-max-entries", std::to_string(log_entries_)});
    if (mode_ == Mode::standalone) argv.emplace_back("--standalone");
  }
  std::vector<char*> words;
  for (auto& word : argv) words.push_back(word.data());
  words.push_back(nullptr);
  const std::string log = (folder_ / "log").string();
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) return fail(Fault::internal, "cannot fork");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(fd, 1);
    ::dup2(fd, 2);
    ::execv(words[0], words.data());
    ::_exit(127);
  }
  Status ready = wait_until_ready();
  if (!ready) kill();
  return ready;
}

Status MongoServer::wait_until_ready() const {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const Client client(uri("admin") + "&serverSelectionTimeoutMS=2000");
  bool initiated = false;
  while (std::chrono::steady_clock::now() < deadline) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (!is_listening(port_)) continue;
    auto hello = run_json(client.client, "admin", R"({"hello": 1})");
    if (hello && hello->find(R"("isWritablePrimary" : true)") != std::string::npos) return {};
    if (hello && mongod_ && mode_ == Mode::replica_set && !initiated) {
      const std::string host = "127.0.0.1:" + std::to_string(port_);
      auto done =
          run_json(client.client, "admin",
                   R"({"replSetInitiate": {"_id": "belay", "members": [{"_id": 0, "host": ")" +
                       host + R"("}]}})");
      initiated = done.ok();
    }
  }
  return fail(Fault::unreachable,
              "the test server did not get ready; see " + (folder_ / "log").string());
}

MongoServer::~MongoServer() {
  kill();
  std::error_code ignored;
  if (std::getenv("BELAY_KEEP") == nullptr) fs::remove_all(folder_, ignored);
}

void MongoServer::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

Status MongoServer::restart() {
  kill();
  return spawn();
}

std::string MongoServer::uri(std::string_view database, int port) const {
  return "mongodb://127.0.0.1:" + std::to_string(port != 0 ? port : port_) + "/" +
         std::string(database) + "?directConnection=true";
}

Result<std::string> MongoServer::command(const std::string& database,
                                         const std::string& json) const {
  const Client client(uri("admin"));
  return run_json(client.client, database, json);
}

Status MongoServer::commands(const std::string& database,
                             const std::vector<std::string>& json) const {
  const Client client(uri("admin"));
  for (const auto& one : json) {
    auto reply = run_json(client.client, database, one);
    if (!reply) return std::move(reply).error();
  }
  return {};
}

Status MongoServer::insert(const std::string& database, const std::string& collection,
                           const std::vector<std::string>& json) const {
  std::vector<std::string> documents;
  for (const auto& text : json) {
    bson_error_t error;
    bson_t* document = bson_new_from_json(reinterpret_cast<const std::uint8_t*>(text.data()),
                                          static_cast<ssize_t>(text.size()), &error);
    if (document == nullptr)
      return fail(Fault::invalid, std::string("test JSON: ") + error.message);
    documents.emplace_back(reinterpret_cast<const char*>(bson_get_data(document)), document->len);
    bson_destroy(document);
  }
  return insert_raw(database, collection, documents);
}

Status MongoServer::insert_raw(const std::string& database, const std::string& collection,
                               const std::vector<std::string>& documents) const {
  if (documents.empty()) return {};
  const Client client(uri("admin"));
  mongoc_collection_t* target =
      mongoc_client_get_collection(client.client, database.c_str(), collection.c_str());
  std::vector<Static> views(documents.size());
  const auto list = std::make_unique<const bson_t*[]>(documents.size());
  for (std::size_t i = 0; i < documents.size(); ++i) {
    if (!bson_init_static(&views[i].bson,
                          reinterpret_cast<const std::uint8_t*>(documents[i].data()),
                          documents[i].size()))
      return fail(Fault::invalid, "test document is not BSON");
    list[i] = &views[i].bson;
  }
  bson_t options = BSON_INITIALIZER;
  BSON_APPEND_BOOL(&options, "validate", false);
  bson_error_t error;
  const bool ok = mongoc_collection_insert_many(target, list.get(), documents.size(), &options,
                                                nullptr, &error);
  bson_destroy(&options);
  mongoc_collection_destroy(target);
  if (!ok) return fail(Fault::refused, std::string("test insert: ") + error.message);
  return {};
}

}  // namespace belay::testing
