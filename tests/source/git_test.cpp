// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "base/process.hpp"
#include "base/text.hpp"
#include "source/source.hpp"

namespace belay::source {
namespace {

namespace fs = std::filesystem;

class Git : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(find_program("git")) << "git is missing: apt install git";
    setenv("GIT_CONFIG_GLOBAL", (scratch_.path() / "config").c_str(), 1);
    setenv("GIT_CONFIG_SYSTEM", "/dev/null", 1);
    root_ = scratch_.path() / "clone";
    remote_ = scratch_.path() / "remote.git";
    fs::create_directory(root_);
    git({"init", "--quiet", "--initial-branch=main"});
    git({"config", "user.email", "amina@example.org"});
    git({"config", "user.name", "Amina"});
    source_ = open();
  }

  std::unique_ptr<Source> open() {
    auto made = make_git(root_);
    EXPECT_TRUE(made.ok()) << made.error().message();
    return std::move(made).value();
  }

  std::string git(std::vector<std::string> args) {
    Command command;
    command.argv = {"git"};
    command.argv.insert(command.argv.end(), args.begin(), args.end());
    command.folder = root_;
    auto done = run_ok(command);
    EXPECT_TRUE(done.ok()) << join(args, " ") << ": " << done.error().message();
    return done.ok() ? std::string(trim(done->out)) : "";
  }

  void write(const std::string& path, const std::string& content) {
    fs::create_directories((root_ / path).parent_path());
    ASSERT_TRUE(write_file(root_ / path, content, 0644).ok());
  }

  std::string commit(const std::string& path, const std::string& content) {
    write(path, content);
    git({"add", "--all"});
    git({"commit", "--quiet", "--message", "Change " + path});
    return git({"rev-parse", "HEAD"});
  }

  void add_remote() {
    git({"init", "--quiet", "--bare", "--initial-branch=main", remote_.string()});
    git({"remote", "add", "origin", remote_.string()});
    git({"push", "--quiet", "origin", "main"});
    git({"fetch", "--quiet"});
  }

  ScratchFolder scratch_ = ScratchFolder::make("git-test").value();
  Path root_, remote_;
  std::unique_ptr<Source> source_;
};

TEST_F(Git, ResolvesABranchATagAndAShortHashToTheSameCommit) {
  const auto id = commit("a.txt", "one");
  git({"tag", "v1"});
  for (const auto& ref : {std::string("main"), std::string("v1"), id, id.substr(0, 10),
                          std::string("HEAD"), std::string("refs/heads/main")}) {
    auto found = source_->resolve(ref);
    ASSERT_TRUE(found.ok()) << ref << ": " << found.error().message();
    EXPECT_EQ(found->id, id);
    EXPECT_EQ(found->subject, "Change a.txt");
    EXPECT_EQ(found->author, "Amina");
    EXPECT_EQ(found->email, "amina@example.org");
    EXPECT_GT(found->at, TimePoint{});
  }
}

TEST_F(Git, AnUnknownRefIsMissingAndNamed) {
  commit("a.txt", "one");
  auto found = source_->resolve("no-such-branch");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().fault, Fault::missing);
  EXPECT_NE(found.error().text.find("no-such-branch"), std::string::npos);
}

TEST_F(Git, HostileRefsAreRefusedAndRunNothing) {
  commit("a.txt", "one");
  const auto proof = scratch_.path() / "proof";
  for (const std::string& ref :
       {std::string("--output=") + proof.string(), std::string("-h"), std::string(""),
        std::string(":/one"), std::string("main..main"), std::string("^main"), std::string("a\nb"),
        std::string("a\0b", 3), std::string(5000, 'a'), std::string("--all"),
        std::string("main --all")}) {
    auto found = source_->resolve(ref);
    EXPECT_FALSE(found.ok()) << ref;
    EXPECT_FALSE(source_->branches_with(ref).ok()) << ref;
    EXPECT_FALSE(source_->copy(ref, scratch_.path() / "copy").ok()) << ref;
    EXPECT_FALSE(source_->is_ancestor(ref, "main").ok()) << ref;
  }
  EXPECT_FALSE(fs::exists(proof));
}

TEST_F(Git, ABranchAndATagOfOneNameAreNotGuessedBetween) {
  commit("a.txt", "one");
  git({"tag", "prod"});
  git({"branch", "prod"});
  auto found = source_->resolve("prod");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().fault, Fault::conflict);
  EXPECT_TRUE(source_->resolve("refs/tags/prod").ok());
}

TEST_F(Git, ABranchThatOnlyTheRemoteHasIsFound) {
  const auto id = commit("a.txt", "one");
  add_remote();
  git({"push", "--quiet", "origin", "main:release"});
  git({"fetch", "--quiet"});
  auto found = source_->resolve("release");
  ASSERT_TRUE(found.ok()) << found.error().message();
  EXPECT_EQ(found->id, id);
  EXPECT_EQ(source_->branches_with(id).value(), (std::vector<std::string>{"main", "release"}));
}

TEST_F(Git, WithARemoteALocalBranchIsNoBranch) {
  commit("a.txt", "one");
  add_remote();
  const auto mine = commit("a.txt", "two");
  git({"branch", "release/1"});
  EXPECT_EQ(source_->branches_with(mine).value(), std::vector<std::string>{});
  git({"push", "--quiet", "origin", "release/1"});
  EXPECT_EQ(source_->branches_with(mine).value(), std::vector<std::string>{"release/1"});
}

TEST_F(Git, AnnotatedTagsAreListedWithTheirMessages) {
  const auto id = commit("a.txt", "one");
  git({"tag", "light"});
  ASSERT_TRUE(source_->tag("prod-1", id, "First\n\njournal: 4:ab").ok());
  ASSERT_TRUE(source_->tag("prod-2", id, "Second").ok());
  const auto tags = source_->annotated_tags();
  ASSERT_TRUE(tags.ok()) << tags.error().message();
  ASSERT_EQ(tags->size(), 2U);
  EXPECT_EQ(tags->at(0).name, "prod-1");
  EXPECT_EQ(tags->at(0).commit, id);
  EXPECT_EQ(tags->at(0).message, "First\n\njournal: 4:ab");
  EXPECT_EQ(tags->at(1).message, "Second");
}

TEST_F(Git, ACopyHasTheCommitsFilesAndNotTheWorkTrees) {
  write("bin/run", "#!/bin/sh\n");
  fs::permissions(root_ / "bin/run", fs::perms(0755));
  const auto id = commit("a.txt", "one");
  write("a.txt", "changed");
  write("new.txt", "untracked");
  const auto folder = scratch_.path() / "copy";
  ASSERT_TRUE(source_->copy(id, folder).ok());
  EXPECT_EQ(read_file(folder / "a.txt").value(), "one");
  EXPECT_FALSE(fs::exists(folder / "new.txt"));
  EXPECT_FALSE(fs::exists(folder / ".git"));
  struct stat facts {};
  ASSERT_EQ(stat((folder / "bin/run").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777U, 0755U);
}

TEST_F(Git, ACopyOverSomethingIsAConflictAndLeavesIt) {
  const auto id = commit("a.txt", "one");
  const auto folder = scratch_.path() / "copy";
  fs::create_directory(folder);
  ASSERT_TRUE(write_file(folder / "mine", "mine").ok());
  auto copied = source_->copy(id, folder);
  ASSERT_FALSE(copied.ok());
  EXPECT_EQ(copied.error().fault, Fault::conflict);
  EXPECT_EQ(read_file(folder / "mine").value(), "mine");
}

TEST_F(Git, ACopyOfAnUnknownCommitLeavesNoFolder) {
  commit("a.txt", "one");
  const auto folder = scratch_.path() / "copy";
  auto copied = source_->copy(std::string(40, 'a'), folder);
  ASSERT_FALSE(copied.ok());
  EXPECT_EQ(copied.error().fault, Fault::missing);
  EXPECT_FALSE(fs::exists(folder));
}

TEST_F(Git, UserConfigurationDoesNotChangeWhatIsCopied) {
  write("script.sh", "line\n");
  const auto id = commit("a.txt", "one");
  const auto attributes = scratch_.path() / "attributes";
  ASSERT_TRUE(write_file(attributes, "a.txt export-ignore\n").ok());
  git({"config", "--global", "core.attributesFile", attributes.string()});
  git({"config", "--global", "core.autocrlf", "true"});
  git({"config", "--global", "tar.umask", "0077"});
  git({"config", "--global", "color.ui", "always"});
  git({"config", "--global", "log.showSignature", "true"});
  const auto folder = scratch_.path() / "copy";
  ASSERT_TRUE(source_->copy(id, folder).ok());
  EXPECT_EQ(read_file(folder / "a.txt").value(), "one");
  EXPECT_EQ(read_file(folder / "script.sh").value(), "line\n");
  EXPECT_EQ(source_->between("", id, "", 10)->size(), 1U);
}

TEST_F(Git, ReadsAFileOfACommitByteForByte) {
  const std::string bytes("\0\xff line\r\n\n", 10);
  const auto id = commit("sub/blob [1]*.bin", bytes);
  EXPECT_EQ(source_->read(id, "sub/blob [1]*.bin").value(), bytes);
  for (const char* path : {"sub", "none", "../a", "/etc/passwd", "", "sub/*", "--help"}) {
    EXPECT_FALSE(source_->read(id, path).ok()) << path;
  }
  EXPECT_EQ(source_->read(id, "none").error().fault, Fault::missing);
}

TEST_F(Git, ASymbolicLinkIsNotReadAsAFile) {
  fs::create_symlink("/etc/passwd", root_ / "belay.yaml");
  const auto id = commit("a.txt", "one");
  auto text = source_->read(id, "belay.yaml");
  ASSERT_FALSE(text.ok());
  EXPECT_EQ(text.error().fault, Fault::refused);
}

TEST_F(Git, ListsCommitsBetweenTwoNewestFirstAndByPath) {
  const auto first = commit("backend/a", "1");
  const auto second = commit("frontend/a", "1");
  const auto third = commit("backend/a", "2");
  auto all = source_->between(first, third, "", 10);
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(all->size(), 2U);
  EXPECT_EQ((*all)[0].id, third);
  EXPECT_EQ((*all)[1].id, second);
  EXPECT_EQ(source_->between(first, third, "backend", 10)->size(), 1U);
  EXPECT_EQ(source_->between("", third, "", 10)->size(), 3U);
  EXPECT_EQ(source_->between("", third, "", 1)->size(), 1U);
  EXPECT_EQ(source_->between("", third, "", 0)->size(), 0U);
  EXPECT_EQ(source_->between(third, third, "", 10)->size(), 0U);
}

TEST_F(Git, KnowsAncestors) {
  const auto first = commit("a", "1");
  const auto second = commit("a", "2");
  EXPECT_TRUE(source_->is_ancestor(first, second).value());
  EXPECT_TRUE(source_->is_ancestor(first, first).value());
  EXPECT_FALSE(source_->is_ancestor(second, first).value());
  EXPECT_FALSE(source_->is_ancestor(std::string(40, 'b'), first).ok());
}

TEST_F(Git, ACutHistoryIsNotTakenForANo) {
  const auto first = commit("a", "1");
  commit("a", "2");
  add_remote();
  const auto shallow = scratch_.path() / "shallow";
  git({"clone", "--quiet", "--depth=1", "file://" + remote_.string(), shallow.string()});
  auto source = make_git(shallow);
  ASSERT_TRUE(source.ok());
  auto answer = (*source)->is_ancestor(first, "main");
  EXPECT_FALSE(answer.ok());
}

TEST_F(Git, NamesUncommittedAndUntrackedPathsLiterally) {
  commit("a.txt", "one");
  EXPECT_TRUE(source_->uncommitted()->empty());
  write("a.txt", "two");
  write("with \"quote\" and\nline", "x");
  const auto paths = source_->uncommitted().value();
  EXPECT_EQ(paths, (std::vector<std::string>{"a.txt", "with \"quote\" and\nline"}));
}

TEST_F(Git, TheCurrentBranchIsNoneOnADetachedHead) {
  const auto id = commit("a.txt", "one");
  EXPECT_EQ(source_->current_branch().value(), "main");
  git({"checkout", "--quiet", id});
  EXPECT_FALSE(source_->current_branch()->has_value());
}

TEST_F(Git, TheProtectedHeadIsTheRemotesNotTheLocalBranch) {
  const auto pushed = commit("a.txt", "one");
  EXPECT_FALSE(source_->protected_head()->has_value());
  EXPECT_FALSE(source_->has_remote().value());
  add_remote();
  commit("a.txt", "two");
  EXPECT_TRUE(source_->has_remote().value());
  auto head = source_->protected_head();
  ASSERT_TRUE(head.ok() && head->has_value());
  EXPECT_EQ((**head).id, pushed);
  git({"branch", "origin/main"});  // a local branch that looks like the remote's
  EXPECT_EQ((**source_->protected_head()).id, pushed);
}

TEST_F(Git, TheRemotesOwnDefaultBranchWinsOverMain) {
  commit("a.txt", "one");
  add_remote();
  const auto trunk = commit("a.txt", "two");
  git({"push", "--quiet", "origin", "main:trunk"});
  git({"remote", "set-head", "origin", "trunk"});
  EXPECT_EQ((**source_->protected_head()).id, trunk);
}

TEST_F(Git, ATagKeepsItsMessageAndTwiceIsFine) {
  const auto id = commit("a.txt", "one");
  const std::string message = "Release\n\n# not a comment\nchain: abc";
  ASSERT_TRUE(source_->tag("prod-20261123-101500", id, message).ok());
  EXPECT_TRUE(source_->tag("prod-20261123-101500", id, message).ok());
  auto found = source_->find_tag("prod-20261123-101500");
  ASSERT_TRUE(found.ok() && found->has_value());
  EXPECT_EQ((**found).commit, id);
  EXPECT_EQ((**found).message, message);
  EXPECT_EQ(git({"cat-file", "-t", "prod-20261123-101500"}), "tag");
  EXPECT_FALSE(source_->find_tag("prod-20261123-101501")->has_value());
}

TEST_F(Git, ATagOnAnotherCommitIsAConflict) {
  const auto first = commit("a.txt", "one");
  const auto second = commit("a.txt", "two");
  ASSERT_TRUE(source_->tag("prod-1", first, "m").ok());
  auto again = source_->tag("prod-1", second, "m");
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().fault, Fault::conflict);
  EXPECT_EQ((*source_->find_tag("prod-1"))->commit, first);
}

TEST_F(Git, TagNamesAreValidated) {
  const auto id = commit("a.txt", "one");
  for (const std::string name : {"-d", "", "a b", "a..b", "a~1", "*", "a/", "/a", "a.lock",
                                 "--delete", "a\nb", "a/.b", "refs@{x"}) {
    auto made = source_->tag(name, id, "m");
    ASSERT_FALSE(made.ok()) << name;
    EXPECT_EQ(made.error().fault, Fault::invalid) << name;
    EXPECT_FALSE(source_->find_tag(name).ok()) << name;
    EXPECT_FALSE(source_->push_tag(name).ok()) << name;
  }
}

TEST_F(Git, WithoutAnIdentityATagIsStillMadeAndTheEmailIsMissing) {
  const auto id = commit("a.txt", "one");
  git({"config", "--unset", "user.email"});
  git({"config", "--unset", "user.name"});
  ASSERT_TRUE(source_->tag("prod-1", id, "m").ok());
  EXPECT_NE(git({"cat-file", "tag", "prod-1"}).find("Belay <belay@localhost>"), std::string::npos);
  auto email = source_->user_email();
  ASSERT_FALSE(email.ok());
  EXPECT_EQ(email.error().fault, Fault::missing);
}

TEST_F(Git, ReadsTheUsersEmail) {
  EXPECT_EQ(source_->user_email().value(), "amina@example.org");
}

TEST_F(Git, APushedTagIsOnTheRemoteAndNothingElseIs) {
  const auto id = commit("a.txt", "one");
  add_remote();
  ASSERT_TRUE(source_->tag("prod-1", id, "m").ok());
  ASSERT_TRUE(source_->tag("prod-2", id, "m").ok());
  git({"config", "push.followTags", "true"});
  ASSERT_TRUE(source_->push_tag("prod-1").ok());
  EXPECT_TRUE(source_->push_tag("prod-1").ok());
  const auto there = git({"ls-remote", "--tags", "origin"});
  EXPECT_NE(there.find("refs/tags/prod-1"), std::string::npos);
  EXPECT_EQ(there.find("refs/tags/prod-2"), std::string::npos);
}

TEST_F(Git, ADifferentTagOnTheRemoteIsAConflict) {
  const auto first = commit("a.txt", "one");
  const auto second = commit("a.txt", "two");
  add_remote();
  git({"push", "--quiet", "origin", first + ":refs/tags/prod-1"});
  ASSERT_TRUE(source_->tag("prod-1", second, "m").ok());
  auto pushed = source_->push_tag("prod-1");
  ASSERT_FALSE(pushed.ok());
  EXPECT_EQ(pushed.error().fault, Fault::conflict);
}

TEST_F(Git, AFailedPushNamesTheTagAndHidesPasswords) {
  const auto id = commit("a.txt", "one");
  git({"remote", "add", "origin", "http://amina:hunter2@127.0.0.1:9/x.git"});
  ASSERT_TRUE(source_->tag("prod-1", id, "m").ok());
  auto pushed = source_->push_tag("prod-1");
  ASSERT_FALSE(pushed.ok());
  EXPECT_EQ(pushed.error().fault, Fault::unreachable);
  EXPECT_NE(pushed.error().message().find("prod-1"), std::string::npos);
  EXPECT_EQ(pushed.error().message().find("hunter2"), std::string::npos);
}

TEST_F(Git, HooksOfTheCloneAreNotRun) {
  const auto id = commit("a.txt", "one");
  add_remote();
  const auto hook = root_ / ".git/hooks/pre-push";
  fs::create_directories(hook.parent_path());
  ASSERT_TRUE(write_file(hook, "#!/bin/sh\nexit 1\n", 0755).ok());
  ASSERT_TRUE(source_->tag("prod-1", id, "m").ok());
  EXPECT_TRUE(source_->push_tag("prod-1").ok());
}

TEST_F(Git, TheCallersGitDirIsIgnored) {
  const auto id = commit("a.txt", "one");
  setenv("GIT_DIR", "/nonexistent", 1);
  auto found = source_->resolve("main");
  unsetenv("GIT_DIR");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->id, id);
}

TEST_F(Git, SubmodulesAndLfsPointersAreNamedAsNotCarried) {
  const auto inner = commit("a.txt", "one");
  git({"update-index", "--add", "--cacheinfo", "160000," + inner + ",lib/inner"});
  write("talk.txt", "see version https://git-lfs.github.com/spec/v1");
  write("logo.png", "version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12345\n");
  git({"add", "talk.txt", "logo.png"});
  git({"commit", "--quiet", "--message", "More"});
  EXPECT_EQ(source_->not_carried("main").value(),
            (std::vector<std::string>{"lib/inner (submodule)", "logo.png (Git LFS pointer)"}));
  EXPECT_TRUE(source_->not_carried(inner)->empty());
}

TEST_F(Git, AFolderOutsideAnyCloneSaysWhatToDo) {
  const auto folder = scratch_.path() / "plain";
  fs::create_directory(folder);
  auto made = make_git(folder);
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().fault, Fault::missing);
  EXPECT_NE(made.error().text.find("git init"), std::string::npos);
  EXPECT_FALSE(make_git(scratch_.path() / "nowhere").ok());
  git({"init", "--quiet", "--bare", remote_.string()});
  EXPECT_FALSE(make_git(remote_).ok());
}

TEST_F(Git, ASubfolderOfTheCloneWillDo) {
  const auto id = commit("deep/er/a.txt", "one");
  auto made = make_git(root_ / "deep/er");
  ASSERT_TRUE(made.ok());
  EXPECT_EQ((*made)->resolve("main")->id, id);
  EXPECT_EQ((*made)->read(id, "deep/er/a.txt").value(), "one");
}

TEST_F(Git, AnotherUsersCloneIsRefusedWithTheRemedy) {
  commit("a.txt", "one");
  setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1", 1);  // git's own switch
  auto made = make_git(root_);
  unsetenv("GIT_TEST_ASSUME_DIFFERENT_OWNER");
  ASSERT_FALSE(made.ok());
  EXPECT_EQ(made.error().fault, Fault::denied);
  EXPECT_NE(made.error().text.find("safe.directory"), std::string::npos);
}

TEST_F(Git, AnEmptyRepositoryHasNoCommitToResolve) {
  EXPECT_FALSE(source_->resolve("main").ok());
  EXPECT_FALSE(source_->resolve("HEAD").ok());
}

}  // namespace
}  // namespace belay::source
