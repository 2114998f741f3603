// SPDX-License-Identifier: Apache-2.0
#include "net/distrust.hpp"

#include <fmt/format.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>
#include <memory>
#include <vector>

#include "base/text.hpp"

namespace belay::net {

namespace {

constexpr std::size_t most_names = 4;
constexpr const char* if_it_is_yours =
    "if it is yours, name its file (PEM): tls: { ca: FILE } in belay.yaml, or SSL_CERT_FILE";

std::string day(const ASN1_TIME* time) {
  return belay::to_text(time_of(time)).substr(0, 10);
}

std::string text_of(const ASN1_STRING* string) {
  return printable(std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
                               static_cast<std::size_t>(ASN1_STRING_length(string))));
}

std::string address_of(const ASN1_OCTET_STRING* bytes) {
  const auto* at = ASN1_STRING_get0_data(bytes);
  if (ASN1_STRING_length(bytes) == 4) return fmt::format("{}.{}.{}.{}", at[0], at[1], at[2], at[3]);
  std::string text;
  for (int i = 0; i + 1 < ASN1_STRING_length(bytes); i += 2)
    text += fmt::format("{}{:x}", i == 0 ? "" : ":", at[i] << 8 | at[i + 1]);
  return text;
}

// The one that is at fault: the server's own, or another of its chain.
std::string whose(X509_STORE_CTX* context, X509* at_fault) {
  return X509_STORE_CTX_get_error_depth(context) == 0
             ? "it"
             : "the certificate of its issuer " + short_name(X509_get_subject_name(at_fault));
}

std::string nobody_known(X509_STORE_CTX* context, X509* last) {
  const auto* sent = X509_STORE_CTX_get0_untrusted(context);
  const auto issuer = short_name(X509_get_issuer_name(last));
  if (X509_self_signed(last, 0) == 1)
    return fmt::format("{}, which nobody here knows, signed it; {}", issuer, if_it_is_yours);
  if (sent == nullptr || sk_X509_num(sent) <= 1)
    return fmt::format(
        "the server did not send the certificate that signed its own ({}), and it is not known "
        "here; have the server send its whole chain; {}",
        issuer, if_it_is_yours);
  return fmt::format("nobody known here signed its chain, which ends with {}; {}", issuer,
                     if_it_is_yours);
}

}  // namespace

TimePoint time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return TimePoint{};
  return TimePoint(std::chrono::seconds(timegm(&parts)));
}

std::string short_name(const X509_NAME* name) {
  const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (at >= 0) return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
  std::array<char, 256> line{};
  X509_NAME_oneline(name, line.data(), static_cast<int>(line.size()));
  return printable(line.data());
}

std::string names_in(X509* certificate) {
  struct End {
    void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
  };
  const std::unique_ptr<GENERAL_NAMES, End> all(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> names;
  for (int i = 0; all && i < sk_GENERAL_NAME_num(all.get()); ++i) {
    const auto* one = sk_GENERAL_NAME_value(all.get(), i);
    if (one->type == GEN_DNS) names.push_back(text_of(one->d.dNSName));
    if (one->type == GEN_IPADD) names.push_back(address_of(one->d.iPAddress));
  }
  if (names.empty()) return short_name(X509_get_subject_name(certificate));
  const auto more = names.size() > most_names ? names.size() - most_names : 0;
  names.resize(names.size() - more);
  return join(names, ", ") + (more > 0 ? fmt::format(" and {} more", more) : "");
}

std::string reason_against(X509_STORE_CTX* context) {
  const int error = X509_STORE_CTX_get_error(context);
  X509* at_fault = X509_STORE_CTX_get_current_cert(context);
  if (at_fault == nullptr) return X509_verify_cert_error_string(error);
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return fmt::format("{} expired on {}; the server needs a new one", whose(context, at_fault),
                         day(X509_get0_notAfter(at_fault)));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return fmt::format("{} holds from {} on; look at this machine's clock, too",
                         whose(context, at_fault), day(X509_get0_notBefore(at_fault)));
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return fmt::format("nobody known here signed it, it is self-signed; {}", if_it_is_yours);
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: return nobody_known(context, at_fault);
    default: return X509_verify_cert_error_string(error);
  }
}

}  // namespace belay::net
