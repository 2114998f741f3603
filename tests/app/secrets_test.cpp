// SPDX-License-Identifier: Apache-2.0
#include "app/secrets.hpp"

#include "tests/support/scratch_project.hpp"

namespace belay::app {
namespace {

using pipeline::Spec;
using testing::ScratchProject;

class SecretsTest : public ::testing::Test {
 protected:
  Secrets from(Spec::Secrets source, Getenv env = {}) {
    return {std::move(source), project_.folder(), std::move(env)};
  }
  ScratchProject project_;
};

TEST_F(SecretsTest, TheEnvironmentWinsOverTheFile) {
  project_.write("secrets", "A=from-file\nB=also-file\n", 0600);
  auto secrets = from({"secrets", ""}, {{"A", "from-environment"}});
  EXPECT_EQ(secrets.resolve("A")->reveal(), "from-environment");
  EXPECT_EQ(secrets.resolve("B")->reveal(), "also-file");
}

TEST_F(SecretsTest, AFileThatOthersMayReadIsRefusedWithTheRemedy) {
  for (const mode_t mode : {0644, 0640, 0604, 0620}) {
    project_.write("secrets", "A=value-of-a\n", mode);
    auto secret = from({"secrets", ""}).resolve("A");
    ASSERT_FALSE(secret.ok()) << mode;
    EXPECT_EQ(secret.error().fault, Fault::denied);
    EXPECT_NE(secret.error().message().find("chmod 600"), std::string::npos);
    EXPECT_EQ(secret.error().message().find("value-of-a"), std::string::npos);
  }
}

TEST_F(SecretsTest, ACommandIsGivenTheNameAsItsLastWord) {
  project_.write("op", "#!/bin/sh\n[ \"$2\" = TOKEN ] || exit 1\necho \"value of $2\"\n", 0755);
  auto secrets = from({"", (project_.folder() / "op").string() + " read"});
  EXPECT_EQ(secrets.resolve("TOKEN")->reveal(), "value of TOKEN");
  EXPECT_FALSE(secrets.resolve("OTHER").ok());
}

TEST_F(SecretsTest, AMissingNameIsNamedWithTheWayToGiveIt) {
  auto secret = from({}).resolve("JWT_SECRET");
  ASSERT_FALSE(secret.ok());
  EXPECT_EQ(secret.error().fault, Fault::missing);
  EXPECT_NE(secret.error().message().find("JWT_SECRET is not set"), std::string::npos);
  EXPECT_NE(secret.error().message().find("secrets: { file: FILE }"), std::string::npos);
}

TEST_F(SecretsTest, WhatWasResolvedIsMaskedInEveryFormAndWhatWasNotStays) {
  auto secrets = from({}, {{"A", "s3cret value"}, {"B", "never used"}});
  ASSERT_TRUE(secrets.resolve("A").ok());
  EXPECT_EQ(secrets.mask("a s3cret value b").find("s3cret"), std::string::npos);
  EXPECT_EQ(secrets.mask("s3cret%20value").find("s3cret"), std::string::npos);
  EXPECT_EQ(secrets.mask("never used"), "never used");
}

TEST_F(SecretsTest, ATextAroundASecretIsMaskedAsAWholeAndAPlainSettingIsNot) {
  auto secrets = from({}, {{"PASSWORD", "hunter22"}});
  auto uri = secrets.expand({"mongodb://shop:${PASSWORD}@db/shop"});
  ASSERT_TRUE(uri.ok());
  EXPECT_EQ(uri->reveal(), "mongodb://shop:hunter22@db/shop");
  EXPECT_EQ(secrets.mask(uri->reveal()).find("@db/shop"), std::string::npos);
  auto plain = secrets.expand({"http://${service.api.url}/x"}, {{"service.api.url", "here:1"}});
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(secrets.mask("http://here:1/x"), "http://here:1/x");
}

TEST_F(SecretsTest, ADamagedLineIsToldByItsNumberOnly) {
  auto values = parse_env_file("A=1\n\n# note\nhunter22\n");
  ASSERT_FALSE(values.ok());
  EXPECT_NE(values.error().message().find("line 4"), std::string::npos);
  EXPECT_EQ(values.error().message().find("hunter22"), std::string::npos);
}

TEST_F(SecretsTest, EnvFilesMayExportQuoteAndHoldEqualsSigns) {
  auto values = parse_env_file("export A=1\nB=\"two words\"\nC='x=y'\nD=a=b\nE=\n");
  ASSERT_TRUE(values.ok());
  EXPECT_EQ(*values, (std::map<std::string, std::string>{
                         {"A", "1"}, {"B", "two words"}, {"C", "x=y"}, {"D", "a=b"}, {"E", ""}}));
}

}  // namespace
}  // namespace belay::app
