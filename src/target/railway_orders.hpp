// SPDX-License-Identifier: Apache-2.0
// Orders given to Railway, once each: what came of one whose answer was lost is found again.
#pragma once

#include "target/railway_api.hpp"
#include "target/railway_records.hpp"

namespace belay::target {

// By the variable that keeps it from writing.
bool is_held(const RailwayRecord& record);

class RailwayOrders {
 public:
  enum class Order { deploy, roll_back };

  RailwayOrders(const RailwayConfig& config, Clock& clock, RailwayApi& api, RailwayRecords& records)
      : config_(config), clock_(clock), api_(api), records_(records) {}

  // Nothing: nothing is up.
  Result<std::optional<RailwayDeployment>> newest_up(const std::stop_token& stop);
  // Gives it, and knows in `record` which deployment it made.
  Status give(const Version& version, RailwayRecord& record, const std::string& key, Order order,
              const std::stop_token& stop);
  // Of an order that was given, by us or by whoever was killed, and nobody knows what came of it.
  Status settle(const Version& version, RailwayRecord& record, const std::stop_token& stop);
  // What was ordered of another release, and is still under way, would be live after this one.
  Status end_others(const Version& wanted, const Output& output, const std::stop_token& stop);
  // Those that differ, for deployments made from now on; the others of the service are left alone.
  // Twice changes nothing more.
  Status set_variables(const Environment& wanted, const std::stop_token& stop);
  // Until it is over. cancelled: Railway goes on, and who comes next finds it again.
  Status follow(RailwayDeployment deployment, const Output& output, const std::stop_token& stop);

 private:
  Status end(const RailwayDeployment& deployment, const Output& output,
             const std::stop_token& stop);
  // Its id; empty when Railway does not say.
  Result<std::string> order(const Version& version, const RailwayRecord& record, Order order,
                            std::string_view files, const std::stop_token& stop);
  Result<std::string> look_for(const Version& version, const RailwayRecord& record,
                               const std::stop_token& stop);
  Result<std::string> find_among(const std::vector<RailwayDeployment>& all, const Version& version,
                                 const RailwayRecord& record) const;

  const RailwayConfig& config_;
  Clock& clock_;
  RailwayApi& api_;
  RailwayRecords& records_;
};

}  // namespace belay::target
