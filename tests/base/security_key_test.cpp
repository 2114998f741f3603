// SPDX-License-Identifier: Apache-2.0
// A security key, played: what the hardware would sign is made here with an ordinary ed25519 key,
// and the real ssh-keygen judges it.
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <array>
#include <memory>

#include "base/hash.hpp"
#include "base/ssh_signature.hpp"

namespace belay::ssh {
namespace {

const std::string security_key_type = "sk-ssh-ed25519@openssh.com";
const std::string application = "ssh:";
const std::string for_approvals = "belay-approval-v1";

std::string four(std::size_t number) {
  std::string out;
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(number >> shift & 0xffU);
  return out;
}
std::string string(std::string_view bytes) {
  return four(bytes.size()) + std::string(bytes);
}
std::string hashed(std::string_view bytes) {
  const auto digest = sha256(bytes);
  return {digest.begin(), digest.end()};
}

class SecurityKey {
 public:
  SecurityKey() : key_(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free) {
    EXPECT_NE(key_, nullptr);
  }
  std::string blob() const {
    std::array<unsigned char, 32> raw{};
    std::size_t size = raw.size();
    EXPECT_EQ(EVP_PKEY_get_raw_public_key(key_.get(), raw.data(), &size), 1);
    return string(security_key_type) + string(std::string(raw.begin(), raw.end())) +
           string(application);
  }
  std::string public_line() const { return security_key_type + " " + base64(blob()) + " amina"; }

  // PROTOCOL.sshsig around PROTOCOL.u2f; flags 1: the person touched it.
  std::string sign(std::string_view bytes) const {
    const char flags = 1;
    const std::size_t counter = 7;
    const auto message =
        "SSHSIG" + string(for_approvals) + string("") + string("sha256") + string(hashed(bytes));
    const auto signature = raw(hashed(application) + flags + four(counter) + hashed(message));
    const auto whole =
        "SSHSIG" + four(1) + string(blob()) + string(for_approvals) + string("") +
        string("sha256") +
        string(string(security_key_type) + string(signature) + flags + four(counter));
    std::string armored = "-----BEGIN SSH SIGNATURE-----\n";
    const auto text = base64(whole);
    for (std::size_t at = 0; at < text.size(); at += 70) armored += text.substr(at, 70) + "\n";
    return armored + "-----END SSH SIGNATURE-----\n";
  }

 private:
  std::string raw(const std::string& bytes) const {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          EVP_MD_CTX_free);
    std::array<unsigned char, 64> out{};
    std::size_t size = out.size();
    EXPECT_EQ(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()), 1);
    EXPECT_EQ(EVP_DigestSign(context.get(), out.data(), &size,
                             reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()),
              1);
    return {out.begin(), out.end()};
  }
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
};

TEST(SecurityKeys, SignaturesOfOneHoldAndOfAnotherDoNot) {
  const SecurityKey amina, mallory;
  const auto signature = amina.sign("the request");
  const auto holds = verify(amina.public_line(), for_approvals, "the request", signature);
  ASSERT_TRUE(holds.ok()) << holds.error().message();
  EXPECT_TRUE(*holds);
  EXPECT_FALSE(verify(amina.public_line(), for_approvals, "another", signature).value());
  EXPECT_FALSE(verify(mallory.public_line(), for_approvals, "the request", signature).value());
  EXPECT_EQ(*fingerprint(*public_key_in(signature)), *fingerprint(amina.public_line()));
}

}  // namespace
}  // namespace belay::ssh
