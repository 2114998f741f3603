// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "base/process.hpp"
#include "base/text.hpp"
#include "source/git_command.hpp"
#include "source/source.hpp"

namespace belay::source {
namespace {

constexpr std::string_view lfs_first_line = "version https://git-lfs.github.com/spec/v1";

class Git final : public Source {
 public:
  explicit Git(Path root) : git_(std::move(root)) {}

  Result<Commit> resolve(const std::string& ref) override {
    TRY(check_ref_name(ref));
    TRY_LET(const bool branch, exists("refs/heads/" + ref));
    TRY_LET(const bool tagged, exists("refs/tags/" + ref));
    if (branch && tagged) {
      return fail(
          Fault::conflict,
          fmt::format("{0} is a branch and a tag: say refs/heads/{0} or refs/tags/{0}", ref));
    }
    TRY_LET(auto id, hash_of(ref));
    if (!id) {
      TRY_LET(auto name, remote());
      if (name) {
        TRY_LET(id, hash_of("refs/remotes/" + *name + "/" + ref));
      }
    }
    if (!id) {
      return fail(Fault::missing,
                  fmt::format("no branch, tag or commit {} in {}; if it is new on the remote: "
                              "git fetch --tags",
                              ref, git_.folder().string()));
    }
    return commit(*id);
  }

  Result<std::vector<std::string>> branches_with(const std::string& wanted) override {
    TRY_LET(auto id, full_hash(wanted));
    TRY_LET(auto name, remote());
    // A local branch can be called anything; what the remote has was let in by its rules.
    const std::string under = name ? "refs/remotes/" + *name + "/" : "refs/heads/";
    TRY_LET(auto out, git_.out("list the branches with " + id,
                               {"for-each-ref", "--contains=" + id, "--format=%(refname)", under}));
    std::set<std::string> branches;
    for (const auto& line : split(out, '\n')) {
      if (line.starts_with(under) && !(name && line == under + "HEAD"))
        branches.insert(line.substr(under.size()));
    }
    return std::vector<std::string>(branches.begin(), branches.end());
  }

  Result<std::optional<std::string>> current_branch() override {
    TRY_LET(auto finished, git_.ask({"symbolic-ref", "--quiet", "HEAD"}));
    if (finished.status == 1) return std::optional<std::string>();
    if (!finished.ok()) return git_error("tell the current branch", finished, git_.folder());
    const std::string ref(trim(finished.out));
    return std::optional(ref.starts_with("refs/heads/") ? ref.substr(11) : ref);
  }

  Status copy(const std::string& wanted, const Path& folder) override {
    TRY_LET(auto id, full_hash(wanted));
    std::error_code code;
    if (std::filesystem::exists(folder, code) && !std::filesystem::is_empty(folder, code)) {
      return fail(Fault::conflict, fmt::format("cannot copy {} to {}: something is there already",
                                               id, folder.string()));
    }
    TRY(make_folder(folder, 0750));
    auto copied = unpack(id, folder);
    if (!copied.ok()) (void)remove_tree(folder);
    return copied;
  }

  Result<std::string> read(const std::string& wanted, const std::string& path) override {
    TRY_LET(auto id, full_hash(wanted));
    TRY_LET(auto name, checked_path(path));
    TRY_LET(auto entry, git_.out(fmt::format("look for {} in {}", name, id),
                                 {"ls-tree", "-z", "--full-tree", id, "--", name}));
    // "100644 blob HASH\tNAME"
    const auto words = split(entry.substr(0, entry.find('\t')), ' ');
    if (words.size() != 3 || words[1] != "blob") {
      return fail(Fault::missing, fmt::format("no file {} in commit {}", name, id));
    }
    if (words[0] == "120000") {
      return fail(Fault::refused, fmt::format("{} is a symbolic link in commit {}: commit the file "
                                              "itself",
                                              name, id));
    }
    return git_.out(fmt::format("read {} of {}", name, id), {"cat-file", "blob", words[2]});
  }

  Result<std::vector<Commit>> between(const std::string& from, const std::string& to,
                                      const std::string& path, int limit) override {
    TRY_LET(auto newer, full_hash(to));
    std::vector<std::string> args = {"log", "-z", commit_format,
                                     fmt::format("--max-count={}", std::max(limit, 0)), newer};
    if (!from.empty()) {
      TRY_LET(auto older, full_hash(from));
      args.push_back("^" + older);
    }
    args.emplace_back("--");
    if (!path.empty() && path != ".") {
      TRY_LET(auto name, checked_path(path));
      args.push_back(name);
    }
    TRY_LET(auto out, git_.out("list the commits up to " + newer, std::move(args)));
    return parse_commits(out);
  }

  Result<bool> is_ancestor(const std::string& older, const std::string& newer) override {
    TRY_LET(auto first, full_hash(older));
    TRY_LET(auto second, full_hash(newer));
    TRY_LET(auto finished, git_.ask({"merge-base", "--is-ancestor", first, second}));
    if (finished.status > 1) {
      return git_error(fmt::format("compare {} with {}", first, second), finished, git_.folder());
    }
    if (finished.ok()) return true;
    // A cut history cannot say no.
    TRY_LET(auto shallow, git_.out("tell whether the clone is complete",
                                   {"rev-parse", "--is-shallow-repository"}));
    if (trim(shallow) == "true") {
      return fail(Fault::missing, fmt::format("this clone's history is cut, so it cannot tell "
                                              "whether {} leads to {}: git fetch --unshallow",
                                              first, second));
    }
    return false;
  }

  Result<std::vector<std::string>> uncommitted() override {
    TRY_LET(auto out, git_.out("list uncommitted changes",
                               {"status", "--porcelain=v1", "-z", "--no-renames",
                                "--untracked-files=normal", "--ignore-submodules=none"}));
    std::vector<std::string> paths;
    for (const auto& entry : split(out, '\0')) {
      if (entry.size() > 3) paths.push_back(entry.substr(3));
    }
    return paths;
  }

  Result<std::optional<Commit>> protected_head() override {
    TRY_LET(auto name, remote());
    if (!name) return std::optional<Commit>();
    const std::string of_remote = "refs/remotes/" + *name + "/";
    for (const char* branch : {"HEAD", "main", "master"}) {
      TRY_LET(auto id, hash_of(of_remote + branch));
      if (!id) continue;
      TRY_LET(auto head, commit(*id));
      return std::optional(std::move(head));
    }
    TRY_LET(auto any, git_.out("list the remote's branches",
                               {"for-each-ref", "--count=1", "--format=%(refname)", of_remote}));
    if (trim(any).empty()) return std::optional<Commit>();
    return fail(Fault::missing,
                fmt::format("cannot tell the default branch of {0}: git remote set-head {0} --auto",
                            *name));
  }

  Status tag(const std::string& name, const std::string& wanted,
             const std::string& message) override {
    TRY(check_tag_name(name));
    TRY_LET(auto id, full_hash(wanted));
    TRY_LET(auto before, find_tag(name));
    if (before) return same_tag(*before, id);
    TRY_LET(auto who, tagger());
    TRY_LET(auto finished, git_.ask({"tag", "--annotate", "--no-sign", "--cleanup=verbatim",
                                     "--file=-", "--end-of-options", name, id},
                                    message, std::move(who)));
    if (finished.ok()) return {};
    TRY_LET(auto after, find_tag(name));
    if (after) return same_tag(*after, id);
    return git_error("make the tag " + name, finished, git_.folder());
  }

  Result<std::optional<Tag>> find_tag(const std::string& name) override {
    TRY(check_tag_name(name));
    TRY_LET(auto id, hash_of("refs/tags/" + name));
    if (!id) return std::optional<Tag>();
    TRY_LET(auto out, git_.out("read the tag " + name,
                               {"for-each-ref", "--format=%(objecttype)%00%(contents)",
                                "refs/tags/" + name}));
    Tag found{name, *id, ""};
    if (out.starts_with(std::string("tag\0", 4))) found.message = std::string(trim(out.substr(4)));
    return std::optional(std::move(found));
  }

  Result<std::vector<Tag>> annotated_tags() override {
    TRY_LET(auto out,
            git_.out("list the tags", {"for-each-ref",
                                       "--format=%(refname)%00%(objecttype)%00%(*objectname)%00"
                                       "%(contents)%00",
                                       "refs/tags/"}));
    std::vector<Tag> tags;
    const auto fields = split(out, '\0');
    for (std::size_t at = 0; at + 4 <= fields.size(); at += 4) {
      if (fields[at + 1] != "tag") continue;
      tags.push_back({std::string(trim(fields[at])).substr(10), fields[at + 2],
                      std::string(trim(fields[at + 3]))});
    }
    return tags;
  }

  Result<bool> has_remote() override {
    TRY_LET(auto name, remote());
    return name.has_value();
  }

  Result<std::string> remote_url() override {
    TRY_LET(auto name, remote());
    if (!name) return std::string();
    TRY_LET(auto url, git_.out("say where the remote is", {"remote", "get-url", *name}));
    return std::string(trim(url));
  }

  Status push_tag(const std::string& name) override {
    TRY(check_tag_name(name));
    TRY_LET(auto where, remote());
    if (!where) {
      return fail(Fault::missing,
                  "no remote to push the tag " + name + " to: git remote add origin URL");
    }
    const std::string ref = "refs/tags/" + name;
    auto finished = git_.ask({"push", "--quiet", "--no-verify", "--no-follow-tags",
                              "--recurse-submodules=no", "--", *where, ref + ":" + ref});
    if (!finished.ok()) {
      auto error = std::move(finished).error();
      error.effect = Effect::unknown;
      return std::move(error).in("push the tag " + name);
    }
    if (finished->ok()) return {};
    if (finished->err.find("already exists") != std::string::npos) {
      return fail(Fault::conflict,
                  fmt::format("cannot push the tag {}: {} has a different one", name, *where));
    }
    return git_error(fmt::format("push the tag {} to {}", name, *where), *finished, git_.folder());
  }

  Result<std::string> user_email() override {
    TRY_LET(auto finished, git_.ask({"config", "--get", "user.email"}));
    const std::string email(trim(finished.out));
    if (finished.ok() && !email.empty()) return email;
    if (finished.status > 1) return git_error("read user.email", finished, git_.folder());
    return fail(Fault::missing,
                "git knows no email of yours: git config --global user.email you@example.org");
  }

  Result<std::vector<std::string>> not_carried(const std::string& wanted) override {
    TRY_LET(auto id, full_hash(wanted));
    TRY_LET(auto tree,
            git_.out("list the files of " + id, {"ls-tree", "-r", "-z", "--full-tree", id}));
    std::vector<std::string> notes;
    for (const auto& entry : split(tree, '\0')) {
      if (entry.starts_with("160000 ")) {
        notes.push_back(entry.substr(entry.find('\t') + 1) + " (submodule)");
      }
    }
    TRY(add_lfs_pointers(id, notes));
    return notes;
  }

 private:
  Result<Commit> commit(const std::string& id) {
    TRY_LET(auto out, git_.out("read the commit " + id,
                               {"log", "-z", "--max-count=1", commit_format, id, "--"}));
    TRY_LET(auto commits, parse_commits(out));
    if (commits.size() != 1) return fail(Fault::missing, "no commit " + id);
    return std::move(commits.front());
  }

  Result<bool> exists(const std::string& full_ref) {
    TRY_LET(auto finished, git_.ask({"show-ref", "--verify", "--quiet", "--", full_ref}));
    return finished.ok();
  }

  // The commit a name stands for.
  Result<std::optional<std::string>> hash_of(const std::string& ref) {
    TRY_LET(auto finished,
            git_.ask({"rev-parse", "--verify", "--quiet", "--end-of-options", ref + "^{commit}"}));
    const std::string id(trim(finished.out));
    if (finished.ok() && is_full_hash(id)) return std::optional(id);
    if (finished.err.find("ambiguous") != std::string::npos) {
      return fail(Fault::invalid, ref + " stands for more than one commit: give more of its hash");
    }
    if (finished.err.find("dubious ownership") != std::string::npos) {
      return git_error("resolve " + ref, finished, git_.folder());
    }
    return std::optional<std::string>();
  }

  Result<std::string> full_hash(const std::string& wanted) {
    if (is_full_hash(wanted)) {
      TRY_LET(auto id, hash_of(wanted));
      if (id) return *id;
      return fail(Fault::missing,
                  fmt::format("no commit {} in {}: git fetch", wanted, git_.folder().string()));
    }
    TRY_LET(auto found, resolve(wanted));
    return found.id;
  }

  Result<std::optional<std::string>> remote() {
    TRY_LET(auto out, git_.out("list the remotes", {"remote"}));
    std::vector<std::string> names;
    for (const auto& line : split(out, '\n')) {
      if (line == "origin") return std::optional(line);
      if (!line.empty() && line.front() != '-') names.push_back(line);
    }
    if (names.empty()) return std::optional<std::string>();
    if (names.size() == 1) return std::optional(names.front());
    return fail(Fault::conflict,
                fmt::format("several remotes ({}) and none is called origin: git remote rename {} "
                            "origin",
                            join(names, ", "), names.front()));
  }

  Status unpack(const std::string& id, const Path& folder) {
    TRY_LET(auto scratch, ScratchFolder::make("belay-copy"));
    const auto archive = scratch.path() / "tree.tar";
    TRY_LET(auto told, git_.out("copy the files of " + id,
                                {"archive", "--format=tar", "--output=" + archive.string(), id}));
    Command tar;
    tar.argv = {"tar",
                "--extract",
                "--file=" + archive.string(),
                "--directory=" + folder.string(),
                "--no-same-owner",
                "--same-permissions"};
    tar.inherit_env = false;
    auto finished = run_ok(tar);
    if (finished.ok()) return {};
    return std::move(finished).error().in(fmt::format("unpack {} into {}", id, folder.string()));
  }

  Status same_tag(const Tag& found, const std::string& id) {
    if (found.commit == id) return {};
    return fail(Fault::conflict,
                fmt::format("the tag {} exists and names another commit ({}, not {})", found.name,
                            found.commit.substr(0, 12), id.substr(0, 12)));
  }

  // Machines that run deploys often have no identity; the tag must not fail for that.
  Result<Environment> tagger() {
    TRY_LET(auto known, git_.ask({"-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT"}));
    if (known.ok()) return Environment{};
    return Environment{{"GIT_COMMITTER_NAME", "Belay"}, {"GIT_COMMITTER_EMAIL", "belay@localhost"}};
  }

  Status add_lfs_pointers(const std::string& id, std::vector<std::string>& notes) {
    TRY_LET(auto found, git_.ask({"grep", "-l", "-z", "-I", "-F", "--full-name", "-e",
                                  std::string(lfs_first_line), id, "--"}));
    if (found.status > 1) return git_error("look for LFS pointers", found, git_.folder());
    for (const auto& entry : split(found.out, '\0')) {  // "HASH:path"
      if (entry.size() <= id.size() + 1) continue;
      const auto path = entry.substr(id.size() + 1);
      auto text = read(id, path);
      if (text.ok() && text->size() < 1024 && text->starts_with(lfs_first_line)) {
        notes.push_back(path + " (Git LFS pointer)");
      }
    }
    return {};
  }

  GitCommand git_;
};

}  // namespace

Result<std::unique_ptr<Source>> make_git(const Path& folder) {
  if (!find_program("git")) return fail(Fault::missing, "git is not installed: apt install git");
  if (!find_program("tar")) return fail(Fault::missing, "tar is not installed: apt install tar");
  std::error_code code;
  if (!std::filesystem::is_directory(folder, code)) {
    return fail(Fault::missing, fmt::format("no folder {}", folder.string()));
  }
  const GitCommand git(folder);
  TRY_LET(auto finished, git.ask({"rev-parse", "--show-toplevel"}));
  auto top = finished.out;
  if (!top.empty() && top.back() == '\n') top.pop_back();
  if (finished.ok() && !top.empty()) return std::unique_ptr<Source>(std::make_unique<Git>(top));
  if (finished.err.find("dubious ownership") != std::string::npos) {
    return git_error("open the repository", finished, folder);
  }
  return fail(Fault::missing,
              fmt::format("{} is not in a git work tree; run belay in a clone, or start one with: "
                          "git init && git add . && git commit -m \"First\"",
                          folder.string()));
}

}  // namespace belay::source
