// SPDX-License-Identifier: Apache-2.0
// One make function a kind of step, and the table of all of them.
#pragma once

#include "engine/site.hpp"
#include "engine/step.hpp"

namespace belay::engine {

std::unique_ptr<StepKind> make_test(Site& site);     // test:   the project's tests in a fresh copy
std::unique_ptr<StepKind> make_build(Site& site);    // build:  one service of the release
std::unique_ptr<StepKind> make_recheck(Site& site);  // recheck: live and ref are as planned
std::unique_ptr<StepKind> make_restore_point(Site& site);  // restore_point
std::unique_ptr<StepKind> make_migrate(Site& site);        // migrate
std::unique_ptr<StepKind> make_start(
    Site& site);  // start:  a version beside the live one, until ready
std::unique_ptr<StepKind> make_workers(Site& site);   // workers: of one release, and of no other
std::unique_ptr<StepKind> make_stop(Site& site);      // stop:   versions of a release
std::unique_ptr<StepKind> make_switch(Site& site);    // switch: all services to a release
std::unique_ptr<StepKind> make_hold(Site& site);      // hold:   the fence
std::unique_ptr<StepKind> make_lift(Site& site);      // lift
std::unique_ptr<StepKind> make_rewind(Site& site);    // rewind, and its undo
std::unique_ptr<StepKind> make_preview(Site& site);   // preview of a rewind
std::unique_ptr<StepKind> make_apply(Site& site);     // apply:  a salvage, or only looks
std::unique_ptr<StepKind> make_check(Site& site);     // check:  the environment's checks, once
std::unique_ptr<StepKind> make_watch(Site& site);     // watch:  the checks for a while
std::unique_ptr<StepKind> make_tag(Site& site);       // tag
std::unique_ptr<StepKind> make_announce(Site& site);  // announce, also between steps
std::unique_ptr<StepKind> make_follow(Site& site);    // between steps: begun, ended
std::unique_ptr<StepKind> make_reviews(Site& site);   // between steps: what was approved elsewhere
std::unique_ptr<StepKind> make_clean_up(Site& site);  // clean_up

StepTable make_steps(Site& site);

// The release a step's args name: "new", "live", or a tag.
std::string release_of(const StepContext& context);

// Before a version gets its environment: after a crash no older record stands beside newer values.
// What cannot be kept is told; it fails nothing.
void keep_fingerprints(Site& site, const target::Version& version, const StepContext& context);

// The last ten lines that differ, without the stamps of svlogd: who crashes again and again says
// the same again and again.
std::string last_words(const std::string& log);

}  // namespace belay::engine
