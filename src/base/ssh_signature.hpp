// SPDX-License-Identifier: Apache-2.0
// Signatures with SSH keys, in the armored form of `ssh-keygen -Y` (PROTOCOL.sshsig). Keys:
// ssh-ed25519, ecdsa-sha2-nistp256/384/521, ssh-rsa of at least 2048 bits, and the two sk- kinds
// on security keys. A public key is one line "type base64 [comment]"; a line with options, with
// a second line, or of another type is refused.
#pragma once

#include <string>
#include <string_view>

#include "base/file.hpp"
#include "base/result.hpp"

namespace belay::ssh {

// Signs with a private key file, or a public one whose private half is in the agent. On a
// terminal ssh-keygen asks there for the passphrase or the touch; without one a key that needs
// asking is an error. Leaves nothing behind.
Result<std::string> sign(const Path& key, const std::string& name_space, std::string_view bytes);

// Whether `signature` is this key's over exactly these bytes in this namespace. false: a well
// formed signature that is not. An error: something here cannot be a key, a signature or a
// namespace, or ssh-keygen could not run; never to be read as a yes.
Result<bool> verify(const std::string& public_key, const std::string& name_space,
                    std::string_view bytes, const std::string& signature);

// "SHA256:...", as ssh-keygen -l prints it. Two lines with the same fingerprint are one key,
// whatever their comments.
Result<std::string> fingerprint(const std::string& public_key);

// "type base64" of the key that made the signature, as the signature says; it proves nothing
// until verify() has said yes.
Result<std::string> public_key_in(const std::string& signature);

}  // namespace belay::ssh
