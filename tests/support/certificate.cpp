// SPDX-License-Identifier: Apache-2.0
#include "tests/support/certificate.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <cstdlib>

#include "base/text.hpp"

namespace belay::testing {
namespace {

template <class T, void (*end)(T*)>
struct End {
  void operator()(T* object) const { end(object); }
};
using Key = std::unique_ptr<EVP_PKEY, End<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, End<X509, X509_free>>;
using Bio = std::unique_ptr<BIO, End<BIO, BIO_free_all>>;

void need(bool condition) {
  if (!condition) std::abort();
}

Key new_key(int rsa_bits) {
  EVP_PKEY* key =
      rsa_bits > 0 ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<std::size_t>(rsa_bits))
                   : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
  need(key != nullptr);
  return Key(key);
}

template <class Write>
std::string pem(Write write) {
  const Bio bio(BIO_new(BIO_s_mem()));
  need(write(bio.get()) == 1);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

Bio reading(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

void add_extension(X509* certificate, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
  need(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

void set_subject(X509* certificate, const std::string& name) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  need(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                  reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1,
                                  0) == 1);
}

}  // namespace

Identity make_identity(const CertificateWish& wish, const Identity* issuer) {
  const Key key = new_key(wish.rsa_bits);
  const Certificate made(X509_new());
  Certificate parent;
  Key parent_key;
  if (issuer != nullptr) {
    parent.reset(PEM_read_bio_X509(reading(issuer->certificate).get(), nullptr, nullptr, nullptr));
    parent_key.reset(
        PEM_read_bio_PrivateKey(reading(issuer->key).get(), nullptr, nullptr, nullptr));
    need(parent != nullptr && parent_key != nullptr);
  }
  X509* by = parent ? parent.get() : made.get();
  static long serial = 1;
  X509_set_version(made.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial);
  X509_time_adj_ex(X509_getm_notBefore(made.get()), static_cast<int>(wish.from.count()), 0,
                   nullptr);
  X509_time_adj_ex(X509_getm_notAfter(made.get()), static_cast<int>(wish.until.count()), 0,
                   nullptr);
  set_subject(made.get(), wish.name);
  X509_set_issuer_name(made.get(), X509_get_subject_name(by));
  X509_set_pubkey(made.get(), key.get());
  add_extension(made.get(), by, NID_basic_constraints,
                wish.authority ? "critical,CA:TRUE" : "CA:FALSE");
  if (!wish.alternatives.empty()) {
    add_extension(made.get(), by, NID_subject_alt_name, join(wish.alternatives, ","));
  }
  need(X509_sign(made.get(), parent_key ? parent_key.get() : key.get(),
                 wish.sha1 ? EVP_sha1() : EVP_sha256()) > 0);
  return {pem([&](BIO* to) { return PEM_write_bio_X509(to, made.get()); }), pem([&](BIO* to) {
            return PEM_write_bio_PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          })};
}

}  // namespace belay::testing
