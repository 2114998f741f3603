// SPDX-License-Identifier: Apache-2.0
#include "database/mongodb/client.hpp"

#include <fmt/format.h>

#include <mutex>

#include "base/lower_case.hpp"

namespace belay::database {
namespace {

constexpr const char* nobodys_host = "name-does-not-resolve.invalid";
constexpr const char* nobodys_uri = "mongodb://name-does-not-resolve.invalid";
constexpr std::int32_t selection_limit_ms = 5000;

void init_driver() {
  static std::once_flag once;
  std::call_once(once, [] {
    mongoc_init();
    mongoc_log_set_handler(nullptr, nullptr);  // it would write to our standard error
  });
}

void set_default(mongoc_uri_t* uri, const char* option, std::int32_t value) {
  if (mongoc_uri_get_option_as_int32(uri, option, -1) == -1)
    mongoc_uri_set_option_as_int32(uri, option, value);
}

Fault fault_of_server(std::uint32_t code) {
  switch (code) {
    case 11:
    case 18:
    case 13: return Fault::denied;
    case 26:
    case 27: return Fault::missing;
    case 48:
    case 112:
    case 11000:
    case 11001: return Fault::conflict;
    case 50:
    case 64:
    case 89:
    case 262: return Fault::timeout;
    case 91:
    case 189:
    case 10107:
    case 11600:
    case 11602:
    case 13435:
    case 13436: return Fault::unreachable;
    case 46:
    case 117: return Fault::busy;
    case 2:
    case 9:
    case 72:
    case 73: return Fault::invalid;
    default: return Fault::refused;
  }
}

Fault fault_of(const bson_error_t& error) {
  switch (error.domain) {
    case MONGOC_ERROR_SERVER:
    case MONGOC_ERROR_WRITE_CONCERN: return fault_of_server(error.code);
    case MONGOC_ERROR_STREAM:
      return std::string_view(error.message).find("timeout") != std::string_view::npos
                 ? Fault::timeout
                 : Fault::unreachable;
    case MONGOC_ERROR_SERVER_SELECTION: return Fault::unreachable;
    case MONGOC_ERROR_CLIENT:
      return error.code == MONGOC_ERROR_CLIENT_AUTHENTICATE ? Fault::denied : Fault::unreachable;
    case MONGOC_ERROR_SASL:
    case MONGOC_ERROR_SCRAM: return Fault::denied;
    case MONGOC_ERROR_BSON:
    case MONGOC_ERROR_COMMAND: return Fault::invalid;
    default: return Fault::internal;
  }
}

// The option that switches a check off, as the URI has it; empty: none does.
std::string switched_off(const mongoc_uri_t* uri) {
  for (const char* option : {MONGOC_URI_TLSINSECURE, MONGOC_URI_TLSALLOWINVALIDCERTIFICATES,
                             MONGOC_URI_TLSALLOWINVALIDHOSTNAMES}) {
    if (mongoc_uri_get_option_as_bool(uri, option, false)) return option;
  }
  return {};
}

// As belay.yaml names them.
std::vector<std::string> endpoints_of(const mongoc_uri_t* uri) {
  if (const char* name = mongoc_uri_get_srv_hostname(uri))
    return {"mongodb+srv://" + lower_case(name)};
  std::vector<std::string> all;
  for (const auto* host = mongoc_uri_get_hosts(uri); host != nullptr; host = host->next)
    all.push_back("mongodb://" + lower_case(host->host_and_port));
  return all;
}

// Off is off only where belay.yaml says why.
Status look_at_certificates(const mongoc_uri_t* uri, const net::Trust& trust) {
  const auto option = switched_off(uri);
  if (option.empty()) return {};
  for (const auto& endpoint : endpoints_of(uri)) {
    auto found = trust.unchecked.find(endpoint);
    if (found == trust.unchecked.end() && endpoint.ends_with(":27017"))
      found = trust.unchecked.find(endpoint.substr(0, endpoint.size() - 6));
    if (found == trust.unchecked.end())
      return fail(
          Fault::refused,
          fmt::format("the database's URI switches the check of certificates off ({}); "
                      "name who signed them instead, tlsCAFile=FILE, or say why in "
                      "belay.yaml: tls: {{ unchecked: [{{ endpoint: {}, because: ... }}] }}",
                      option, endpoint));
    if (trust.tell) trust.tell(found->first, found->second);
  }
  return {};
}

// A connection that broke, a server that stepped down or shut down, a majority that did not
// answer: the write may have happened.
bool may_have_happened(const bson_error_t& error) {
  if (error.domain == MONGOC_ERROR_STREAM || error.domain == MONGOC_ERROR_WRITE_CONCERN)
    return true;
  if (error.domain != MONGOC_ERROR_SERVER) return false;
  const Fault fault = fault_of_server(error.code);
  return fault == Fault::unreachable || fault == Fault::timeout;
}

}  // namespace

Result<std::unique_ptr<Pool>> Pool::open(const Secret& text, Millis socket_limit,
                                         const net::Trust& trust) {
  init_driver();
  bson_error_t ignored;  // its message may quote the URI
  mongoc_uri_t* uri = mongoc_uri_new_with_error(text.reveal().c_str(), &ignored);
  if (uri == nullptr)
    return fail(Fault::invalid,
                "the database's URI is not a MongoDB URI; it looks like "
                "mongodb://user:password@host:27017/name, with %-escapes in user and password");
  std::unique_ptr<Pool> pool(new Pool);
  pool->uri_ = uri;
  TRY(look_at_certificates(uri, trust));
  pool->masker_.add(text);
  if (const char* password = mongoc_uri_get_password(uri)) pool->masker_.add(Secret(password));
  const char* database = mongoc_uri_get_database(uri);
  if (database != nullptr) pool->database_ = database;
  const auto socket_limit_ms = static_cast<std::int32_t>(socket_limit.count());
  const auto first_limit_ms = std::min(selection_limit_ms, socket_limit_ms);
  set_default(uri, MONGOC_URI_SERVERSELECTIONTIMEOUTMS, first_limit_ms);
  set_default(uri, MONGOC_URI_CONNECTTIMEOUTMS, first_limit_ms);
  set_default(uri, MONGOC_URI_SOCKETTIMEOUTMS, socket_limit_ms);
  mongoc_read_prefs_t* primary = mongoc_read_prefs_new(MONGOC_READ_PRIMARY);
  mongoc_uri_set_read_prefs_t(uri, primary);
  mongoc_read_prefs_destroy(primary);
  mongoc_uri_set_option_as_bool(uri, MONGOC_URI_SERVERSELECTIONTRYONCE, false);
  mongoc_uri_set_appname(uri, "belay");
  mongoc_client_t* first = pool->connect();
  if (first == nullptr)
    return fail(Fault::invalid,
                "the database's URI asks for something that cannot be had here: a "
                "host name of mongodb+srv that does not resolve, TLS files that "
                "cannot be read, or an option this driver does not know");
  pool->idle_.push_back(first);
  return pool;
}

Pool::~Pool() {
  for (mongoc_client_t* client : idle_) mongoc_client_destroy(client);
  mongoc_uri_destroy(uri_);
}

mongoc_client_t* Pool::connect() const {
  bson_error_t ignored;
  mongoc_client_t* client = mongoc_client_new_from_uri_with_error(uri_, &ignored);
  if (client != nullptr) mongoc_client_set_error_api(client, MONGOC_ERROR_API_VERSION_2);
  return client;
}

mongoc_client_t* Pool::borrow() {
  {
    const std::lock_guard lock(lock_);
    if (!idle_.empty()) {
      mongoc_client_t* client = idle_.back();
      idle_.pop_back();
      return client;
    }
  }
  if (mongoc_client_t* client = connect()) return client;
  // The name does not resolve just now: a client that finds nobody gives the ordinary error.
  mongoc_client_t* nobody = mongoc_client_new(nobodys_uri);
  mongoc_client_set_error_api(nobody, MONGOC_ERROR_API_VERSION_2);
  return nobody;
}

void Pool::give_back(mongoc_client_t* client) {
  if (std::string_view(mongoc_uri_get_hosts(mongoc_client_get_uri(client))->host) == nobodys_host) {
    mongoc_client_destroy(client);
    return;
  }
  const std::lock_guard lock(lock_);
  idle_.push_back(client);
}

void Pool::saw(std::uint64_t timestamp) {
  std::uint64_t known = seen_.load();
  while (known < timestamp && !seen_.compare_exchange_weak(known, timestamp)) {}
}

Error Lease::explain(const bson_error_t& error, const bson_t* reply, Nature nature) const {
  std::string text = pool_.masked(error.message);
  if (error.domain == MONGOC_ERROR_SERVER_SELECTION)
    text = "no MongoDB server to write to was found: " + text +
           "; check host, port, replica set name and that it is up";
  if (reply != nullptr) {
    const auto name = text_at(bytes_of(reply), "codeName");
    if (name && text.find(*name) == std::string::npos) text += " (" + std::string(*name) + ")";
  }
  Error out = fail(fault_of(error), std::move(text));
  if (nature == Nature::write && may_have_happened(error)) out.effect = Effect::unknown;
  return out;
}

Result<Document> Lease::run(const std::string& database, const Document& command,
                            Nature nature) const {
  bson_t reply;
  bson_error_t error{};
  const bool ok = mongoc_client_command_simple(client_, database.c_str(), command.get(), nullptr,
                                               &reply, &error);
  Document out(bson_copy(&reply));
  bson_destroy(&reply);
  if (!ok) return explain(error, out.get(), nature);
  if (const auto stamp = stamp_at(out.view(), "operationTime")) pool_.saw(*stamp);
  if (const auto concern = doc_at(out.view(), "writeConcernError"))
    return unknown_effect(
        Fault::timeout, "written, but a majority of the replica set did not confirm it in time: " +
                            pool_.masked(text_at(*concern, "errmsg").value_or("no reason given")) +
                            "; check that every data-bearing member is up");
  return out;
}

Status Lease::order(const std::string& database, const Document& command, Nature nature) const {
  TRY(run(database, command, nature));
  return {};
}

Result<Session> Session::start(const Lease& lease, bool causal, std::uint64_t after) {
  if (!causal) return Session(lease, nullptr);
  mongoc_session_opt_t* options = mongoc_session_opts_new();
  mongoc_session_opts_set_causal_consistency(options, true);
  bson_error_t error{};
  mongoc_client_session_t* session = mongoc_client_start_session(lease.get(), options, &error);
  mongoc_session_opts_destroy(options);
  if (session == nullptr) return lease.explain(error, nullptr, Nature::read);
  const std::uint64_t time = std::max(after, lease.pool().seen());
  if (time != 0)
    mongoc_client_session_advance_operation_time(session, static_cast<std::uint32_t>(time >> 32),
                                                 static_cast<std::uint32_t>(time));
  return Session(lease, session);
}

Session::Session(Session&& other) noexcept
    : lease_(other.lease_), session_(std::exchange(other.session_, nullptr)) {}

Session::~Session() {
  if (session_ == nullptr) return;
  std::uint32_t seconds = 0, ordinal = 0;
  mongoc_client_session_get_operation_time(session_, &seconds, &ordinal);
  lease_->pool().saw(std::uint64_t{seconds} << 32 | ordinal);
  mongoc_client_session_destroy(session_);
}

Status Session::add_to(Document& options) const {
  if (session_ == nullptr) return {};
  bson_error_t error{};
  if (!mongoc_client_session_append(session_, options.get(), &error))
    return lease_->explain(error, nullptr, Nature::read);
  return {};
}

CollectionHandle open_collection(const Lease& lease, const Namespace& ns) {
  return CollectionHandle(
      mongoc_client_get_collection(lease.get(), ns.database.c_str(), ns.collection.c_str()));
}

Status drain(const Lease& lease, mongoc_cursor_t* cursor, const DocumentSink& sink,
             std::stop_token stop) {
  const bson_t* document = nullptr;
  while (mongoc_cursor_next(cursor, &document)) {
    if (stop.stop_requested()) return fail(Fault::cancelled, "stopped while reading the database");
    TRY(sink(bytes_of(document)));
  }
  bson_error_t error{};
  const bson_t* reply = nullptr;
  if (mongoc_cursor_error_document(cursor, &error, &reply))
    return lease.explain(error, reply, Nature::read);
  return {};
}

}  // namespace belay::database
