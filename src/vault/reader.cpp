// SPDX-License-Identifier: Apache-2.0
#include "vault/reader.hpp"

namespace belay::vault {

namespace {

using database::Bson;

// The documents of one layer, one block in memory.
class LayerCursor {
 public:
  LayerCursor(const Blocks& blocks, Layer layer) : blocks_(blocks), layer_(std::move(layer)) {}

  // The present document; none at the end. Valid until advance().
  Result<std::optional<std::string_view>> head() {
    while (rest_.empty()) {
      if (left_ != 0) return wrong_count();
      if (next_ == layer_.blocks.size()) return std::optional<std::string_view>();
      TRY(open(layer_.blocks[next_++]));
    }
    if (left_ == 0) return wrong_count();
    TRY_LET(const std::string_view document, first_document(rest_));
    return std::optional(document);
  }

  void advance(std::size_t bytes) {
    rest_.remove_prefix(bytes);
    --left_;
  }

 private:
  Status open(const Block& block) {
    content_ = {};  // before the next one is read: one block in memory
    TRY_LET(content_, blocks_.get(block));
    rest_ = content_;
    left_ = block.documents;
    TRY_LET(const std::string_view document, first_document(rest_));
    auto id = database::id_of(document);
    if (block.first_id != (id ? id.value() : Bson())) {
      return fail(Fault::corrupt, block_object(block.name) +
                                      " does not begin with the id that the "
                                      "manifest says");
    }
    return {};
  }

  Error wrong_count() const {
    return fail(Fault::corrupt, block_object(layer_.blocks[next_ - 1].name) +
                                    " does not hold as many documents as the manifest says");
  }

  const Blocks& blocks_;
  Layer layer_;
  std::size_t next_ = 0;
  std::string content_;
  std::string_view rest_;
  std::uint32_t left_ = 0;
};

class MergingReader final : public DocumentReader {
 public:
  MergingReader(const Blocks& blocks, const SavedCollection& collection)
      : base_(blocks, collection.base),
        delta_(blocks, collection.delta),
        gone_(collection.gone),
        plain_(collection.delta.blocks.empty() && collection.gone.empty()) {}

  Result<std::optional<Bson>> next() override {
    for (;;) {
      TRY_LET(const auto base, base_.head());
      if (plain_) return take(base_, base);
      TRY_LET(const auto delta, delta_.head());
      if (!base) return take(delta_, delta);
      TRY_LET(const Bson base_id, database::id_of(*base));
      const int order = delta ? database::compare_ids(base_id, delta_id(*delta)) : -1;
      if (order > 0) return take(delta_, delta);
      if (order < 0 && !is_gone(base_id)) return take(base_, base);
      base_.advance(base->size());  // replaced by the delta, or removed
    }
  }

 private:
  Result<std::optional<Bson>> take(LayerCursor& from, const std::optional<std::string_view>& head) {
    if (!head) return std::optional<Bson>();
    std::optional<Bson> document{std::string(*head)};
    from.advance(head->size());
    if (&from == &delta_) delta_id_.clear();
    return document;
  }

  const Bson& delta_id(std::string_view document) {
    if (delta_id_.empty()) {
      auto id = database::id_of(document);
      if (id) delta_id_ = std::move(id).value();
    }
    return delta_id_;
  }

  bool is_gone(const Bson& id) {
    while (gone_next_ < gone_.size() && database::compare_ids(gone_[gone_next_], id) < 0)
      ++gone_next_;
    return gone_next_ < gone_.size() && database::compare_ids(gone_[gone_next_], id) == 0;
  }

  LayerCursor base_, delta_;
  std::vector<Bson> gone_;
  std::size_t gone_next_ = 0;
  bool plain_;
  Bson delta_id_;  // of the delta's head; empty: not looked at
};

}  // namespace

std::unique_ptr<DocumentReader> make_reader(const Blocks& blocks,
                                            const SavedCollection& collection) {
  return std::make_unique<MergingReader>(blocks, collection);
}

}  // namespace belay::vault
