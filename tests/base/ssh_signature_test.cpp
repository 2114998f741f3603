// SPDX-License-Identifier: Apache-2.0
#include "base/ssh_signature.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/hash.hpp"
#include "base/process.hpp"
#include "base/text.hpp"

namespace belay::ssh {
namespace {

const std::string ours = "approval@belay";

class SshSignature : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(find_program("ssh-keygen")) << "ssh-keygen is missing: apt install openssh-client";
  }

  Path make_key(const std::string& type, const std::string& bits = "",
                const std::string& passphrase = "") {
    const auto file = scratch_.path() / ("key-" + type + bits + passphrase);
    Command command;
    command.argv = {"ssh-keygen", "-q", "-t",    type, "-N",
                    passphrase,   "-C", "amina", "-f", file.string()};
    if (!bits.empty()) command.argv.insert(command.argv.end(), {"-b", bits});
    auto made = run_ok(command);
    EXPECT_TRUE(made.ok()) << made.error().message();
    return file;
  }

  static std::string public_of(const Path& key) {
    return std::string(trim(read_file(key.string() + ".pub").value()));
  }

  std::string signed_by(const Path& key, std::string_view bytes, const std::string& space = ours) {
    auto signature = sign(key, space, bytes);
    EXPECT_TRUE(signature.ok()) << signature.error().message();
    return signature.ok() ? *signature : "";
  }

  ScratchFolder scratch_ = ScratchFolder::make("ssh-test").value();
};

TEST_F(SshSignature, HoldsForEachKindOfKeyAndForNoOtherBytes) {
  const std::string bytes("plan\0\xff\n", 7);
  for (const auto& key : {make_key("ed25519"), make_key("ecdsa", "256"), make_key("ecdsa", "384"),
                          make_key("ecdsa", "521"), make_key("rsa", "2048")}) {
    const auto signature = signed_by(key, bytes);
    EXPECT_TRUE(verify(public_of(key), ours, bytes, signature).value()) << key;
    EXPECT_FALSE(verify(public_of(key), ours, bytes.substr(1), signature).value()) << key;
    EXPECT_FALSE(verify(public_of(key), ours, "", signature).value()) << key;
    EXPECT_FALSE(verify(public_of(key), "other@belay", bytes, signature).value()) << key;
  }
}

TEST_F(SshSignature, AnotherPersonsKeyDoesNotVerifyIt) {
  const auto amina = make_key("ed25519");
  const auto leo = make_key("ecdsa");
  const auto signature = signed_by(amina, "plan");
  EXPECT_FALSE(verify(public_of(leo), ours, "plan", signature).value());
}

TEST_F(SshSignature, ASignatureForAnotherPurposeIsNotOurs) {
  const auto key = make_key("ed25519");
  const auto signature = signed_by(key, "plan", "git");
  EXPECT_FALSE(verify(public_of(key), ours, "plan", signature).value());
}

TEST_F(SshSignature, EmptyAndLargeTextsCanBeSigned) {
  const auto key = make_key("ed25519");
  const std::string large(3 << 20, 'x');
  EXPECT_TRUE(verify(public_of(key), ours, "", signed_by(key, "")).value());
  EXPECT_TRUE(verify(public_of(key), ours, large, signed_by(key, large)).value());
}

TEST_F(SshSignature, TellsTheKeyThatMadeIt) {
  const auto key = make_key("ed25519");
  const auto told = public_key_in(signed_by(key, "plan"));
  ASSERT_TRUE(told.ok());
  EXPECT_EQ(*told + " amina", public_of(key));
  EXPECT_EQ(fingerprint(*told).value(), fingerprint(public_of(key)).value());
}

TEST_F(SshSignature, TheFingerprintIsTheOneSshKeygenPrints) {
  for (const auto& key : {make_key("ed25519"), make_key("rsa", "3072"), make_key("ecdsa")}) {
    Command command;
    command.argv = {"ssh-keygen", "-l", "-E", "sha256", "-f", key.string() + ".pub"};
    EXPECT_EQ(split(run_ok(command)->out, ' ')[1], fingerprint(public_of(key)).value());
  }
}

TEST_F(SshSignature, CommentsDoNotMakeAnotherKey) {
  const auto line = public_of(make_key("ed25519"));
  const auto bare = line.substr(0, line.rfind(' '));
  EXPECT_EQ(fingerprint(bare).value(), fingerprint(bare + " somebody else").value());
  EXPECT_EQ(fingerprint(bare).value(), fingerprint("  " + bare + "\r\n").value());
}

TEST_F(SshSignature, SmallRsaKeysAreRefusedOnBothSides) {
  const auto weak = make_key("rsa", "1024");
  EXPECT_FALSE(fingerprint(public_of(weak)).ok());
  EXPECT_FALSE(sign(weak, ours, "plan").ok());
  EXPECT_NE(fingerprint(public_of(weak)).error().text.find("2048"), std::string::npos);
}

TEST_F(SshSignature, KeyLinesWithOptionsOrMoreLinesAreRefused) {
  const auto key = make_key("ed25519");
  const auto line = public_of(key);
  const auto signature = signed_by(key, "plan");
  const auto other = public_of(make_key("ecdsa"));
  for (const auto& hostile :
       {"cert-authority " + line, "namespaces=\"git\" " + line, "* " + line,
        other + "\n" + "signer " + line, line + "\n" + other, "leo " + line,
        "ssh-ed25519-cert-v01@openssh.com " + split(line, ' ')[1], std::string("ssh-ed25519"),
        "ssh-dss " + split(line, ' ')[1], "ssh-rsa " + split(line, ' ')[1], line.substr(0, 40),
        std::string(), std::string("ssh-ed25519 !!!!"), "ssh-ed25519  " + split(line, ' ')[1],
        line + std::string(100000, 'x'),
        "ssh-ed25519 " + split(line, ' ')[1] + std::string("\0x", 2)}) {
    const auto answer = verify(hostile, ours, "plan", signature);
    EXPECT_FALSE(answer.ok()) << hostile.substr(0, 80);
    EXPECT_FALSE(fingerprint(hostile).ok()) << hostile.substr(0, 80);
  }
}

TEST_F(SshSignature, ASecurityKeysPublicLineIsAccepted) {
  const auto field = [](std::string_view bytes) {
    std::string out(3, '\0');
    out += static_cast<char>(bytes.size());
    return out + std::string(bytes);
  };
  const std::string ed = "sk-ssh-ed25519@openssh.com";
  const std::string ec = "sk-ecdsa-sha2-nistp256@openssh.com";
  EXPECT_TRUE(
      fingerprint(ed + " " + base64(field(ed) + field(std::string(32, 'k')) + field("ssh:"))).ok());
  EXPECT_TRUE(fingerprint(ec + " " +
                          base64(field(ec) + field("nistp256") + field(std::string(65, '\x04')) +
                                 field("ssh:")))
                  .ok());
}

TEST_F(SshSignature, EveryCutOfASignatureIsRefused) {
  const auto key = make_key("ed25519");
  const auto whole = signed_by(key, "plan");
  const auto last = whole.find_last_not_of('\n');
  for (std::size_t size = 0; size <= last; size += 7) {
    EXPECT_FALSE(verify(public_of(key), ours, "plan", whole.substr(0, size)).ok()) << size;
    EXPECT_FALSE(public_key_in(whole.substr(0, size)).ok()) << size;
  }
}

TEST_F(SshSignature, AnAlteredSignatureNeverVerifies) {
  const auto key = make_key("ed25519");
  const auto whole = signed_by(key, "plan");
  for (std::size_t at = 30; at + 30 < whole.size(); at += 17) {
    auto altered = whole;
    if (altered[at] == '\n') continue;
    altered[at] = altered[at] == 'A' ? 'B' : 'A';
    const auto answer = verify(public_of(key), ours, "plan", altered);
    EXPECT_FALSE(answer.ok() && *answer) << at;
  }
}

TEST_F(SshSignature, HugeAndForeignSignaturesAreRefused) {
  const auto key = public_of(make_key("ed25519"));
  const std::string begin = "-----BEGIN SSH SIGNATURE-----\n",
                    end = "\n-----END SSH SIGNATURE-----";
  for (const auto& text :
       {begin + std::string(1 << 20, 'A') + end, begin + end, begin + base64("SSHSIG") + end,
        begin + base64(std::string("SSHSIG\0\0\0\1\xff\xff\xff\xff", 14)) + end,
        begin + base64(std::string("SSHSIG\0\0\0\2", 10)) + end,
        std::string("-----BEGIN SSH SIGNATURE-----"),
        std::string("-----BEGIN PGP SIGNATURE-----")}) {
    EXPECT_FALSE(verify(key, ours, "plan", text).ok());
    EXPECT_FALSE(public_key_in(text).ok());
  }
}

TEST_F(SshSignature, NamespacesThatLookLikeOptionsAreRefused) {
  const auto key = make_key("ed25519");
  for (const std::string space : {"", "-h", "a b", "a\nb", "a,b", "*"}) {
    EXPECT_FALSE(sign(key, space, "plan").ok()) << space;
    EXPECT_FALSE(verify(public_of(key), space, "plan", "").ok()) << space;
  }
}

TEST_F(SshSignature, AKeyWithAPassphraseIsAnErrorWithoutATerminal) {
  if (isatty(STDERR_FILENO) == 1) GTEST_SKIP() << "would ask on this terminal";
  const auto key = make_key("ed25519", "", "open sesame");
  unsetenv("DISPLAY");
  auto signature = sign(key, ours, "plan");
  ASSERT_FALSE(signature.ok());
  EXPECT_NE(signature.error().text.find("passphrase"), std::string::npos);
}

TEST_F(SshSignature, AMissingKeyFileIsNamed) {
  auto signature = sign(scratch_.path() / "nobody", ours, "plan");
  ASSERT_FALSE(signature.ok());
  EXPECT_EQ(signature.error().fault, Fault::missing);
  EXPECT_NE(signature.error().text.find("nobody"), std::string::npos);
  EXPECT_FALSE(sign(scratch_.path(), ours, "plan").ok());
}

}  // namespace
}  // namespace belay::ssh
