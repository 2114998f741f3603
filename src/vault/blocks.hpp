// SPDX-License-Identifier: Apache-2.0
// Blocks in the store, by content. Safe from many threads.
#pragma once

#include <atomic>
#include <mutex>
#include <unordered_set>

#include "vault/keyring.hpp"
#include "vault/lease.hpp"
#include "vault/vault.hpp"

namespace belay::vault {

// A block's content is never larger: one document at the server's limit, with room.
inline constexpr std::size_t most_block_bytes = (std::size_t{16} << 20) + (std::size_t{64} << 10);
// The manifest of a very large database; a document list of a salvage.
inline constexpr std::size_t most_sealed_bytes = std::size_t{1} << 30;

std::string block_object(const std::string& name);  // "blocks/ab/abcd..."

class Blocks {
 public:
  Blocks(storage::Storage& store, Keyring& keys, WriterLease& lease)
      : store_(store), keys_(keys), lease_(lease) {}

  // Durable when it returns; its name. A block that is there already is not stored again.
  Result<std::string> put(std::string_view content);
  // Decrypted and compared with its name and with what the manifest says. missing, corrupt.
  Result<std::string> get(const Block& block) const;
  // A block that cannot be read, twice in a row, is removed, so that it is stored again when it is
  // written next. True: it is gone.
  Result<bool> drop_damaged(const Block& block);
  // All of these are in the store now, by a fresh listing, and locked there from now on if it locks
  // anything; missing: names the first that is not.
  Status require(const std::unordered_set<std::string>& names);
  std::uint64_t bytes_written() const { return bytes_written_; }

 private:
  Status refresh();
  Result<bool> store(const std::string& object, std::string_view sealed);
  bool is_known(const std::string& name);
  Status keep(const std::string& name);

  storage::Storage& store_;
  Keyring& keys_;
  WriterLease& lease_;
  std::mutex mutex_;
  bool listed_ = false;
  std::unordered_set<std::string> known_;  // names that are in the store
  std::unordered_set<std::string> kept_;   // of these, what is locked since this writing began
  std::atomic<std::uint64_t> bytes_written_{0};
};

// Calls `sink` with each document of a block's content. corrupt: it is not whole documents.
Status each_document(std::string_view content, const std::function<Status(std::string_view)>& sink);
// The first document of `content`; corrupt: there is none.
Result<std::string_view> first_document(std::string_view content);

}  // namespace belay::vault
