// SPDX-License-Identifier: Apache-2.0
// Whom services, builds and tests run as: root only where that is written.
#include <sys/stat.h>
#include <unistd.h>

#include "app/doctor.hpp"
#include "app/inspect.hpp"
#include "app/wire.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::app {
namespace {

using testing::ScratchProject;

class Users : public ::testing::Test {
 protected:
  // Two workers on this host; `more` are further lines of each, `placed` of the first's place.
  void file(const std::string& more, const std::string& placed = {}, const std::string& top = {}) {
    std::string text = "project: shop\nstate: ../state\n" + top + "services:\n";
    for (const char* name : {"web", "mail"}) {
      text += fmt::format(
          "  {}:\n    kind: worker\n    build: id -un > built && echo \"$HOME\" > home\n"
          "    run: exec sleep 1000\n{}",
          name, more);
    }
    text += "environments:\n  production:\n    tag: prod\n    watch: 0s\n    first: true\n";
    text += fmt::format("    services:\n      web: {{ {} }}\n      mail: {{}}\n", placed);
    project_.write("belay.yaml", text);
    project_.commit("Change belay.yaml");
  }
  void let_others_pass() { ::chmod(project_.above().c_str(), 0711); }
  bool root_runs_this() const { return ::geteuid() == 0; }
  static std::string somebody() { return ::geteuid() == 0 ? "nobody" : name_of_ours(); }
  static std::string name_of_ours() { return ScratchProject::user_line().substr(6); }

  // What doctor says of a service.
  std::string finding(const std::string& about) {
    for (const auto& one :
         examine({std::nullopt, project_.folder(), project_.environment(), "", BELAY_PROGRAM})) {
      if (one.about == about) return to_string(one.grade) + (": " + one.found + "; " + one.remedy);
    }
    return "none";
  }
  std::string text_of(const std::string& name) const {
    const auto releases = project_.state() / "environments/production/releases";
    for (const auto& release : std::filesystem::directory_iterator(releases)) {
      auto text = read_file(release.path() / "web/tree" / name);
      if (text) return std::string(*text);
    }
    return {};
  }
  void TearDown() override {
    if (!std::filesystem::exists(project_.state() / "environments")) return;
    auto project = load_project(std::nullopt, project_.folder(), project_.environment());
    ASSERT_TRUE(project.ok());
    auto desk = open_desk(std::move(*project));
    ASSERT_TRUE(desk.ok());
    auto works = wire_present(**desk, "production", {false, true, false});
    ASSERT_TRUE(works.ok()) << works.error().message();
    for (const char* service : {"web", "mail"}) {
      auto& target = (*works)->site.target(service);
      const auto versions = target.versions(service);
      ASSERT_TRUE(versions.ok());
      for (const auto& version : *versions)
        EXPECT_TRUE(target.stop(version, std::chrono::seconds(5)).ok());
    }
  }

  ScratchProject project_;
};

TEST_F(Users, WhereBelayIsRootAServiceForWhichNobodyIsWrittenIsNotPlanned) {
  file("");
  for (const char* command : {"plan", "deploy"}) {
    const auto said = project_.belay({command});
    if (!root_runs_this()) {
      EXPECT_EQ(said.err.find("services.web.user"), std::string::npos) << said.err;
      continue;
    }
    EXPECT_EQ(said.status, 2) << said.out << said.err;
    EXPECT_NE(said.err.find("services.web.user: NAME, services.mail.user: NAME"), std::string::npos)
        << said.err;
    EXPECT_NE(said.err.find("`root` if it really must be root"), std::string::npos) << said.err;
  }
}

TEST_F(Users, RootThatIsWrittenIsPlannedAndSoIsWhoStandsAtTheServicesPlace) {
  const auto us = ScratchProject::user_line();
  file("    " + us + "\n");
  const auto with_service = project_.belay({"plan"});
  EXPECT_EQ(with_service.status, 10) << with_service.err;
  file("", us);
  const auto with_one_place = project_.belay({"plan"});
  if (!root_runs_this()) return;
  EXPECT_EQ(with_one_place.status, 2);
  EXPECT_EQ(with_one_place.err.find("services.web.user"), std::string::npos) << with_one_place.err;
  EXPECT_NE(with_one_place.err.find("services.mail.user"), std::string::npos) << with_one_place.err;
}

TEST_F(Users, ServicesOfOwnCommandsNeedNobodyWritten) {
  project_.write("belay.yaml", project_.file());
  project_.commit("First");
  EXPECT_EQ(project_.belay({"plan"}).status, 10);
}

TEST_F(Users, TestAndBuildRunAsTheServicesUserInCopiesThatAreTheirs) {
  file(
      "    user: " + somebody() + "\n", "",
      "test: id -un > tested && test -w \"$HOME\" && cat belay.yaml > /dev/null && echo \"3 passed "
      "by $(cat tested) in $HOME\"\n");
  let_others_pass();
  const auto said = project_.belay({"deploy"});
  ASSERT_EQ(said.status, 0) << said.out << said.err;
  EXPECT_NE(said.out.find("3 passed"), std::string::npos) << "what it counted is kept";
  const auto log = read_file(project_.state() / "runs/1/test.log");
  ASSERT_TRUE(log.ok());
  EXPECT_NE(log->find("3 passed by " + somebody() + " in "), std::string::npos) << *log;
  EXPECT_EQ(text_of("built"), somebody() + "\n");
  if (!root_runs_this()) return;
  const auto home = text_of("home");
  EXPECT_EQ(home, (project_.state() / "homes/nobody").string() + "\n") << "he has none of his own";
  EXPECT_TRUE(std::filesystem::is_empty(project_.state() / "work")) << "the copy is gone";
}

TEST_F(Users, WhatIsPrivateStaysSoWhenTheWayToTheReleasesIsOpened) {
  if (!root_runs_this()) GTEST_SKIP() << "needs root: become root to check what others may read";
  file("    user: nobody\n");
  let_others_pass();
  const auto said = project_.belay({"deploy"});
  ASSERT_EQ(said.status, 0) << said.out << said.err;
  const auto may = [&](const std::string& test, const std::string& name) {
    const auto path = (project_.state() / name).string();
    const auto done = run({.argv = {"chpst", "-u", "daemon", "test", test, path}});
    return done && done->ok();
  };
  EXPECT_TRUE(may("-x", ""));
  for (const char* name : {"", "environments", "homes", "environments/production/releases", "work"})
    EXPECT_FALSE(may("-r", name)) << name;
  for (const char* name : {"journal", "runs", "children", "environments/production/services",
                           "environments/production/logs", "homes/nobody"})
    EXPECT_FALSE(may("-x", name)) << name;
  EXPECT_EQ(finding("state folder").substr(0, 4), "good");
}

TEST_F(Users, DoctorSaysWhomEachServiceRunsAsAndWhatIsWrongWithHim) {
  file("    user: " + somebody() + "\n");
  let_others_pass();
  EXPECT_EQ(finding("production: web"), "good: runs as " + somebody() + "; ");
  file("    user: nobody-of-that-name\n");
  EXPECT_EQ(finding("production: web"),
            "bad: there is no user nobody-of-that-name; adduser --system --group "
            "nobody-of-that-name");
  file("");
  const auto unwritten = finding("production: mail");
  if (!root_runs_this()) {
    EXPECT_EQ(unwritten, "good: runs as you; ");
    file("    user: root\n");
    EXPECT_NE(finding("production: web").find("only root can do that"), std::string::npos);
    return;
  }
  EXPECT_NE(unwritten.find("bad: no `user:` is written"), std::string::npos) << unwritten;
  EXPECT_NE(unwritten.find("services.mail.user: NAME"), std::string::npos) << unwritten;
  file("    user: nobody\n");
  ::chmod(project_.above().c_str(), 0700);
  EXPECT_NE(finding("production: web").find("chmod o+x " + project_.above().string()),
            std::string::npos);
}

TEST_F(Users, WhatInitWritesNamesSomebodyWhereBelayIsRoot) {
  project_.write("package.json", R"({"scripts":{"start":"node ."}})");
  ASSERT_EQ(project_.belay({"init"}).status, 0);
  const auto text = read_file(project_.folder() / "belay.yaml");
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text->find("user: root"), std::string::npos) << *text;
  EXPECT_EQ(text->find("    user: www-data ") != std::string::npos, root_runs_this()) << *text;
}

}  // namespace
}  // namespace belay::app
