// SPDX-License-Identifier: Apache-2.0
#include "tests/storage/stores.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/process.hpp"
#include "net/date.hpp"
#include "net/url.hpp"
#include "storage/aws_signature.hpp"
#include "storage/azure_signature.hpp"
#include "tests/support/certificate.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/server_process.hpp"

namespace belay::testing {
namespace {

constexpr const char* emulator_account = "devstoreaccount1";
// Known to everybody: Azurite's own.
constexpr const char* emulator_key =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

std::string fresh_prefix() {
  static std::atomic<int> count{0};
  return "team/p" + std::to_string(++count) + "/";
}

template <class T>
T must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << result.error().message();
    std::abort();
  }
  return std::move(result).value();
}

std::string local(int port) {
  return "http://127.0.0.1:" + std::to_string(port);
}

void make_container(const storage::AzureConfig& config) {
  SystemClock clock;
  net::Request request;
  const net::Query query{{"restype", "container"}};
  request.method = "PUT";
  request.url = config.endpoint + "/" + config.container + "?" + net::query_text(query);
  request.headers = {{"x-ms-version", "2021-12-02"},
                     {"content-type", "text/plain"},
                     {"x-ms-date", net::http_date(clock.now())}};
  const auto key = must(from_base64(config.key.reveal()));
  ASSERT_TRUE(storage::sign_for_azure(request, query, config.account, key).ok());
  const auto made = must(net::make_client(clock)->send(request, {}));
  ASSERT_EQ(made.status, 201) << made.body;
}

Path minio_program() {
  const char* named = std::getenv("BELAY_MINIO");
  if (named != nullptr) return named;
  return find_program("minio").value_or(Path());
}

void make_bucket(const storage::S3Config& config, bool with_lock) {
  SystemClock clock;
  net::Request request;
  request.method = "PUT";
  request.url = config.endpoint + "/" + config.bucket;
  request.headers = {{"content-type", "application/xml"}};
  if (with_lock) request.headers["x-amz-bucket-object-lock-enabled"] = "true";
  ASSERT_TRUE(storage::sign_for_aws(request, config.key, config.region, clock.now()).ok());
  const auto made = must(net::make_client(clock)->send(request, {}));
  ASSERT_EQ(made.status, 200) << made.body;
}

storage::S3Config s3_config(int port, storage::AwsKey key, const std::string& region) {
  storage::S3Config config;
  config.bucket = "shop-backups";
  config.region = region;
  config.prefix = fresh_prefix();
  config.endpoint = local(port);
  config.path_style = true;
  config.key = std::move(key);
  config.part_bytes = std::size_t{5} << 20;
  config.patience = impatience();
  return config;
}

storage::AwsKey key_in(const Json& json) {
  const auto text = [&json](const char* member) { return json.value(member, std::string()); };
  return {text("id"), Secret(text("secret")), Secret(text("session"))};
}

}  // namespace

net::Patience impatience() {
  return {6, Millis(1), Millis(10), Millis(2000)};
}

S3Server s3_server() {
  static const auto process = must(ServerProcess::start(
      {BELAY_TOOLS_DIR "/venv/bin/python", "-B", BELAY_SOURCE_DIR "/tests/support/s3_server.py"},
      "{\"port\""));
  const auto said = must(parse_json(process->line()));
  const int port = said.at("port").get<int>();
  const auto& role = said.at("role");
  return {port, s3_config(port, key_in(said), "eu-central-1"), role.at("arn").get<std::string>(),
          key_in(role)};
}

std::string sts_answer(const storage::AwsKey& key, TimePoint until) {
  return fmt::format(
      "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>"
      "<AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>"
      "<SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials>"
      "</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>",
      key.id, key.secret.reveal(), key.session.reveal(), to_text(until));
}

storage::S3Config with_lock(storage::S3Config config, Millis time) {
  config.bucket = "shop-locked";
  config.lock.time = time;
  return config;
}

bool has_minio() {
  return !minio_program().empty();
}

S3Server minio_server() {
  static const auto folder = must(ScratchFolder::make("belay-minio"));
  static const int port = unused_port();
  static const auto process = must(ServerProcess::start(
      {"env", "MINIO_ROOT_USER=belay-root", "MINIO_ROOT_PASSWORD=a-password-for-tests",
       minio_program().string(), "server", folder.path().string(), "--address",
       "127.0.0.1:" + std::to_string(port), "--console-address", "127.0.0.1:0"},
      "API: "));
  const auto config =
      s3_config(port, {"belay-root", Secret("a-password-for-tests"), {}}, "us-east-1");
  static const bool made = [&config] {
    make_bucket(config, false);
    make_bucket(with_lock(config), true);
    return true;
  }();
  EXPECT_TRUE(made);
  return {port, config, "", {}};
}

namespace {

AzureServer azurite(const ServerProcess& process, const std::string& scheme) {
  AzureServer server;
  server.port = std::stoi(process.line().substr(process.line().rfind(':') + 1));
  server.config.account = emulator_account;
  server.config.key = Secret(emulator_key);
  server.config.container = "backups";
  server.config.prefix = fresh_prefix();
  server.config.endpoint =
      fmt::format("{}://127.0.0.1:{}/{}", scheme, server.port, emulator_account);
  server.config.part_bytes = std::size_t{4} << 20;
  server.config.patience = impatience();
  return server;
}

std::unique_ptr<ServerProcess> start_azurite(const std::vector<std::string>& more) {
  std::vector<std::string> argv{BELAY_TOOLS_DIR "/node/node_modules/.bin/azurite-blob",
                                "--silent",
                                "--inMemoryPersistence",
                                "--disableTelemetry",
                                "--blobHost",
                                "127.0.0.1",
                                "--blobPort",
                                "0"};
  argv.insert(argv.end(), more.begin(), more.end());
  return must(ServerProcess::start(argv, "successfully listen"));
}

}  // namespace

AzureServer azure_server() {
  static const auto process = start_azurite({});
  const auto server = azurite(*process, "http");
  static const bool made = (make_container(server.config), true);
  EXPECT_TRUE(made);
  return server;
}

AzureServer azure_oauth_server() {
  static const auto folder = must(ScratchFolder::make("belay-azurite"));
  static const auto process = [] {
    CertificateWish wish;
    wish.name = "An authority";
    wish.authority = true;
    const auto authority = make_identity(wish);
    const auto identity = make_identity({}, &authority);
    const auto path = [](const char* name) { return (folder.path() / name).string(); };
    EXPECT_TRUE(write_file(path("authority.pem"), authority.certificate));
    EXPECT_TRUE(write_file(path("certificate.pem"), identity.certificate));
    EXPECT_TRUE(write_file(path("key.pem"), identity.key));
    ::setenv("SSL_CERT_FILE", path("authority.pem").c_str(), 1);
    return start_azurite(
        {"--cert", path("certificate.pem"), "--key", path("key.pem"), "--oauth", "basic"});
  }();
  const auto server = azurite(*process, "https");
  static const bool made = (make_container(server.config), true);
  EXPECT_TRUE(made);
  return server;
}

}  // namespace belay::testing
