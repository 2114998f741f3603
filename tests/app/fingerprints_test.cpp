// SPDX-License-Identifier: Apache-2.0
// A rollback uses the present secrets, and its plan names those that are others than when the
// release was last started. What is kept for that tells nobody a value.
#include "app/fingerprints.hpp"

#include <sys/stat.h>

#include "app/planner.hpp"
#include "base/hash.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::app {
namespace {

using testing::ScratchProject;
using Names = std::set<std::string>;

const target::Version web{"web", "prod-1"};

class FingerprintsTest : public ::testing::Test {
 protected:
  Result<Secret> value_of(const std::string& name) {
    const auto found = values_.find(name);
    if (found == values_.end()) return fail(Fault::missing, name + " is not set");
    return Secret(found->second);
  }
  void start(const target::Version& version, const Names& names) {
    const auto kept = prints_.keep(
        version, names, [this](const auto& name) { return value_of(name); }, random_);
    ASSERT_TRUE(kept.ok()) << kept.error().message();
  }
  SecretChanges compare(const std::map<std::string, Names>& names) {
    return prints_.compare("prod-1", names, [this](const auto& name) { return value_of(name); });
  }

  ScratchFolder scratch_ = ScratchFolder::make("belay-fingerprints").value();
  Path key_ = scratch_.path() / "fingerprint.key";
  SystemRandom random_;
  std::map<std::string, std::string> values_{{"A", "one"}, {"B", "two"}, {"C", "three"}};
  std::shared_ptr<Records> records_ = make_records(scratch_.path());
  Fingerprints prints_{records_, records_};
};

TEST_F(FingerprintsTest, EachNameIsTheSameAnotherNewGoneOrWithoutAValue) {
  start(web, {"A", "B", "C"});
  values_ = {{"A", "one"}, {"B", "rotated"}, {"D", "four"}};
  const auto changes = compare({{"web", {"A", "B", "D", "C"}}});
  EXPECT_EQ(changes.same, Names{"A"});
  EXPECT_EQ(changes.other, Names{"B"});
  EXPECT_EQ(changes.added, Names{"D"});
  EXPECT_EQ(changes.unreadable, Names{"C"});
  EXPECT_TRUE(compare({{"web", {"A"}}}).gone == (Names{"B", "C"}));
}

TEST_F(FingerprintsTest, WhatOneOfTheServicesDoesNotKnowIsUnknown) {
  start(web, {"A"});
  const auto changes = compare({{"web", {"A"}}, {"api", {"A", "B"}}});
  EXPECT_EQ(changes.unknown, (Names{"A", "B"}));
  EXPECT_TRUE(changes.same.empty());
}

TEST_F(FingerprintsTest, TheLastStartCounts) {
  start(web, {"A"});
  values_["A"] = "rotated";
  EXPECT_EQ(compare({{"web", {"A"}}}).other, Names{"A"});
  start(web, {"A"});
  EXPECT_EQ(compare({{"web", {"A"}}}).same, Names{"A"});
}

TEST_F(FingerprintsTest, WithoutTheirKeyOrWithAnotherOneNothingIsKnown) {
  start(web, {"A"});
  std::filesystem::remove(key_);
  EXPECT_EQ(compare({{"web", {"A"}}}).unknown, Names{"A"});
  EXPECT_FALSE(std::filesystem::exists(key_)) << "looking makes no key";
  start({"api", "prod-1"}, {"A"});
  const auto rotated = compare({{"web", {"A"}}});
  EXPECT_EQ(rotated.unknown, Names{"A"});
  EXPECT_FALSE(rotated.any());
}

TEST_F(FingerprintsTest, ADamagedRecordIsUnknown) {
  start(web, {"A"});
  const Path file = scratch_.path() / "fingerprints/prod-1/web.json";
  for (const char* text : {"", "[]", "{", R"({"format":2})"}) {
    ASSERT_TRUE(write_file(file, text).ok());
    EXPECT_EQ(compare({{"web", {"A"}}}).unknown, Names{"A"}) << text;
  }
}

TEST_F(FingerprintsTest, WhatCannotBeKeptLeavesNoOlderRecordBehind) {
  start(web, {"A"});
  values_.erase("A");
  EXPECT_FALSE(prints_.keep(
      web, {"A"}, [this](const auto& name) { return value_of(name); }, random_));
  values_["A"] = "one";
  EXPECT_EQ(compare({{"web", {"A"}}}).unknown, Names{"A"});
}

TEST_F(FingerprintsTest, AKeyFileThatHoldsNoKeyIsNotUsedAndIsNamed) {
  ASSERT_TRUE(write_file(key_, "short\n").ok());
  const auto kept = prints_.keep(
      web, {"A"}, [this](const auto& name) { return value_of(name); }, random_);
  ASSERT_FALSE(kept.ok());
  EXPECT_NE(kept.error().message().find(key_.string()), std::string::npos);
}

// Over the real program: a command target whose programs get a secret.
class SecretsSince : public ::testing::Test {
 protected:
  void SetUp() override { write_file_with("    env: { TOKEN: \"${TOKEN}\", KEY: \"${KEY}\" }\n"); }
  void write_file_with(const std::string& env) {
    auto text = project_.file({}, "secrets: { file: ../secrets }\n");
    text.insert(text.find("environments:"), env);
    project_.write("belay.yaml", text);
  }
  void give(const std::string& lines) { project_.write("../secrets", lines, 0600); }
  std::string ship() {
    project_.commit("Next");
    const auto done = project_.belay({"deploy"});
    EXPECT_EQ(done.status, 0) << done.out << done.err;
    auto project = load_project(std::nullopt, project_.folder(), project_.environment());
    auto desk = open_desk(std::move(*project)).value();
    return engine::read_releases(*desk->journal, "production")->live->tag;
  }
  std::string plan() {
    const auto shown = project_.belay({"rollback", "--dry-run"});
    EXPECT_EQ(shown.status, 10) << shown.out << shown.err;
    return shown.out + shown.err;
  }
  Json note() {
    return Json::parse(project_.belay({"--json", "rollback", "--dry-run"}).out)["plan"]["notes"]
        .value("secrets", Json());
  }
  std::string digest() {
    return Json::parse(project_.belay({"--json", "rollback", "--dry-run"}).out)["digest"];
  }

  const std::string token_ = "sentinel-of-the-token-4711", key_ = "sentinel-of-the-key-0815";
  ScratchProject project_;
};

TEST_F(SecretsSince, APlanNamesThoseThatHaveAnotherValueNow) {
  give("TOKEN=" + token_ + "\nKEY=" + key_ + "\n");
  const auto first = ship();
  ship();
  EXPECT_EQ(note(), Json({{"since", first}, {"same", {"KEY", "TOKEN"}}}));
  EXPECT_NE(plan().find("present values; the same as when " + first), std::string::npos) << plan();
  const auto before = digest();

  give("TOKEN=rotated\nKEY=" + key_ + "\n");
  const auto said = plan();
  EXPECT_NE(said.find("another value now: TOKEN\n"), std::string::npos) << said;
  EXPECT_EQ(said.find("rotated"), std::string::npos) << said;
  EXPECT_EQ(said.find(token_), std::string::npos) << said;
  EXPECT_EQ(note(), Json({{"since", first}, {"same", {"KEY"}}, {"other", {"TOKEN"}}}));
  EXPECT_EQ(digest(), before) << "values are no part of what is signed";
}

TEST_F(SecretsSince, GoneBackItIsComparedWithThatStart) {
  give("TOKEN=" + token_ + "\nKEY=" + key_ + "\n");
  const auto first = ship();
  const auto second = ship();
  give("TOKEN=rotated\nKEY=" + key_ + "\n");
  ASSERT_EQ(project_.belay({"rollback", "--yes"}).status, 0);
  ASSERT_EQ(project_.belay({"rollback", second, "--yes"}).status, 0);
  EXPECT_EQ(note(), Json({{"since", first}, {"same", {"KEY", "TOKEN"}}}));
}

TEST_F(SecretsSince, ANameThatThePresentFileAddsIsNewAndOneWithoutValueIsNamed) {
  give("TOKEN=" + token_ + "\nKEY=" + key_ + "\nMORE=more\n");
  const auto first = ship();
  ship();
  auto text = project_.file({}, "secrets: { file: ../secrets }\n");
  text.replace(text.find("        target:"), 0, "        env: { KEY: plain, MORE: \"${MORE}\" }\n");
  project_.write("belay.yaml", text);
  EXPECT_EQ(note(),
            Json({{"since", first}, {"same", {"TOKEN"}}, {"new", {"MORE"}}, {"gone", {"KEY"}}}));
  give("MORE=more\n");
  EXPECT_NE(plan().find("no value here: TOKEN\n"), std::string::npos) << plan();
}

TEST_F(SecretsSince, OfAReleaseFromBeforeAndWithALostKeyItIsUnknown) {
  give("TOKEN=" + token_ + "\nKEY=" + key_ + "\n");
  const auto first = ship();
  ship();
  const Json unknown{{"since", first}, {"unknown", {"KEY", "TOKEN"}}};
  const Path key = project_.state() / "fingerprint.key";
  std::filesystem::rename(key, key.string() + ".away");
  EXPECT_EQ(note(), unknown);
  EXPECT_NE(plan().find("unknown whether it is the same"), std::string::npos) << plan();
  std::filesystem::rename(key.string() + ".away", key);
  EXPECT_NE(note(), unknown);
  std::filesystem::remove_all(project_.state() / "environments/production/fingerprints" / first);
  EXPECT_EQ(note(), unknown);
}

TEST_F(SecretsSince, NeitherAValueNorItsPlainHashIsKept) {
  give("TOKEN=" + token_ + "\nKEY=" + key_ + "\n");
  ship();
  ship();
  ASSERT_EQ(project_.belay({"rollback", "--yes"}).status, 0);
  int looked_at = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(project_.state())) {
    const auto name = entry.path().string();
    if (!entry.is_regular_file() || name.find("/env/") != std::string::npos) continue;
    const auto text = read_file(entry.path());
    if (!text) continue;
    ++looked_at;
    for (const auto& value : {token_, key_}) {
      EXPECT_EQ(text->find(value), std::string::npos) << name;
      const auto plain = sha256(value);
      EXPECT_EQ(text->find(hex(plain)), std::string::npos) << name;
      EXPECT_EQ(text->find(std::string(plain.begin(), plain.end())), std::string::npos) << name;
    }
  }
  EXPECT_GT(looked_at, 10);
  const auto kept = project_.state() / "environments/production/fingerprints";
  ASSERT_TRUE(std::filesystem::exists(kept));
  for (const auto& path : {project_.state() / "fingerprint.key", kept}) {
    struct stat facts {};
    ASSERT_EQ(::stat(path.c_str(), &facts), 0) << path;
    EXPECT_EQ(facts.st_mode & 077, 0U) << path;
  }
}

}  // namespace
}  // namespace belay::app
