// SPDX-License-Identifier: Apache-2.0
#include "base/text.hpp"

#include <gtest/gtest.h>

#include "base/hash.hpp"
#include "base/json.hpp"

namespace belay {
namespace {

TEST(Text, SplittingAndJoiningAreInverse) {
  EXPECT_EQ(split("a,,b", ','), (std::vector<std::string>{"a", "", "b"}));
  EXPECT_EQ(split("", ','), std::vector<std::string>{""});
  EXPECT_EQ(join(split("a,,b,", ','), ","), "a,,b,");
}

TEST(Text, TheNearestWordIsOfferedAndAFarOneIsNot) {
  EXPECT_EQ(nearest("depoly", {"deploy", "rollback"}), "deploy");
  EXPECT_EQ(nearest("zzzzzz", {"deploy", "rollback"}), "");
  EXPECT_EQ(nearest("deploy", {}), "");
}

TEST(Text, NumbersForPeople) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1000), "1,000");
  EXPECT_EQ(with_commas(212408), "212,408");
  EXPECT_EQ(bytes_for_people(53'000'000), "53 MB");
}

TEST(Text, AQuotedWordIsOneWordForAShell) {
  EXPECT_EQ(shell_quoted("it's $HOME"), "'it'\\''s $HOME'");
  EXPECT_EQ(shell_quoted(""), "''");
}

TEST(Hash, KnownDigests) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256Stream pieces;
  pieces.add("a");
  pieces.add("bc");
  EXPECT_EQ(pieces.finish(), sha256("abc"));
}

TEST(Printable, TextOfOthersCannotMoveTheCursorHideOrTurnAround) {
  EXPECT_EQ(printable("\x1b[1A\x1b[2Kok\r\b\x7f"), "\\x1b[1A\\x1b[2Kok\\x0d\\x08\\x7f");
  EXPECT_EQ(printable("a\nb"), "a\\x0ab");
  EXPECT_EQ(printable("a\nb\x1b", true), "a\nb\\x1b");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\x9b31m");  // a control sequence in one character
  EXPECT_EQ(printable("\xe2\x80\xae"
                      "gpj.exe"),
            "\\u202egpj.exe");
  EXPECT_EQ(printable("a\xff\xc3"), "a\\xff\\xc3");
  EXPECT_EQ(printable("\xc0\x9b"), "\\xc0\\x9b");  // overlong
}

TEST(Printable, WhatPeopleWriteStaysAsItIs) {
  for (const std::string text : {"naïve · ✓ 漢字 🙂 ━╌", "a \\x1b that was typed", ""})
    EXPECT_EQ(printable(text), text);
}

TEST(Hash, TextsOfBytesComeBack) {
  const std::string bytes("\0\xff\x10~", 4);
  EXPECT_EQ(hex(bytes), "00ff107e");
  EXPECT_EQ(from_hex("00ff107e").value(), bytes);
  EXPECT_EQ(from_base64(base64(bytes)).value(), bytes);
  EXPECT_EQ(base64("ab"), "YWI=");
  EXPECT_FALSE(from_hex("0"));
  EXPECT_FALSE(from_hex("zz"));
  EXPECT_FALSE(from_base64("a!=="));
}

TEST(Json, OneTextForOneValue) {
  const auto one = parse_json(R"({"b": 1, "a": [true, null, "ü"]})");
  ASSERT_TRUE(one);
  EXPECT_EQ(canonical(*one), R"({"a":[true,null,"ü"],"b":1})");
  EXPECT_FALSE(parse_json("{"));
  EXPECT_FALSE(parse_json(""));
  EXPECT_NO_THROW(canonical(Json("\xff")));
}

}  // namespace
}  // namespace belay
