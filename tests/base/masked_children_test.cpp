// SPDX-License-Identifier: Apache-2.0
#include "base/masked_children.hpp"

#include <gtest/gtest.h>

namespace belay {
namespace {

class MaskedChildrenTest : public ::testing::Test {
 protected:
  MaskedChildrenTest() {
    children_.hide([this] { return masker_; });
    masker_.add(Secret("correct horse"));
  }

  std::string heard(const std::string& key) {
    std::string text;
    auto status = children_.wait(key, [&](std::string_view part) { text += part; }, {});
    EXPECT_TRUE(status && status->state == ChildState::ended);
    return text;
  }

  void start(const std::string& key, const std::string& script) {
    ChildSpec spec;
    spec.key = key;
    spec.argv = {"/bin/sh", "-c", script};
    spec.folder = scratch_.path();
    spec.env = {{"PATH", "/usr/bin:/bin"}, {"GIVEN", "correct horse"}};
    ASSERT_TRUE(children_.start(spec));
  }

  std::string kept(const std::string& key) const {
    return read_file(scratch_.path() / "records" / key / "output").value();
  }

  ScratchFolder scratch_ = ScratchFolder::make("belay-masked").value();
  Masker masker_;
  MaskedChildren children_{make_children(scratch_.path() / "records")};
};

TEST_F(MaskedChildrenTest, WhatAProgramBlurtsOutIsNeitherHeardNorKept) {
  start("one", "echo \"it is $GIVEN\"; echo plain words");
  EXPECT_EQ(heard("one"), "it is ***\nplain words\n");
  EXPECT_EQ(children_.output("one").value(), "it is ***\nplain words\n");
  EXPECT_EQ(kept("one"), "it is ***\nplain words\n");
}

TEST_F(MaskedChildrenTest, SaidInTwoBreathsItIsHiddenAsWell) {
  start("two", "printf 'it is correct '; sleep 0.3; printf 'horse, yes'");
  EXPECT_EQ(heard("two"), "it is ***, yes");
  EXPECT_EQ(kept("two"), "it is ***, yes");
}

TEST_F(MaskedChildrenTest, WhatIsKnownLaterIsHiddenFromThenOn) {
  masker_.add(Secret("battery staple"));
  Masker more;
  children_.hide([&] { return more; });
  more.add(Secret("another run's"));
  start("three", "echo correct horse, battery staple, another run\\'s");
  EXPECT_EQ(heard("three"), "***, ***, ***\n");
}

TEST_F(MaskedChildrenTest, ChildrenThatSayNothingSecretAreAsTheyWere) {
  start("four", "echo all is well");
  EXPECT_EQ(heard("four"), "all is well\n");
  EXPECT_EQ(heard("four"), "all is well\n");
  EXPECT_TRUE(children_.forget("four"));
  EXPECT_FALSE(children_.output("four"));
}

}  // namespace
}  // namespace belay
