// SPDX-License-Identifier: Apache-2.0
// The Vercel target on its stand-in.
#pragma once

#include "target/vercel.hpp"
#include "tests/contract/target_contract.hpp"
#include "tests/fake/stand_in.hpp"
#include "tests/support/fake_world.hpp"

namespace belay::contract {

class VercelSubject final : public TargetSubject {
 public:
  VercelSubject() {
    config.project = "prj_frontend";
    config.team = "team_shop";
    config.domain = "shop.example.org";
    config.token = Secret("vercel-token");
    config.endpoint = stand_in.proxy().url();
    config.limit = std::chrono::minutes(10);
    remake();
  }
  void remake() { target_ = target::make_vercel(config, clock, random_); }
  target::Target& target() override { return *target_; }
  target::Artifact good() override {
    const Path source = scratch_.path() / ("source-" + std::to_string(sources_++));
    EXPECT_TRUE(make_folder(source / "frontend/node_modules/x"));
    EXPECT_TRUE(write_file(source / "frontend/index.js", "the site"));
    EXPECT_TRUE(write_file(source / "frontend/node_modules/x/big", "not sent"));
    target::Artifact artifact{source};
    artifact.folder = "frontend";
    return artifact;
  }
  target::Artifact broken() override {
    auto artifact = good();
    EXPECT_TRUE(write_file(artifact.source / "frontend/broken", ""));
    return artifact;
  }
  void reset() {
    stand_in.proxy().plan({});
    stand_in.forget();
    remake();
  }

  belay::testing::StandIn stand_in{"vercel_server.py"};
  target::VercelConfig config;
  FakeClock clock;

 private:
  ScratchFolder scratch_ = ScratchFolder::make("belay-vercel").value();
  SeededRandom random_;
  int sources_ = 0;
  std::unique_ptr<target::Target> target_;
};

}  // namespace belay::contract
