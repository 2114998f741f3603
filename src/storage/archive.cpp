// SPDX-License-Identifier: Apache-2.0
// One file for all objects: the table that SQLite's own program reads and writes as an archive
// (https://www.sqlite.org/sqlar.html); `sqlite3 FILE -Ax` unpacks it.
#include <fcntl.h>

#include <cerrno>
#include <limits>
#include <mutex>
#include <system_error>

#include "base/sql.hpp"
#include "storage/name.hpp"
#include "storage/storage.hpp"

namespace belay::storage {

namespace {

constexpr const char* what = "the archive";
// A regular file, readable by its owner, in the words of that program.
constexpr int mode = 0100600;

Status make_empty(const Path& path) {
  TRY(make_folder(path.parent_path()));
  const Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return errno_error(errno, "cannot create " + path.string());
  return sync_folder(path.parent_path());
}

Error no_archive(const Path& path) {
  return fail(Fault::corrupt, path.string() + " is no archive of objects: nothing of it is used");
}

class Archive final : public Storage {
 public:
  explicit Archive(Path path) : path_(std::move(path)) {}

  Status put(const std::string& name, std::string_view content) override {
    TRY(check_name(name));
    const std::lock_guard lock(mutex_);
    TRY(open_to_write());
    TRY_LET(auto insert, writer_->prepare("INSERT INTO sqlar VALUES (?1, ?2, 0, ?3, ?4)"));
    insert.bind(1, name).bind(2, std::int64_t{mode});
    insert.bind(3, static_cast<std::int64_t>(content.size())).bind_blob(4, content);
    auto put = insert.run();
    if (!put && put.error().fault == Fault::conflict)
      return fail(Fault::conflict, "there is " + name + " in " + path_.string() + " already");
    return std::move(put).in(path_.string());
  }

  Result<std::string> get(const std::string& name) override {
    return get_part(name, 0, std::numeric_limits<std::uint32_t>::max());
  }

  Result<std::string> get_part(const std::string& name, std::uint64_t from,
                               std::uint64_t count) override {
    TRY(check_name(name));
    const std::lock_guard lock(mutex_);
    TRY_LET(const bool there, open_to_read());
    if (there) {
      TRY_LET(auto row, reader_->prepare("SELECT data, sz = length(data), typeof(data) = 'blob' "
                                         "FROM sqlar WHERE name = ?1"));
      TRY_LET(const bool found, row.bind(1, name).row().in(path_.string()));
      if (found) return part_of(row, name, from, count);
    }
    return fail(Fault::missing, "there is no " + name + " in " + path_.string());
  }

  Result<std::vector<Object>> list(const std::string& prefix) override {
    const std::lock_guard lock(mutex_);
    std::vector<Object> found;
    TRY_LET(const bool there, open_to_read());
    if (!there) return found;
    TRY_LET(auto rows, reader_->prepare("SELECT name, length(data) FROM sqlar WHERE name >= ?1 "
                                        "AND substr(name, 1, length(?1)) = ?1 ORDER BY name"));
    rows.bind(1, prefix);
    for (;;) {
      TRY_LET(const bool more, rows.row().in(path_.string()));
      if (!more) return found;
      Object object{rows.text(0), static_cast<std::uint64_t>(rows.integer(1))};
      TRY(check_name(object.name).in(path_.string()));
      found.push_back(std::move(object));
    }
  }

  Status remove(const std::string& name) override {
    TRY(check_name(name));
    const std::lock_guard lock(mutex_);
    TRY_LET(const bool there, open_to_read());
    if (!there) return {};
    TRY(open_to_write());
    TRY_LET(auto remove, writer_->prepare("DELETE FROM sqlar WHERE name = ?1"));
    return remove.bind(1, name).run().in(path_.string());
  }

  Result<bool> exists(const std::string& name) override {
    TRY(check_name(name));
    const std::lock_guard lock(mutex_);
    TRY_LET(const bool there, open_to_read());
    if (!there) return false;
    TRY_LET(auto row, reader_->prepare("SELECT 1 FROM sqlar WHERE name = ?1"));
    TRY_LET(const bool found, row.bind(1, name).row().in(path_.string()));
    row.reset();
    return found;
  }

  std::string where() const override { return "file:" + path_.string(); }

 private:
  static Result<std::string> part_of(sql::Statement& row, const std::string& name,
                                     std::uint64_t from, std::uint64_t count) {
    std::string content = row.text(0);
    const bool as_we_put_it = row.integer(1) != 0 && row.integer(2) != 0;
    row.reset();
    if (!as_we_put_it)
      return fail(Fault::corrupt,
                  name + " is compressed, or of another size than is written there");
    if (from >= content.size()) return std::string();
    if (from == 0 && count >= content.size()) return content;
    return content.substr(from, count);
  }

  // False: there is no such file.
  Result<bool> open_to_read() {
    if (reader_) return true;
    std::error_code code;
    if (!std::filesystem::exists(path_, code)) return false;
    TRY_LET(auto reader, sql::Connection::open(path_, what, sql::Access::read));
    TRY_LET(const bool whole, has_table(reader));
    if (!whole) return no_archive(path_);
    reader_ = std::move(reader);
    return true;
  }

  Status open_to_write() {
    if (writer_) return {};
    TRY(make_empty(path_));
    TRY_LET(auto writer, sql::Connection::open(path_, what));
    TRY_LET(const bool there, has_table(writer));
    if (!there)
      TRY(writer
              .execute("CREATE TABLE IF NOT EXISTS sqlar(name TEXT PRIMARY KEY, mode INT, "
                       "mtime INT, sz INT, data BLOB)")
              .in(path_.string()));
    writer_ = std::move(writer);
    return {};
  }

  // A view of that name, which could be anything, is none. What SQLite cannot read is said as such.
  Result<bool> has_table(sql::Connection& connection) const {
    auto look =
        connection.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'sqlar'");
    if (!look && look.error().fault == Fault::corrupt) return no_archive(path_);
    if (!look) return std::move(look).error().in(path_.string());
    auto found = look->row();
    if (!found && found.error().fault == Fault::corrupt) return no_archive(path_);
    look->reset();
    return std::move(found).in(path_.string());
  }

  Path path_;
  std::mutex mutex_;
  std::optional<sql::Connection> reader_, writer_;
};

}  // namespace

std::unique_ptr<Storage> make_archive(const Path& file) {
  std::error_code code;
  return std::make_unique<Archive>(std::filesystem::absolute(file, code).lexically_normal());
}

}  // namespace belay::storage
