// SPDX-License-Identifier: Apache-2.0
// Against published requests and signatures: AWS's from the S3 API reference ("Examples: signature
// calculations"), Azure's taken from its emulator, which checks them.
#include <gtest/gtest.h>

#include "base/hash.hpp"
#include "net/date.hpp"
#include "storage/aws_signature.hpp"
#include "storage/azure_signature.hpp"

namespace belay::storage {
namespace {

struct AwsExamples : ::testing::Test {
  AwsKey key{"AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), {}};
  net::Request request;

  AwsExamples() { request.url = "https://examplebucket.s3.amazonaws.com/"; }
  std::string signature() {
    const auto at = parse_time("2013-05-24T00:00:00Z").value();
    EXPECT_TRUE(sign_for_aws(request, key, "us-east-1", at).ok());
    const auto& text = request.headers["authorization"];
    return text.substr(text.find("Signature=") + 10);
  }
};

TEST_F(AwsExamples, GetObjectWithARange) {
  request.url += "test.txt";
  request.headers["range"] = "bytes=0-9";
  EXPECT_EQ(signature(), "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  EXPECT_NE(request.headers["authorization"].find(
                "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"),
            std::string::npos);
}

TEST_F(AwsExamples, PutObject) {
  request.method = "PUT";
  request.url += "test%24file.text";
  request.body = "Welcome to Amazon S3.";
  request.headers["date"] = "Fri, 24 May 2013 00:00:00 GMT";
  request.headers["x-amz-storage-class"] = "REDUCED_REDUNDANCY";
  EXPECT_EQ(signature(), "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST_F(AwsExamples, AQueryWithAndWithoutAValue) {
  request.url += "?" + net::query_text({{"lifecycle", ""}});
  EXPECT_EQ(signature(), "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  request = {};
  request.url = "https://examplebucket.s3.amazonaws.com/?" +
                net::query_text({{"prefix", "J"}, {"max-keys", "2"}});
  EXPECT_EQ(signature(), "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST_F(AwsExamples, ATokenOfTemporaryKeysIsSentAndSigned) {
  key.session = Secret("the-token");
  const auto with = signature();
  EXPECT_EQ(request.headers["x-amz-security-token"], "the-token");
  EXPECT_NE(request.headers["authorization"].find("x-amz-security-token"), std::string::npos);
  key.session = Secret("another");
  EXPECT_NE(signature(), with);
}

struct AzureExamples : ::testing::Test {
  std::string key = from_base64(
                        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/"
                        "K1SZFPTOtr/KBHBeksoGMGw==")
                        .value();
  net::Request request;

  std::string signature(const net::Query& query) {
    request.method = "PUT";
    request.headers["x-ms-date"] = "Mon, 05 Jan 2026 00:00:00 GMT";
    request.headers["x-ms-version"] = "2021-12-02";
    EXPECT_TRUE(sign_for_azure(request, query, "devstoreaccount1", key).ok());
    return request.headers["authorization"];
  }
};

TEST_F(AzureExamples, CreateContainer) {
  request.url = "http://127.0.0.1:10000/devstoreaccount1/artifacts?restype=container";
  EXPECT_EQ(signature({{"restype", "container"}}),
            "SharedKey devstoreaccount1:FdGdT00/doNjwh/QiMDEWlv9vztViVAnYeWnuhnxhCI=");
}

TEST_F(AzureExamples, PutBlobIfAbsent) {
  request.url = "http://127.0.0.1:10000/devstoreaccount1/artifacts/rel/a%20b.txt";
  request.body = "hello world";
  request.headers = {{"content-type", "text/plain"},
                     {"if-none-match", "*"},
                     {"x-ms-blob-type", "BlockBlob"},
                     {"x-ms-meta-sha256", "abc"}};
  EXPECT_EQ(signature({}),
            "SharedKey devstoreaccount1:NGcP9yD9tUfSQ7WclcfnJMqE22NwHjnllKvo/YviCy8=");
}

}  // namespace
}  // namespace belay::storage
