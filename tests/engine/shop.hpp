// SPDX-License-Identifier: Apache-2.0
// A whole shop in memory: services on a fake host behind a fake proxy, a fake database, a real
// vault on a fake store, a real journal. All of it outlives the processes that drive a run; a
// process dies at any point that a test names.
#pragma once

#include "app/plan_steps.hpp"
#include "engine/steps/steps.hpp"
#include "tests/engine/stage.hpp"
#include "tests/fake/fake_database.hpp"
#include "tests/fake/fake_storage.hpp"
#include "tests/fake/fake_target.hpp"
#include "tests/fake/fake_traffic.hpp"

namespace belay::engine::testing {

inline const std::string first_release = "prod-20261120-141233";
inline const std::string second_release = "prod-20261123-100000";
inline const std::string third_release = "prod-20261124-090000";

// Counts the points where a process can die and lets it die at one of them. A dead process has no
// further effect.
class Fuse {
 public:
  // Right before and right after an effect. False: the process is dead, or dies now.
  bool alive_at(const std::string& name);
  // The same, where an exception may be thrown.
  void point(const std::string& name) {
    if (!alive_at(name)) throw Death{};
  }
  void burn_at(std::size_t nth);  // from now on, counted from 1; 0: never
  bool dead() const;
  std::vector<std::string> trace() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> trace_;
  std::size_t at_ = 0;
  bool dead_ = false;
};

// How the shop is made and what goes wrong in it.
struct Setting {
  std::string strategy = "blue_green";
  std::string data = "auto";    // rollback.database
  bool migrates = true;         // the release that is deployed
  bool checks = true;           // in belay.yaml
  std::string bad = {};         // this release fails its checks once customers see it
  bool platform = false;        // a service more, on a platform that can hold it
  bool second_is_live = false;  // for rollbacks: the second release was shipped, with its migration
};

class Shop {
 public:
  explicit Shop(Setting setting = {});
  ~Shop();
  Shop(const Shop&) = delete;
  Shop& operator=(const Shop&) = delete;

  pipeline::Plan deploy_plan();
  pipeline::Plan rollback_plan(bool code = true, bool data = true);
  // What a rewind that was done before has discarded is put back.
  pipeline::Plan apply_plan();
  std::string create(const pipeline::Plan& plan);
  // One process's life: vault and steps made anew. Throws Death.
  Result<RunState> drive(const std::string& run, std::stop_token stop = {});
  // Lives until the run has ended; answers what the run asks a person with "rewind".
  std::string finish(const std::string& run);
  Loaded load(const std::string& run);

  // What is there: who is live, what runs, every document, restore points, tags,
  // what people were told. Two worlds that
  // are alike have the same.
  Json state();
  std::string active(const std::string& service);
  Json documents();
  int migrations() const;
  std::set<std::string> kinds() const;  // of the engine's table of steps

  struct Outside;  // wrappers that die
  FakeWorld world;
  Fuse fuse;
  fake::FakeDatabase database{{"shop"}};
  fake::FakeStorage store;
  fake::FakeTarget backend, frontend, mailer, api{false};
  bool rewound_unheld = false;  // the data went back while the platform's service wrote
  fake::FakeTraffic traffic{world.clock};
  Listener listener;
  HeldClaims claims;
  std::unique_ptr<journal::Journal> journal;
  std::map<std::string, std::string> told;  // kinds of announcements by their keys

 private:
  pipeline::Plan plan_of(const std::string& pipeline, const std::string& release,
                         const std::string& live);
  pipeline::Spec spec_of(const std::string& release) const;
  void set_up();
  void make_live(const std::string& release);
  std::unique_ptr<vault::Vault> open_vault();

  Setting setting_;
  ScratchFolder scratch_ = scratch_folder();
  std::unique_ptr<Outside> outside_;
};

}  // namespace belay::engine::testing
