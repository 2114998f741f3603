// SPDX-License-Identifier: Apache-2.0
// MD5, only because others use it: MongoDB's dbHash, the marks of stored objects. Not a protection.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/assert.hpp"
#include "base/hash.hpp"

namespace belay {

class Md5 {
 public:
  Md5() { ASSERT(EVP_DigestInit_ex(context_.get(), EVP_md5(), nullptr) == 1); }
  void add(std::string_view bytes) {
    ASSERT(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
  }
  std::string finish() {  // once; 32 hex digits
    std::string digest(16, '\0');
    unsigned size = 0;
    ASSERT(EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(digest.data()),
                              &size) == 1);
    return hex(digest);
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_{EVP_MD_CTX_new(),
                                                                   &EVP_MD_CTX_free};
};

inline std::string md5_of(std::string_view bytes) {
  Md5 md5;
  md5.add(bytes);
  return md5.finish();
}

// As HTTP's Content-MD5 has it.
inline std::string base64_md5_of(std::string_view bytes) {
  return base64(from_hex(md5_of(bytes)).value());
}

}  // namespace belay
