// SPDX-License-Identifier: Apache-2.0
#include "vault/writer.hpp"

namespace belay::vault {

namespace {

constexpr std::size_t least_block = std::size_t{256} << 10;
constexpr std::size_t most_block = std::size_t{4} << 20;
// After the least size, a cut comes on the average this much later.
constexpr double mean_tail = 768.0 * 1024.0;
constexpr std::size_t most_in_flight = std::size_t{20} << 20;

struct Pending {  // shared with the jobs, which may outlive the writer
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t running = 0;
  std::optional<Error> error;
  std::vector<Block> blocks;
};

class Writer final : public Vault::LayerWriter {
 public:
  Writer(Blocks& blocks, Keyring& keys, Packer& packer)
      : blocks_(blocks), keys_(keys), packer_(packer) {}

  Status add(std::string_view document) override {
    ASSERT(!finished_);
    if (!database::is_framed(document)) {
      return fail(Fault::corrupt, "the database sent something that is not one BSON document");
    }
    if (!buffer_.empty() && buffer_.size() + document.size() > most_block) TRY(cut());
    if (buffer_.empty()) {
      auto id = database::id_of(document);
      first_id_ = id ? std::move(id).value() : database::Bson();
    }
    buffer_ += document;
    ++documents_;
    layer_.documents += 1;
    layer_.bytes += document.size();
    return ends_here(document) ? cut() : Status();
  }

  Result<Layer> finish() override {
    ASSERT(!finished_);
    if (!buffer_.empty()) TRY(cut());
    finished_ = true;
    std::unique_lock lock(pending_->mutex);
    pending_->changed.wait(lock, [&] { return pending_->running == 0; });
    if (pending_->error) return *pending_->error;
    layer_.blocks = std::move(pending_->blocks);
    return std::move(layer_);
  }

 private:
  bool ends_here(std::string_view document) const {
    if (buffer_.size() < least_block) return false;
    const double share = static_cast<double>(document.size()) / mean_tail;
    return static_cast<double>(keys_.cut_hash(document)) * 0x1p-64 < share;
  }

  Status cut() {
    std::size_t index = 0;
    {
      const std::lock_guard lock(pending_->mutex);
      if (pending_->error) return *pending_->error;
      index = pending_->blocks.size();
      pending_->blocks.push_back({"", std::exchange(documents_, 0),
                                  static_cast<std::uint32_t>(buffer_.size()),
                                  std::move(first_id_)});
      pending_->running += 1;
    }
    auto content = std::make_shared<std::string>(std::move(buffer_));
    buffer_ = {};
    first_id_ = {};
    const std::size_t bytes = content->size();
    packer_.submit(bytes, [&blocks = blocks_, pending = pending_, content, index] {
      auto name = blocks.put(*content);
      content->clear();
      content->shrink_to_fit();
      const std::lock_guard lock(pending->mutex);
      if (name) {
        pending->blocks[index].name = std::move(name).value();
      } else if (!pending->error) {
        pending->error = std::move(name).error();
      }
      pending->running -= 1;
      pending->changed.notify_all();
    });
    return {};
  }

  Blocks& blocks_;
  Keyring& keys_;
  Packer& packer_;
  std::shared_ptr<Pending> pending_ = std::make_shared<Pending>();
  std::string buffer_;
  database::Bson first_id_;
  std::uint32_t documents_ = 0;  // in the buffer
  Layer layer_;
  bool finished_ = false;
};

}  // namespace

Packer::~Packer() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Packer::submit(std::size_t bytes, std::function<void()> work) {
  std::unique_lock lock(mutex_);
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  changed_.wait(lock, [&] { return in_flight_ == 0 || in_flight_ + bytes <= most_in_flight; });
  in_flight_ += bytes;
  jobs_.push_back({bytes, std::move(work)});
  changed_.notify_all();
}

void Packer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return ending_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job.work();
    job.work = nullptr;  // its bytes are gone before its room is given away
    lock.lock();
    in_flight_ -= job.bytes;
    changed_.notify_all();
  }
}

std::unique_ptr<Vault::LayerWriter> make_layer_writer(Blocks& blocks, Keyring& keys,
                                                      Packer& packer) {
  return std::make_unique<Writer>(blocks, keys, packer);
}

}  // namespace belay::vault
