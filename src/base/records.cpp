// SPDX-License-Identifier: Apache-2.0
#include "base/records.hpp"

#include <algorithm>

namespace belay {

namespace {

namespace fs = std::filesystem;

class RecordFiles final : public Records {
 public:
  explicit RecordFiles(Path folder) : folder_(std::move(folder)) {}

  Result<std::optional<std::string>> read(const std::string& name) override {
    auto text = read_file(folder_ / name);
    if (text) return std::optional(std::move(*text));
    if (text.error().fault == Fault::missing) return std::optional<std::string>();
    return std::move(text).error();
  }

  Status write(const std::string& name, std::string_view text) override {
    TRY(make_folder((folder_ / name).parent_path()));
    return write_file(folder_ / name, text);
  }

  Status remove(const std::string& name) override {
    std::error_code code;
    fs::remove(folder_ / name, code);
    return code ? Status(errno_error(code.value(), "cannot remove " + (folder_ / name).string()))
                : Status();
  }

  Result<std::vector<std::string>> names(const std::string& prefix) override {
    std::vector<std::string> found;
    std::error_code code;
    for (const auto& entry : fs::directory_iterator(folder_ / prefix, code))
      if (entry.is_regular_file()) found.push_back(prefix + entry.path().filename().string());
    if (code && code != std::errc::no_such_file_or_directory)
      return errno_error(code.value(), "cannot read " + (folder_ / prefix).string());
    std::sort(found.begin(), found.end());
    return found;
  }

  std::string where() const override { return folder_.string(); }

 private:
  Path folder_;
};

}  // namespace

std::unique_ptr<Records> make_records(Path folder) {
  return std::make_unique<RecordFiles>(std::move(folder));
}

}  // namespace belay
