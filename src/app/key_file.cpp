// SPDX-License-Identifier: Apache-2.0
#include "app/key_file.hpp"

#include <unistd.h>

#include "base/text.hpp"

namespace belay::app {

Result<std::optional<Secret>> key_in(const Path& path) {
  auto text = read_file(path);
  if (text) return std::optional(Secret(std::string(trim(*text))));
  if (text.error().fault == Fault::missing) return std::optional<Secret>();
  return std::move(text).error();
}

Result<bool> put_key(const Path& path, const Secret& key, Random& random) {
  const Path beside = path.string() + "." + random.hex(8);
  TRY(write_file(beside, key.reveal() + "\n", 0600));
  const int linked = ::link(beside.c_str(), path.c_str());
  const int code = errno;
  std::error_code ignored;
  std::filesystem::remove(beside, ignored);
  if (linked == 0) {
    TRY(sync_folder(path.parent_path()));
    return true;
  }
  if (code == EEXIST) return false;
  return errno_error(code, "cannot write " + path.string());
}

}  // namespace belay::app
