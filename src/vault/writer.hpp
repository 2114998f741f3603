// SPDX-License-Identifier: Apache-2.0
// Cutting a run of documents into blocks, and the thread that compresses, encrypts and stores them
// while the next ones are being read.
#pragma once

#include <condition_variable>
#include <deque>
#include <thread>

#include "vault/blocks.hpp"

namespace belay::vault {

// Work in the order given, on one thread. At most 20 MiB of blocks wait: with documents of 16 MiB
// that is one, and the whole stays within 128 MB.
class Packer {
 public:
  ~Packer();
  // Waits until there is room. `work` does not throw.
  void submit(std::size_t bytes, std::function<void()> work);

 private:
  struct Job {
    std::size_t bytes;
    std::function<void()> work;
  };
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::size_t in_flight_ = 0;
  bool ending_ = false;
  std::thread thread_;
};

std::unique_ptr<Vault::LayerWriter> make_layer_writer(Blocks& blocks, Keyring& keys,
                                                      Packer& packer);

}  // namespace belay::vault
