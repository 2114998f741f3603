// SPDX-License-Identifier: Apache-2.0
#include "base/secret.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/hash.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace belay {
namespace {

Masker masker_for(std::initializer_list<std::string> secrets) {
  Masker masker;
  for (const auto& text : secrets) masker.add(Secret(text));
  return masker;
}

TEST(Secret, PrintsAsStars) {
  EXPECT_EQ(format_as(Secret("hunter22")), "***");
}

TEST(Masker, EveryEncodingIsHidden) {
  const std::string secret = "p@ss/w\"o r'd+\\9";
  const Masker masker = masker_for({secret});
  const std::string json = Json(secret).dump();
  for (const std::string& shown :
       {secret, std::string("p%40ss%2Fw%22o%20r%27d%2B%5C9"),
        std::string("p%40ss%2fw%22o%20r%27d%2b%5c9"), std::string("p%40ss%2Fw%22o+r%27d%2B%5C9"),
        json.substr(1, json.size() - 2), shell_quoted(secret), hex(secret)}) {
    const std::string masked = masker.mask("<" + shown + ">");
    EXPECT_NE(masked.find("***"), std::string::npos) << shown;
    EXPECT_EQ(masked.find("ss"), std::string::npos) << masked;
  }
}

TEST(Masker, AsXmlHasItItIsHidden) {
  EXPECT_EQ(masker_for({"sv=1&sig=<x>"}).mask("no: sv=1&amp;sig=&lt;x&gt;."), "no: ***.");
}

TEST(Masker, Base64IsHiddenAtEveryOffset) {
  const std::string secret = "correct horse battery";
  const Masker masker = masker_for({secret});
  for (const char* before : {"", "u", "us", "user:", "someone:"}) {
    const std::string masked = masker.mask(base64(before + secret + "!"));
    EXPECT_NE(masked.find("***"), std::string::npos) << before;
    EXPECT_LT(masked.size(), 24U) << masked;
  }
}

TEST(Masker, OverlappingSecretsLeaveNothing) {
  EXPECT_EQ(masker_for({"abcdef", "defghi"}).mask("<abcdefghi>"), "<***>");
  EXPECT_EQ(masker_for({"abcd", "abcdefgh"}).mask("<abcdefgh>"), "<***>");
}

TEST(Masker, ShortSecretsAreNotMaskedForTheyWouldHideOrdinaryText) {
  EXPECT_EQ(masker_for({"on", ""}).mask("on and on"), "on and on");
}

std::string through_stream(const Masker& masker, const std::string& text,
                           const std::vector<std::size_t>& sizes) {
  MaskedStream stream(masker);
  std::string out;
  std::size_t at = 0;
  for (std::size_t i = 0; at < text.size(); ++i) {
    const std::size_t size = sizes.empty() ? 1 : 1 + sizes[i % sizes.size()] % 40;
    out += stream.feed(std::string_view(text).substr(at, size));
    at += size;
  }
  return out + stream.finish();
}

rc::Gen<std::string> secret_text() {
  return rc::gen::suchThat(
      rc::gen::container<std::string>(rc::gen::element('a', 'b', '/', '"', ' ', '\'', '%', '\n')),
      [](const std::string& text) { return text.size() >= 4 && text.size() < 30; });
}

TEST(MaskedStream, ChunksDoNotMatter) {
  EXPECT_TRUE(rc::check("the masked stream is the masked text", [] {
    const auto secrets = *rc::gen::container<std::vector<std::string>>(secret_text());
    const auto noise = *rc::gen::container<std::vector<std::string>>(
        rc::gen::container<std::string>(rc::gen::element('a', 'b', '/', 'x', ' ')));
    const auto sizes = *rc::gen::arbitrary<std::vector<std::size_t>>();
    Masker masker;
    std::string text;
    for (std::size_t i = 0; i < secrets.size(); ++i) {
      masker.add(Secret(secrets[i]));
      text += (i < noise.size() ? noise[i] : "") + secrets[i];
    }
    RC_ASSERT(through_stream(masker, text, sizes) == masker.mask(text));
  }));
}

TEST(MaskedStream, NoEncodingOfASecretGetsThrough) {
  EXPECT_TRUE(rc::check("no form in the output", [] {
    const std::string secret = *secret_text();
    const auto before = *rc::gen::container<std::string>(rc::gen::element('x', 'y', ' '));
    const auto sizes = *rc::gen::arbitrary<std::vector<std::size_t>>();
    const Masker masker = masker_for({secret});
    const std::string json = Json(secret).dump();
    const std::vector<std::string> forms = {secret, json.substr(1, json.size() - 2), hex(secret)};
    for (const auto& form : forms) {
      const std::string shown = through_stream(masker, before + form + before, sizes);
      RC_ASSERT(shown.find(form) == std::string::npos);
    }
    const std::string encoded = through_stream(masker, base64(before + secret + before), sizes);
    RC_ASSERT(encoded.find("***") != std::string::npos);
  }));
}

TEST(MaskedStream, AFloodOfOneSecretDoesNotPileUp) {
  const Masker masker = masker_for({"aaaa"});
  MaskedStream stream(masker);
  std::string out;
  for (int i = 0; i < 1000; ++i) out += stream.feed("aaaaaaa");
  EXPECT_EQ(out + stream.finish(), "***");
}

TEST(MaskedStream, TextWithoutSecretsComesAtOnce) {
  const Masker empty;
  MaskedStream stream(empty);
  EXPECT_EQ(stream.feed("hello"), "hello");
}

TEST(MaskedStream, AnEmptyChunkForgetsNothing) {
  Masker masker;
  masker.add(Secret("correct horse"));
  MaskedStream stream(masker);
  std::string shown = stream.feed("it is correct horse\nand more\n");
  shown += stream.feed("");
  shown += stream.finish();
  EXPECT_EQ(shown, "it is ***\nand more\n");
}

}  // namespace
}  // namespace belay
