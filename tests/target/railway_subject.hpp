// SPDX-License-Identifier: Apache-2.0
// The Railway target on its stand-in.
#pragma once

#include "base/hash.hpp"
#include "base/process.hpp"
#include "target/railway.hpp"
#include "tests/contract/target_contract.hpp"
#include "tests/fake/stand_in.hpp"
#include "tests/support/fake_world.hpp"

namespace belay::contract {

class RailwaySubject final : public TargetSubject {
 public:
  RailwaySubject() {
    config.project = "project-1";
    config.environment = "production";
    config.service = "backend";
    config.token = Secret("railway-token");
    config.endpoint = stand_in.proxy().url() + "/graphql/v2";
    config.limit = std::chrono::minutes(10);
    config.fingerprint = [](const Environment& env) {
      std::string all;
      for (const auto& [name, value] : env) all += name + "=" + value + ";";
      return sha256_hex(all);
    };
    remake();
  }
  // Files are handed over: one that holds the commit, and `bad` where it is such a one.
  void hand_over() {
    config.packed = [](const std::string& commit, const std::string&,
                       std::stop_token) -> Result<std::string> {
      TRY_LET(const auto folder, ScratchFolder::make("belay-packed"));
      TRY(write_file(folder.path() / "commit", commit));
      if (commit.starts_with("bad")) TRY(write_file(folder.path() / "bad", ""));
      TRY_LET(auto packed, run_ok({{"tar", "--create", "--gzip", "."}, folder.path()}));
      return std::move(packed.out);
    };
    remake();
  }
  void remake() { target_ = target::make_railway(config, clock, random_); }
  target::Target& target() override { return *target_; }
  target::Artifact good() override {
    target::Artifact artifact;
    artifact.commit = "c0ffee";
    return artifact;
  }
  target::Artifact broken() override {
    target::Artifact artifact;
    artifact.commit = "bad0";
    return artifact;
  }
  void reset() {
    stand_in.proxy().plan({});
    stand_in.forget();
    forget_what_is_known();
    remake();
  }
  void forget_what_is_known() const { std::filesystem::remove_all(known()); }

 private:
  Path known() const { return scratch_.path() / "known"; }
  ScratchFolder scratch_ = ScratchFolder::make("belay-railway").value();

 public:
  belay::testing::StandIn stand_in{"railway_server.py"};
  target::RailwayConfig config = in(known());
  FakeClock clock;

 private:
  static target::RailwayConfig in(const Path& folder) {
    target::RailwayConfig config;
    config.records = make_records(folder);
    return config;
  }
  SeededRandom random_;
  std::unique_ptr<target::Target> target_;
};

}  // namespace belay::contract
