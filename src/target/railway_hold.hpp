// SPDX-License-Identifier: Apache-2.0
// Keeps what is live of a service on Railway from writing, while data goes back.
#pragma once

#include "target/railway_orders.hpp"

namespace belay::target {

class RailwayHolding {
 public:
  RailwayHolding(const RailwayConfig& config, Clock& clock, RailwayApi& api,
                 RailwayRecords& records, RailwayOrders& orders)
      : config_(config), clock_(clock), api_(api), records_(records), orders_(orders) {}

  Status hold(const std::string& service, const std::string& key, const Output& output,
              const std::stop_token& stop);
  Status let_go_on(const std::string& service, const std::string& key, const Output& output,
                   const std::stop_token& stop);

 private:
  Status stop_all(const std::string& service, const Output& output, const std::stop_token& stop);
  Status start_again(const std::string& service, const std::string& key, const Output& output,
                     const std::stop_token& stop);
  Status wait_for(const std::string& id, bool stopped, const std::stop_token& stop);
  // Deploys what is live anew, with the variable in this state.
  Status turn(const std::string& service, bool on, const std::string& key, const Output& output,
              const std::stop_token& stop);
  Result<Version> version_of(const std::string& service, const std::string& deployment);

  const RailwayConfig& config_;
  Clock& clock_;
  RailwayApi& api_;
  RailwayRecords& records_;
  RailwayOrders& orders_;
};

}  // namespace belay::target
