// SPDX-License-Identifier: Apache-2.0
// The HAProxy process under its supervisor: started or reloaded with a record's routes, or left as
// it was.
#pragma once

#include <optional>

#include "base/runit.hpp"
#include "traffic/haproxy_admin.hpp"
#include "traffic/haproxy_record.hpp"

namespace belay::traffic {

class RunningProxy {
 public:
  RunningProxy(Path folder, Clock& clock, Supervised& program, Admin& admin)
      : folder_(std::move(folder)), clock_(clock), program_(program), admin_(admin) {}

  // The configuration a restart would read: this is what makes a switch last.
  Status commit(const Record& record) const;
  // Runs with these routes. Without a change in what HAProxy reads nothing is reloaded. conflict:
  // an address is taken, named with its holder; invalid: HAProxy does not accept it. After a
  // failure it runs, or does not run, as before.
  Status become(const std::optional<Record>& before, const Record& after, const Fence& fence);
  // The same errors, and it goes on as it is.
  Status can_become(const std::optional<Record>& before, const Record& after,
                    const Fence& fence) const;

 private:
  Result<bool> runs(std::string& revision) const;
  Status make_ready(const std::optional<Record>& before, const Record& after, const Fence& fence,
                    bool running) const;
  Status check_addresses(const Record& before, const Record& after, bool running) const;
  Status validate(const Record& record) const;
  Status bring_up(const Record& record, bool running);
  Status await_revision(const std::string& revision, Millis limit) const;
  Status take_back(const std::optional<Record>& before, bool running, Error error);

  Path folder_;
  Clock& clock_;
  Supervised& program_;
  Admin& admin_;
};

}  // namespace belay::traffic
