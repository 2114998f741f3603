// SPDX-License-Identifier: Apache-2.0
#include "net/certificate.hpp"

#include <curl/curl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "net/distrust.hpp"

namespace belay::net {
namespace {

// 112 bits: no RSA under 2048, no SHA-1. OpenSSL's own default lets both through.
constexpr int security_level = 2;

struct UrlEnd {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string host_of(const std::string& url) {
  const std::unique_ptr<CURLU, UrlEnd> parsed(curl_url());
  char* part = nullptr;
  if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK ||
      curl_url_get(parsed.get(), CURLUPART_HOST, &part, 0) != CURLUE_OK) {
    return "";
  }
  std::string host(part);
  curl_free(part);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host;
}

std::string name_of(const X509_NAME* name) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
  if (!bio || X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB) < 0) {
    return "";
  }
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &bytes);
  return size > 0 ? std::string(bytes, static_cast<std::size_t>(size)) : "";
}

bool names_host(X509* leaf, const std::string& host) {
  if (host.empty()) return false;
  return X509_check_ip_asc(leaf, host.c_str(), 0) == 1 ||
         X509_check_host(leaf, host.c_str(), host.size(), 0, nullptr) == 1;
}

void add_chain_end(Certificate& facts, X509* one) {
  const auto ends = time_of(X509_get0_notAfter(one));
  if (facts.chain_ends == TimePoint{} || ends < facts.chain_ends) facts.chain_ends = ends;
}

Certificate facts_of(X509_STORE_CTX* context, X509* leaf) {
  Certificate facts;
  facts.subject = name_of(X509_get_subject_name(leaf));
  facts.issuer = name_of(X509_get_issuer_name(leaf));
  facts.not_before = time_of(X509_get0_notBefore(leaf));
  facts.not_after = time_of(X509_get0_notAfter(leaf));
  facts.self_signed = X509_self_signed(leaf, 0) == 1;
  add_chain_end(facts, leaf);
  const auto* chain = X509_STORE_CTX_get0_chain(context);
  for (int i = 0; chain != nullptr && i < sk_X509_num(chain); ++i) {
    add_chain_end(facts, sk_X509_value(chain, i));
  }
  return facts;
}

int verify_callback(X509_STORE_CTX* context, void* watch) {
  return static_cast<CertificateWatch*>(watch)->judge(context) ? 1 : 0;
}

CURLcode prepare_context(CURL*, void* ssl_context, void* watch) {
  auto* context = static_cast<SSL_CTX*>(ssl_context);
  const auto& authorities = static_cast<CertificateWatch*>(watch)->trust().authorities;
  SSL_CTX_set_security_level(context, security_level);
  SSL_CTX_set_default_verify_paths(context);
  if (!authorities.empty() && !add_authorities(authorities, SSL_CTX_get_cert_store(context)))
    return CURLE_SSL_CACERT_BADFILE;
  // A kept connection outlives the watch: no handshake may come after the first.
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_cert_verify_callback(context, verify_callback, watch);
  return CURLE_OK;
}

}  // namespace

Status add_authorities(const std::string& pem, void* store) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> text(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  bool any = false;
  ERR_clear_error();
  while (X509* one = PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr)) {
    any = X509_STORE_add_cert(static_cast<X509_STORE*>(store), one) == 1;
    X509_free(one);
    if (!any) break;
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (any && at_end) return {};
  return fail(Fault::invalid, at_end ? "it holds no certificate: -----BEGIN CERTIFICATE----- ..."
                                     : "a certificate in it cannot be read");
}

CertificateWatch::CertificateWatch(TimePoint now, const std::string& url, const Trust& trust)
    : now_(now), host_(host_of(url)), trust_(trust) {
  const auto endpoint = endpoint_of(url);
  unchecked_ = endpoint && trust.unchecked.contains(*endpoint);
}

void CertificateWatch::attach(void* easy) {
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
  // The name is checked in judge(), so that it is reported beside the chain; a mismatch ends the
  // handshake there.
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, unchecked_ ? 0L : 2L);
  curl_easy_setopt(easy, CURLOPT_CAINFO, nullptr);
  curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  curl_easy_setopt(easy, CURLOPT_SSL_SESSIONID_CACHE, 0L);
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, prepare_context);
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, this);
}

bool CertificateWatch::judge(void* store_context) {
  auto* context = static_cast<X509_STORE_CTX*>(store_context);
  auto* parameters = X509_STORE_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_auth_level(parameters, security_level);
  X509_VERIFY_PARAM_set_time(parameters, std::chrono::system_clock::to_time_t(now_));
  const bool holds = X509_verify_cert(context) == 1;
  X509* leaf = X509_STORE_CTX_get0_cert(context);
  if (leaf == nullptr) return false;
  auto facts = facts_of(context, leaf);
  facts.chain_valid = holds;
  facts.name_matches = names_host(leaf, host_);
  if (!holds) facts.problem = reason_against(context);
  if (!facts.name_matches) {
    if (!facts.problem.empty()) facts.problem += "; ";
    facts.problem += "it is for " + names_in(leaf) + ", not for " + host_;
  }
  seen_ = std::move(facts);
  refused_ = !unchecked_ && !(holds && seen_->name_matches);
  // libcurl asks for the result again.
  if (unchecked_) X509_STORE_CTX_set_error(context, X509_V_OK);
  return !refused_;
}

}  // namespace belay::net
