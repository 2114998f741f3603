// SPDX-License-Identifier: Apache-2.0
#include "vault/touched_documents.hpp"

#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "vault/keyring.hpp"
#include "vault/sodium_bytes.hpp"

namespace belay::vault {

namespace {

constexpr std::size_t most_in_memory = std::size_t{32} << 20;
constexpr std::size_t id_overhead = 160;  // of the map's node
constexpr std::size_t tag_bytes = crypto_aead_chacha20poly1305_ietf_ABYTES;

// The offset of a piece in the file is used once with this key: it can be the nonce.
std::string nonce_of(std::uint64_t offset) {
  std::string nonce(crypto_aead_chacha20poly1305_ietf_NPUBBYTES, '\0');
  std::memcpy(nonce.data(), &offset, sizeof offset);
  return nonce;
}

}  // namespace

Spool::~Spool() {
  sodium_memzero(key_.data(), key_.size());
}

Status Spool::open() {
  std::error_code code;
  const Path folder = std::filesystem::temp_directory_path(code);
  if (code) return errno_error(code.value(), "there is no folder for temporary files");
  std::string name = (folder / "belay-touched-XXXXXX").string();
  file_.reset(::mkostemp(name.data(), O_CLOEXEC));
  if (!file_) return errno_error(errno, "cannot create " + name);
  ::unlink(name.c_str());
  key_ = random_bytes(random_, crypto_aead_chacha20poly1305_ietf_KEYBYTES);
  return {};
}

Result<Spool::Place> Spool::put(std::string_view document) {
  if (!file_) TRY(open());
  const std::string nonce = nonce_of(end_);
  std::string box(document.size() + tag_bytes, '\0');
  unsigned long long size = 0;
  ASSERT(crypto_aead_chacha20poly1305_ietf_encrypt(bytes_of(box), &size, bytes_of(document),
                                                   document.size(), nullptr, 0, nullptr,
                                                   bytes_of(nonce), bytes_of(key_)) == 0);
  for (std::size_t done = 0; done < box.size();) {
    const ssize_t n = ::pwrite(file_.get(), box.data() + done, box.size() - done,
                               static_cast<off_t>(end_ + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "cannot put touched documents aside in a temporary file");
    done += static_cast<std::size_t>(n);
  }
  const Place place{end_, static_cast<std::uint32_t>(document.size())};
  end_ += box.size();
  return place;
}

Result<database::Bson> Spool::get(const Place& place) const {
  std::string box(place.bytes + tag_bytes, '\0');
  for (std::size_t done = 0; done < box.size();) {
    const ssize_t n = ::pread(file_.get(), box.data() + done, box.size() - done,
                              static_cast<off_t>(place.offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return errno_error(n < 0 ? errno : EIO, "cannot read touched documents back");
    done += static_cast<std::size_t>(n);
  }
  database::Bson document(place.bytes, '\0');
  unsigned long long size = 0;
  const std::string nonce = nonce_of(place.offset);
  if (crypto_aead_chacha20poly1305_ietf_decrypt(bytes_of(document), &size, nullptr, bytes_of(box),
                                                box.size(), nullptr, 0, bytes_of(nonce),
                                                bytes_of(key_)) != 0) {
    return fail(Fault::corrupt, "touched documents did not come back from the temporary file");
  }
  return document;
}

bool TouchedBudget::take(std::size_t bytes) {
  if (used_ + bytes > most_in_memory) return false;
  used_ += bytes;
  return true;
}

void TouchedDocuments::forget(Version& version) {
  if (version.present && !version.spooled) budget_->give_back(version.document.size());
  version = {};
}

TouchedDocuments::Version& TouchedDocuments::version_of(const database::Bson& id) {
  const auto [at, is_new] = versions_.try_emplace(id);
  if (is_new) budget_->hold(id.size() + id_overhead);
  return at->second;
}

void TouchedDocuments::absent(const std::vector<database::Bson>& ids) {
  for (const auto& id : ids) forget(version_of(id));
}

Status TouchedDocuments::set(std::string_view document) {
  TRY_LET(const database::Bson id, database::id_of(document));
  Version& version = version_of(id);
  forget(version);
  if (budget_->take(document.size())) {
    version.document = document;
  } else {
    TRY_LET(version.place, budget_->spool().put(document));
    version.spooled = true;
  }
  version.present = true;
  return {};
}

void TouchedDocuments::clear() {
  for (auto& [id, version] : versions_) {
    forget(version);
    budget_->give_back(id.size() + id_overhead);
  }
  versions_.clear();
}

Status TouchedDocuments::write(Vault& vault, SavedCollection& saved) const {
  const auto writer = vault.write_layer();
  saved.gone.clear();
  for (const auto& [id, version] : versions_) {
    if (!version.present) {
      saved.gone.push_back(id);
    } else if (version.spooled) {
      TRY_LET(const database::Bson document, budget_->spool().get(version.place));
      TRY(writer->add(document));
    } else {
      TRY(writer->add(version.document));
    }
  }
  TRY_LET(saved.delta, writer->finish());
  return {};
}

}  // namespace belay::vault
