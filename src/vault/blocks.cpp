// SPDX-License-Identifier: Apache-2.0
#include "vault/blocks.hpp"

#include <cstring>

namespace belay::vault {

namespace {
constexpr std::string_view blocks_prefix = "blocks/";
}

std::string block_object(const std::string& name) {
  return fmt::format("{}{}/{}", blocks_prefix, name.substr(0, 2), name);
}

Status Blocks::refresh() {
  TRY_LET(const auto objects, store_.list(std::string(blocks_prefix)));
  const std::lock_guard lock(mutex_);
  known_.clear();
  for (const auto& object : objects) known_.insert(object.name.substr(object.name.rfind('/') + 1));
  listed_ = true;
  return {};
}

Result<std::string> Blocks::put(std::string_view content) {
  TRY_LET(const bool unbroken, lease_.ensure());
  if (!unbroken || !listed_) {
    TRY(refresh());
    const std::lock_guard lock(mutex_);
    kept_.clear();
  }
  std::string name = keys_.name_of(content);
  if (is_known(name)) {
    TRY(keep(name));
    return name;
  }
  const std::string object = block_object(name);
  const std::string sealed = keys_.seal(SealKind::block, object, content);
  TRY_LET(const bool fresh, store(object, sealed));
  const std::lock_guard lock(mutex_);
  known_.insert(name);
  if (fresh) kept_.insert(name);
  return name;
}

bool Blocks::is_known(const std::string& name) {
  const std::lock_guard lock(mutex_);
  return known_.contains(name);
}

// Whoever refers to an old block needs it for as long as what is put now.
Status Blocks::keep(const std::string& name) {
  auto* const locking = store_.locking();
  if (locking == nullptr) return {};
  {
    const std::lock_guard lock(mutex_);
    if (kept_.contains(name)) return {};
  }
  TRY(locking->keep(block_object(name)).in("locking a block"));
  const std::lock_guard lock(mutex_);
  kept_.insert(name);
  return {};
}

// True: it was not there before.
Result<bool> Blocks::store(const std::string& object, std::string_view sealed) {
  Status stored = store_.put(object, sealed);
  // A lost reply: the same bytes once more, and a conflict then says that they are there.
  if (!stored && stored.error().effect == Effect::unknown) stored = store_.put(object, sealed);
  if (stored) bytes_written_ += sealed.size();
  if (stored) return true;
  if (stored.error().fault == Fault::conflict) return false;
  return std::move(stored).error().in("storing a block in " + store_.where());
}

Result<std::string> Blocks::get(const Block& block) const {
  const std::string object = block_object(block.name);
  auto bytes = store_.get(object);
  if (!bytes && bytes.error().fault == Fault::missing) {
    return fail(Fault::missing, object + " is not in " + store_.where() +
                                    ": the restore points that use it are damaged");
  }
  if (!bytes) return std::move(bytes).error();
  TRY_LET(std::string content,
          keys_.open(SealKind::block, object, std::move(bytes).value(), most_block_bytes));
  if (content.size() != block.plain_bytes || keys_.name_of(content) != block.name) {
    return fail(Fault::corrupt, object + " does not have the content of its name");
  }
  return content;
}

Result<bool> Blocks::drop_damaged(const Block& block) {
  // Once may be the machine's fault; removing is for ever.
  for (int reading = 0; reading < 2; ++reading) {
    auto content = get(block);
    if (content) return false;
    const Fault fault = content.error().fault;
    if (fault != Fault::corrupt && fault != Fault::missing) return std::move(content).error();
  }
  TRY(store_.remove(block_object(block.name)));
  const std::lock_guard lock(mutex_);
  known_.erase(block.name);
  return true;
}

Status Blocks::require(const std::unordered_set<std::string>& names) {
  TRY_LET(const bool unbroken, lease_.ensure());
  static_cast<void>(unbroken);
  TRY(refresh());
  for (const auto& name : names) {
    if (!is_known(name)) {
      return fail(Fault::missing, block_object(name) + " is gone from " + store_.where() +
                                      " since it was written: take the restore point again");
    }
  }
  for (const auto& name : names) TRY(keep(name));
  return {};
}

Result<std::string_view> first_document(std::string_view content) {
  std::int32_t size = 0;
  if (content.size() >= 5) std::memcpy(&size, content.data(), sizeof size);
  if (size < 5 || static_cast<std::size_t>(size) > content.size()) {
    return fail(Fault::corrupt, "a block does not hold whole documents");
  }
  return content.substr(0, static_cast<std::size_t>(size));
}

Status each_document(std::string_view content,
                     const std::function<Status(std::string_view)>& sink) {
  while (!content.empty()) {
    TRY_LET(const std::string_view document, first_document(content));
    TRY(sink(document));
    content.remove_prefix(document.size());
  }
  return {};
}

}  // namespace belay::vault
