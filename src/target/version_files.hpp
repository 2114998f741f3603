// SPDX-License-Identifier: Apache-2.0
// A version's files, and the building of it in place. Kept apart from what runs it, so that the
// host and the command target share them. The folder of one version:
//   tree/          the release's copy, built where it will run: absolute paths stay right
//   building       the key of the build that works in tree/; there until it is prepared
//   version.json   written last: with it the version is prepared
#pragma once

#include "base/json.hpp"
#include "target/target.hpp"

namespace belay::target {

// invalid when a name could leave its folder or be mistaken for another.
Status check_version(const Version& version);

struct BuildOrder {
  std::string command;  // shell; empty: nothing to build
  Environment env;
  Millis limit = std::chrono::hours(1);
};

class VersionFiles {
 public:
  // `own`: the outermost folder of ours around `folder`; `log`: where the build's output is kept.
  VersionFiles(Version version, Path own, Path folder, Path log)
      : version_(std::move(version)),
        own_(std::move(own)),
        folder_(std::move(folder)),
        log_(std::move(log)) {}

  Path tree() const { return folder_ / "tree"; }
  bool prepared() const;
  bool begun() const;
  // missing when it is not prepared.
  Result<Json> record() const;
  // The service's part of the tree.
  Result<Path> work_folder() const;
  // Takes the source, builds it under `key`, and writes `record` last. A failed build leaves the
  // log only. cancelled: the build goes on, and the same key adopts it.
  Status prepare(const Artifact& artifact, const std::string& key, const BuildOrder& build,
                 Json record, Children& children, const Output& output, std::stop_token stop);
  // Ends a build that still runs, and removes everything. Fine when nothing is there.
  Status remove(Children& children);

 private:
  Status is_made_of(const Artifact& artifact) const;
  Status take(const Artifact& artifact, const std::string& key, Children& children);
  Status begin(const Artifact& artifact, const std::string& key, const BuildOrder& build,
               Children& children);
  Status build_failed(const ChildStatus& ended, Millis limit, const std::string& output);
  Status finish(Json record);
  Status clear() const;

  Version version_;
  Path own_, folder_, log_;
};

// The last lines of what a program wrote, for an error's text.
std::string last_lines(std::string_view text, std::size_t lines);
std::string ending_of(const ChildStatus& status);

// What every child gets besides its own variables.
Environment with_basics(Environment env, const Path& own, const std::string& user);

}  // namespace belay::target
