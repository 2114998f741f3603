// SPDX-License-Identifier: Apache-2.0
// The command target with small shell programs that keep what is live in a file.
#include "tests/contract/target_contract.hpp"

namespace belay::contract {
namespace {

using target::Phase;
using target::Version;

class CommandSubject final : public TargetSubject {
 public:
  explicit CommandSubject(bool own_status = true) {
    auto made = ScratchFolder::make("belay-command");
    EXPECT_TRUE(made);
    scratch_ = std::make_unique<ScratchFolder>(std::move(*made));
    children_ = make_children(scratch_->path() / "children");
    config.prepare = "test ! -e broken";
    config.activate = "echo \"$BELAY_RELEASE\" > " + live();
    config.rollback = config.activate + "; echo back >> " + live() + ".log";
    if (own_status) config.status = "echo \"live $(cat " + live() + " 2>/dev/null)\"";
    config.folder = scratch_->path() / "kept";
    remake();
  }
  void remake() { target_ = target::make_command(config, *children_, clock_); }
  target::Target& target() override { return *target_; }
  target::Artifact good() override {
    const Path source = scratch_->path() / ("source-" + std::to_string(sources_++));
    EXPECT_TRUE(make_folder(source));
    return target::Artifact{source};
  }
  target::Artifact broken() override {
    target::Artifact artifact = good();
    EXPECT_TRUE(write_file(artifact.source / "broken", ""));
    return artifact;
  }
  std::string live() const { return (scratch_->path() / "live").string(); }
  Children& children() { return *children_; }
  target::CommandConfig config;

 private:
  std::unique_ptr<ScratchFolder> scratch_;
  SystemClock clock_;
  std::unique_ptr<Children> children_;
  std::unique_ptr<target::Target> target_;
  int sources_ = 0;
};

std::unique_ptr<TargetSubject> with_status() {
  return std::make_unique<CommandSubject>(true);
}
std::unique_ptr<TargetSubject> without_status() {
  return std::make_unique<CommandSubject>(false);
}
INSTANTIATE_TEST_SUITE_P(Command, TargetContract, testing::Values(&with_status, &without_status));
INSTANTIATE_TEST_SUITE_P(Command, BuildContract, testing::Values(&with_status, &without_status));
INSTANTIATE_TEST_SUITE_P(Command, CommandContract, testing::Values(&with_status, &without_status));

const Version v1{"shop", "r1"};

TEST(CommandTarget, ProgramsSeeTheirVariables) {
  CommandSubject subject;
  subject.config.activate =
      "echo \"$BELAY_SERVICE $BELAY_RELEASE $BELAY_PROJECT $BELAY_KEY $TOKEN\" > " +
      subject.live() + ".seen; test -d \"$BELAY_FOLDER\"";
  subject.remake();
  ASSERT_TRUE(subject.target().prepare(v1, subject.good(), "k1", {}, {}));
  const Status done =
      subject.target().activate(v1, {{"BELAY_PROJECT", "acme"}, {"TOKEN", "t"}}, "k2", {}, {});
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(*read_file(subject.live() + ".seen"), "shop r1 acme k2 t\n");
}

TEST(CommandTarget, AFailedActivationWasSeenAndIsNoLostReply) {
  CommandSubject subject;
  subject.config.activate = "echo half way; exit 9";
  subject.remake();
  ASSERT_TRUE(subject.target().prepare(v1, subject.good(), "k1", {}, {}));
  const Status done = subject.target().activate(v1, {}, "k2", {}, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().effect, Effect::none);
  EXPECT_NE(done.error().message().find("half way"), std::string::npos);
  EXPECT_NE(done.error().message().find("exit status 9"), std::string::npos);
}

TEST(CommandTarget, TheSameKeyNeverRunsAProgramTwice) {
  CommandSubject subject;
  subject.config.activate = "echo once >> " + subject.live() + ".count";
  subject.remake();
  ASSERT_TRUE(subject.target().prepare(v1, subject.good(), "k1", {}, {}));
  ASSERT_TRUE(subject.target().activate(v1, {}, "k2", {}, {}));
  ASSERT_TRUE(subject.target().activate(v1, {}, "k2", {}, {}));
  EXPECT_EQ(*read_file(subject.live() + ".count"), "once\n");
}

TEST(CommandTarget, AProgramThatTakesTooLongIsEndedAndATimeout) {
  CommandSubject subject;
  subject.config.activate = "sleep 1000";
  subject.config.limit = Millis(200);
  subject.remake();
  ASSERT_TRUE(subject.target().prepare(v1, subject.good(), "k1", {}, {}));
  const Status done = subject.target().activate(v1, {}, "k2", {}, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().fault, Fault::timeout);
  EXPECT_EQ(done.error().effect, Effect::none);
}

TEST(CommandTarget, TheLimitBindsPrepareTogetherWithTheBuild) {
  CommandSubject subject;
  subject.config.prepare = "sleep 1000";
  subject.config.limit = Millis(200);
  subject.remake();
  target::Artifact artifact = subject.good();
  artifact.build = "echo built";
  const Status done = subject.target().prepare(v1, artifact, "k1", {}, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().fault, Fault::timeout);
  EXPECT_NE(done.error().message().find("longer than 200ms"), std::string::npos)
      << done.error().message();
  EXPECT_EQ(subject.target().status(v1)->phase, Phase::absent);
}

TEST(CommandTarget, PrepareAndStatusKnowTheProjectAndTheEnvironmentAndNoSecret) {
  CommandSubject subject;
  const std::string tell = "echo \"$BELAY_PROJECT $BELAY_ENVIRONMENT $TOKEN\" >> ";
  subject.config.prepare = tell + subject.live() + ".prepare";
  subject.config.activate = "true";
  subject.config.status = tell + subject.live() + ".status; echo live";
  subject.remake();
  target::Artifact artifact = subject.good();
  artifact.build_env = {{"BELAY_PROJECT", "acme"}, {"BELAY_ENVIRONMENT", "production"}};
  ASSERT_TRUE(subject.target().prepare(v1, artifact, "k1", {}, {}));
  ASSERT_TRUE(subject.target().activate(v1, {{"TOKEN", "t"}}, "k2", {}, {}));
  ASSERT_TRUE(subject.target().status(v1));
  EXPECT_EQ(*read_file(subject.live() + ".prepare"), "acme production \n");
  EXPECT_EQ(*read_file(subject.live() + ".status"), "acme production \n");
}

TEST(CommandTarget, AStatusNobodyUnderstandsIsUnknownNotAGuess) {
  CommandSubject subject;
  ASSERT_TRUE(subject.target().prepare(v1, subject.good(), "k1", {}, {}));
  for (const char* program : {"echo fine", "exit 1", "echo '{\"release\": 1}'", "echo '{'", "true",
                              "echo live r1; exit 1", "echo '{\"live\": 7}'"}) {
    subject.config.status = program;
    subject.remake();
    EXPECT_EQ(subject.target().status(v1)->phase, Phase::unknown) << program;
  }
}

TEST(CommandTarget, AStatusMayBeJson) {
  CommandSubject subject;
  ASSERT_TRUE(subject.target().prepare(v1, subject.good(), "k1", {}, {}));
  subject.config.status = "echo '{\"live\": \"r1\"}'";
  subject.remake();
  EXPECT_TRUE(subject.target().status(v1)->live);
  subject.config.status = "echo '{\"live\": null}'";
  subject.remake();
  EXPECT_FALSE(subject.target().status(v1)->live);
  EXPECT_EQ(subject.target().status(v1)->phase, Phase::prepared);
}

TEST(CommandTarget, WithoutARollbackProgramActivateGoesBack) {
  CommandSubject subject;
  subject.config.rollback = "";
  subject.remake();
  ASSERT_TRUE(subject.target().prepare(v1, subject.good(), "k1", {}, {}));
  const Status done = subject.target().go_back(v1, {}, "k2", {}, {});
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_TRUE(subject.target().status(v1)->live);
}

}  // namespace
}  // namespace belay::contract
