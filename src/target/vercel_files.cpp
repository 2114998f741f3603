// SPDX-License-Identifier: Apache-2.0
#include "target/vercel_files.hpp"

#include <openssl/evp.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/assert.hpp"
#include "base/hash.hpp"

namespace belay::target {

namespace fs = std::filesystem;

namespace {

std::string sha1_of(std::string_view bytes) {
  std::string digest(20, '\0');
  unsigned size = 0;
  ASSERT(EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()),
                    &size, EVP_sha1(), nullptr) == 1);
  return hex(digest);
}

}  // namespace

Result<std::vector<SourceFile>> files_in(const Path& folder) {
  std::vector<SourceFile> files;
  std::error_code code;
  for (fs::recursive_directory_iterator at(folder, code), end; !code && at != end;
       at.increment(code)) {
    if (at->path().filename() == "node_modules" || at->path().filename() == ".git")
      at.disable_recursion_pending();
    if (!at->is_regular_file(code)) continue;
    TRY_LET(const auto content, read_file(at->path(), largest_source_file));
    struct stat facts {};
    if (::stat(at->path().c_str(), &facts) != 0)
      return errno_error(errno, "cannot look at " + at->path().string());
    files.push_back({at->path(), at->path().lexically_relative(folder).generic_string(),
                     sha1_of(content), content.size(), facts.st_mode});
  }
  if (code) return errno_error(code.value(), "cannot list " + folder.string());
  std::sort(files.begin(), files.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return files;
}

}  // namespace belay::target
