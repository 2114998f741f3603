// SPDX-License-Identifier: Apache-2.0
#include "storage/aws_role.hpp"

#include <fmt/format.h>

#include <pugixml.hpp>

#include "base/text.hpp"
#include "net/date.hpp"

namespace belay::storage {

namespace {

constexpr const char* sts_audience = "sts.amazonaws.com";
constexpr Millis asked_for = std::chrono::hours(1);

}  // namespace

AwsRoleKeys::AwsRoleKeys(AwsRole role, const net::Patience& patience, Clock& clock, Random& random)
    : role_(std::move(role)), desk_(role_.identity, patience, clock, random) {}

Result<AwsKey> AwsRoleKeys::get() {
  return key_.get(desk_.clock(), [this] { return renew(); });
}

Result<Fleeting<AwsKey>::Fresh> AwsRoleKeys::renew() {
  TRY_LET(const auto token, desk_.token_for(sts_audience));
  TRY_LET(const auto response,
          desk_
              .exchange(role_.sts, {{"Action", Secret("AssumeRoleWithWebIdentity")},
                                    {"Version", Secret("2011-06-15")},
                                    {"RoleArn", Secret(role_.arn)},
                                    {"RoleSessionName", Secret("belay")},
                                    {"DurationSeconds", Secret("3600")},
                                    {"WebIdentityToken", token}})
              .in("signing in at " + role_.sts));
  pugi::xml_document document;
  document.load_buffer(response.body.data(), response.body.size());
  const auto root = document.document_element();
  const auto keys = root.child("AssumeRoleWithWebIdentityResult").child("Credentials");
  AwsKey key{keys.child_value("AccessKeyId"), Secret(keys.child_value("SecretAccessKey")),
             Secret(keys.child_value("SessionToken"))};
  if (response.status == 200 && !key.id.empty() && !key.secret.empty()) {
    // By their clock, from now; a role may allow less than was asked for.
    const auto ends = parse_time(keys.child_value("Expiration"));
    const auto now = net::parse_http_date(response.header("date"));
    return Fleeting<AwsKey>::Fresh{std::move(key),
                                   ends && now ? Millis(*ends - *now) : asked_for / 4};
  }
  const auto error = root.child("Error");
  return fail(Fault::denied,
              fmt::format("{} gives no keys for the role {}: {} {}: {}", role_.sts, role_.arn,
                          response.status, printable(error.child_value("Code")),
                          printable(std::string(error.child_value("Message")).substr(0, 300))));
}

}  // namespace belay::storage
