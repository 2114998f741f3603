// SPDX-License-Identifier: Apache-2.0
#include "engine/votes.hpp"

#include "base/ssh_signature.hpp"

namespace belay::engine {

Result<bool> verify_signature(const std::string& key, std::string_view bytes,
                              const std::string& signature) {
  // What can be told from the text alone first: everything after it is about this machine.
  if (!ssh::fingerprint(key) || !ssh::public_key_in(signature)) return false;
  return ssh::verify(key, std::string(pipeline::approval_namespace), bytes, signature)
      .in("cannot check a signature");
}

}  // namespace belay::engine
