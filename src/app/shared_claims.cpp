// SPDX-License-Identifier: Apache-2.0
#include <thread>

#include "app/shared_journal.hpp"

namespace belay::app {

namespace {

// Renews the lease beside the run's steps. When that fails for too long the run is given up here,
// before anybody else may take it.
class SharedClaim final : public engine::Claim {
 public:
  SharedClaim(std::unique_ptr<engine::Claim> here, RunLease lease, Clock& clock, LeaseTimes times)
      : here_(std::move(here)), lease_(std::move(lease)), clock_(clock), times_(times) {
    renewing_ = std::jthread([this](std::stop_token stop) { renew_until(stop); });
  }
  ~SharedClaim() override {
    renewing_.request_stop();
    renewing_.join();
    if (!lost_.stop_requested()) lease_.release();
  }
  SharedClaim(const SharedClaim&) = delete;
  SharedClaim& operator=(const SharedClaim&) = delete;

  std::stop_token lost() const override { return lost_.get_token(); }

 private:
  void renew_until(const std::stop_token& stop) {
    auto heard = clock_.steady();
    auto pause = times_.renew;
    while (clock_.sleep(pause, stop)) {
      const auto ours = lease_.renew();
      pause = ours ? times_.renew : times_.renew / 3;
      if (ours && *ours) heard = clock_.steady();
      if ((ours && !*ours) || clock_.steady() - heard > times_.lost_after) {
        lost_.request_stop();
        return;
      }
    }
  }

  std::unique_ptr<engine::Claim> here_;
  RunLease lease_;
  Clock& clock_;
  LeaseTimes times_;
  std::stop_source lost_;
  std::jthread renewing_;  // last: it uses all of the above
};

class SharedClaims final : public engine::Claims {
 public:
  SharedClaims(std::unique_ptr<engine::Claims> here, storage::Storage& sealed, World& world,
               std::string machine, LeaseTimes times)
      : here_(std::move(here)),
        sealed_(sealed),
        world_(world),
        machine_(std::move(machine)),
        times_(times) {}

  Result<std::unique_ptr<engine::Claim>> claim(const std::string& run) override {
    TRY_LET(auto here, here_->claim(run));
    auto lease = lease_of(run);
    TRY(lease.take());
    return std::unique_ptr<engine::Claim>(
        std::make_unique<SharedClaim>(std::move(here), std::move(lease), world_.clock, times_));
  }
  bool is_free(const std::string& run) override {
    return here_->is_free(run) && lease_of(run).is_free();
  }
  std::string whoami() const override { return here_->whoami(); }
  std::string machine() const override { return machine_; }

 private:
  RunLease lease_of(const std::string& run) const {
    return {sealed_, world_.clock, run, {whoami(), machine_}, times_};
  }

  std::unique_ptr<engine::Claims> here_;
  storage::Storage& sealed_;
  World& world_;
  std::string machine_;
  LeaseTimes times_;
};

}  // namespace

std::unique_ptr<engine::Claims> make_shared_claims(std::unique_ptr<engine::Claims> here,
                                                   storage::Storage& sealed, World& world,
                                                   std::string machine, LeaseTimes times) {
  return std::make_unique<SharedClaims>(std::move(here), sealed, world, std::move(machine), times);
}

}  // namespace belay::app
