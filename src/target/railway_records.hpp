// SPDX-License-Identifier: Apache-2.0
// What is known of each release on Railway, in a record of its own: which deployment is the
// release's, and what was there before an order whose answer may be lost.
#pragma once

#include "base/records.hpp"
#include "target/target.hpp"

namespace belay::target {

struct RailwayRecord {
  std::string commit;
  std::string deployment;           // the newest of it; empty: none is known
  std::string key;                  // of the order that is or was under way
  std::vector<std::string> before;  // the deployments that were there when it was given
  bool asked = false;               // the order was given, and what came of it is not known
  std::string variables = {};       // fingerprint of those that the deployment was made with
  std::string former = {};          // the deployment of it before this one
  bool holds = false;               // the order is one that keeps the service from writing
  std::string held = {};            // the deployment that is kept from writing
  std::string folder = {};          // of the commit, where that is handed over
};

class RailwayRecords {
 public:
  explicit RailwayRecords(std::shared_ptr<Records> records) : records_(std::move(records)) {}

  Result<std::optional<RailwayRecord>> find(const Version& version) const;
  // missing when it was never prepared.
  Result<RailwayRecord> of(const Version& version) const;
  Status keep(const Version& version, const RailwayRecord& record) const;
  Status remove(const Version& version) const;
  Result<std::vector<Version>> versions(const std::string& service) const;

  // The deployment that was stopped so that data could go back; empty: none.
  Result<std::string> stopped(const std::string& service) const;
  Status keep_stopped(const std::string& service, const std::string& deployment) const;
  Status forget_stopped(const std::string& service) const;

 private:
  std::shared_ptr<Records> records_;
};

}  // namespace belay::target
