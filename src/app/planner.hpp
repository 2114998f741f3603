// SPDX-License-Identifier: Apache-2.0
// Makes plans: what will be done, in which order, with which way back. Changes nothing.
#pragma once

#include "app/machine.hpp"
#include "app/wire.hpp"
#include "engine/releases.hpp"
#include "pipeline/plan.hpp"
#include "pipeline/policy.hpp"
#include "source/source.hpp"

namespace belay::app {

struct DeployRequest {
  std::string environment, ref;  // ref empty: HEAD
  pipeline::Person requester;
  std::string skip_tests, skip_backup, skip_checks;  // reasons; empty: not skipped
  bool first_agreed = false;  // somebody said that a first release has no way back
};

struct RollbackRequest {
  std::string environment, tag;  // tag empty: the last verified-good other than the live one
  pipeline::Person requester;
  bool code = true, data = true;
  std::string skip_checks, emergency;  // reasons
  std::string undo_run;                // --undo RUN: takes back the rewind of that run
  // Planned where there are no tokens of platforms: what they still have is looked at when it is
  // needed, by a build that takes over what is there.
  bool platforms_later = false;
};

struct RewindRequest {
  std::string environment, point;
  pipeline::Person requester;
};

struct ApplyRequest {
  std::string environment, salvage;
  pipeline::Person requester;
  bool added = false;          // only what the restore point did not have
  std::string collection, id;  // only this one; the id in Extended JSON
};

// invalid: the request does not fit the configuration; denied: branch rule or emergency; missing:
// no such ref, release, restore point.
Result<pipeline::Plan> plan_deploy(Desk& desk, const DeployRequest& request);
Result<pipeline::Plan> plan_rollback(Desk& desk, const RollbackRequest& request);
Result<pipeline::Plan> plan_rewind(Desk& desk, const RewindRequest& request);
// Discarded writes put back. What would be: notes["put_back"], an estimate.
Result<pipeline::Plan> plan_apply(Desk& desk, const ApplyRequest& request);

// The body of run.created.
Json created_body(const pipeline::Plan& plan);

// BELAY_USER, else git's user.email, else the login; the GitHub actor in a job.
pipeline::Person who_asks(const Getenv& env, const Path& folder);

}  // namespace belay::app
