// SPDX-License-Identifier: Apache-2.0
// A restore point as one file, sealed with the vault's key: to hand on, to keep elsewhere, and to
// take back in from there.
#pragma once

#include "app/wire.hpp"

namespace belay::app {

struct BackupFile {
  Path path;
  std::string sha256;
  std::uint64_t bytes = 0;
  vault::Point point;
};
// In `folder`, which is made. Its name is "prod-20261123-101500.rp-7.backup": the release that was
// live when run 7 took the point, as this journal knows, so the one whose data it is; "rp-7.backup"
// where none was, or the point is no run's of this journal. Read back, decrypted and counted before
// it gets its name. Nothing is left of one that fails; conflict when there is such a file.
Result<BackupFile> export_backup(Desk& desk, const Works& works, const std::string& point,
                                 const Path& folder, const vault::OnProgress& progress,
                                 std::stop_token stop);

// Into the environment's vault, where it is whole afterwards. Before anything is written all of the
// file is read, and held against `sha256` unless that is empty. corrupt; denied: it was made with
// another key; refused: of another project or environment; conflict: another point has its name.
Result<vault::Point> import_backup(Desk& desk, const Works& works, const Path& file,
                                   const std::string& sha256, const vault::OnProgress& progress,
                                   std::stop_token stop);

// The same of a file that a workflow left at GitHub under this name, the newest that is good.
// missing: there is none.
struct Fetched {
  std::string artifact, sha256;
  vault::Point point;
};
Result<Fetched> fetch_backup(Desk& desk, const Works& works, const std::string& name,
                             const vault::OnProgress& progress, std::stop_token stop);

// What `run` took under the name of `point`, from where its workflow left it; under any of the
// names that a run of such a number may have had to give it.
Result<Fetched> fetch_point_of_run(Desk& desk, const std::string& environment,
                                   const std::string& point, const std::string& run);

}  // namespace belay::app
