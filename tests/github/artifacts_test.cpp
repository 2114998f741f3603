// SPDX-License-Identifier: Apache-2.0
// Files that jobs of a workflow left at GitHub: whole, and those that GitHub has, or none.
#include <gtest/gtest.h>

#include <fstream>

#include "github/github.hpp"
#include "tests/fake/stand_in.hpp"
#include "tests/support/fake_world.hpp"

namespace belay::github {
namespace {

using belay::testing::HttpFault;

struct Artifacts : ::testing::Test {
  belay::testing::StandIn on{"github_server.py"};
  FakeClock clock;
  SeededRandom random;
  ScratchFolder scratch = ScratchFolder::make("belay-artifacts").value();
  Path file = scratch.path() / "downloaded";
  std::string content;
  std::unique_ptr<Repository> github;

  void SetUp() override {
    for (int i = 0; i < 2500; ++i) content += static_cast<char>(i * 7 % 251);
    GithubConfig config{"team/shop", Secret("github-token"), on.proxy().url()};
    config.part_bytes = 1000;
    github = make_github(config, clock, random);
  }
  void TearDown() override { EXPECT_EQ(on.state()["complaints"], Json::array()); }

  // `more`: "&digest=", "&expired=true".
  void keep(const std::string& name, const std::string& bytes, const std::string& more = "") {
    const auto path = scratch.path() / "uploaded";
    std::ofstream(path) << bytes;
    on.tell("artifact?name=" + name + "&path=" + path.string() + more);
  }
  Result<Artifact> newest(const std::string& name) {
    TRY_LET(auto all, github->artifacts(name, {}));
    if (all.empty()) return fail(Fault::missing, "there is no " + name);
    return all.front();
  }
  Status fetch(const std::string& name) {
    TRY_LET(const auto artifact, newest(name));
    return github->download(artifact, file, {});
  }
  std::string downloaded() const {
    const auto text = read_file(file);
    return text ? *text : "";
  }
};

TEST_F(Artifacts, ComeInPartsAsTheyWereLeft) {
  keep("prod-1.rp-7.backup", content);
  keep("another", "x");
  const auto done = fetch("prod-1.rp-7.backup");
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(downloaded(), content);
}

TEST_F(Artifacts, OfOneNameTheNewestComesFirstAndThoseThatExpiredAreNotThere) {
  keep("a", "first");
  keep("a", content);
  keep("b", "x", "&expired=true");
  const auto all = github->artifacts("a", {});
  ASSERT_TRUE(all) << all.error().message();
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ(all->front().bytes, content.size());
  EXPECT_EQ(all->front().workflow_run, 77);
  EXPECT_TRUE(github->artifacts("b", {})->empty());
  EXPECT_TRUE(github->artifacts("c", {})->empty());
}

TEST_F(Artifacts, APlaceThatIsGoodNoLongerIsAskedForAgain) {
  on.set("places=once");
  keep("a", content);
  const auto done = fetch("a");
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(downloaded(), content);
  EXPECT_EQ(on.state()["places"].size(), 3u);
}

TEST_F(Artifacts, OtherBytesThanGitHubKnowsAreNotKept) {
  keep("a", content, "&digest=sha256:" + std::string(64, 'a'));
  keep("b", content, "&digest=");
  keep("c", content, "&digest=md5:abc");
  for (const char* name : {"a", "b", "c"}) {
    const auto done = fetch(name);
    ASSERT_FALSE(done) << name;
    EXPECT_EQ(done.error().fault, Fault::corrupt);
    EXPECT_NE(done.error().message().find("SHA-256"), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(file));
  }
}

TEST_F(Artifacts, AServerThatGivesNoPartsIsTakenAtItsWordOnlyWhereOneIsAll) {
  on.set("ranges=off");
  keep("small", "x");
  ASSERT_TRUE(fetch("small"));
  EXPECT_EQ(downloaded(), "x");
  std::filesystem::remove(file);
  keep("large", content);
  EXPECT_FALSE(fetch("large"));
  EXPECT_FALSE(std::filesystem::exists(file));
}

TEST_F(Artifacts, NothingIsWrittenOverAFileThatIsThere) {
  std::ofstream(file) << "mine";
  keep("a", content);
  EXPECT_FALSE(fetch("a"));
  EXPECT_EQ(downloaded(), "mine");
}

TEST_F(Artifacts, WithTroubleAtAnyRequestItComesWholeOrNotAtAll) {
  keep("a", content);
  ASSERT_TRUE(fetch("a"));
  const int requests = on.proxy().count();
  ASSERT_EQ(requests, 5);  // the list, the place, three parts
  auto faults = belay::testing::every_fault();
  faults.push_back(
      {HttpFault::Action::answer, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"});
  faults.push_back(
      {HttpFault::Action::answer, "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"});
  for (int nth = 1; nth <= requests; ++nth) {
    for (const auto& fault : faults) {
      SCOPED_TRACE(fmt::format("request {}, {}", nth, fault.reply.substr(0, 30)));
      std::filesystem::remove(file);
      on.proxy().plan(belay::testing::only(nth, fault));
      const auto done = fetch("a");
      EXPECT_EQ(downloaded(), done ? content : "");
      const bool denied = fault.reply.find("403") != std::string::npos && nth < 3;
      EXPECT_EQ(done.ok(), !denied);
    }
  }
}

}  // namespace
}  // namespace belay::github
