// SPDX-License-Identifier: Apache-2.0
#include "app/packed_files.hpp"

#include <fmt/format.h>

#include <system_error>

#include "base/process.hpp"

namespace belay::app {

namespace {

constexpr std::size_t largest_archive = std::size_t{512} << 20;

Result<std::string> pack(const Path& folder, std::stop_token stop) {
  std::error_code code;
  if (!std::filesystem::is_directory(folder, code))
    return fail(Fault::missing, "the commit has no folder " + folder.filename().string());
  Command tar;
  tar.argv = {"tar",
              "--create",
              "--gzip",
              "--sort=name",
              "--exclude=node_modules",
              "--exclude=.git",
              "--owner=0",
              "--group=0",
              "--numeric-owner",
              "."};
  tar.folder = folder;
  tar.output_limit = largest_archive;
  TRY_LET(auto packed, run_ok(tar, std::move(stop)));
  return std::move(packed.out);
}

}  // namespace

Result<std::string> packed_files(source::Source& source, const std::string& commit,
                                 const std::string& folder, const Path& work, Random& random,
                                 std::stop_token stop) {
  const Path copy = work / ("packed-" + random.hex(8));
  auto copied = source.copy(commit, copy);
  auto packed = copied ? pack((copy / folder).lexically_normal(), std::move(stop))
                       : Result<std::string>(copied.error());
  auto removed = remove_tree(copy);
  if (packed) TRY(std::move(removed));
  return packed;
}

}  // namespace belay::app
