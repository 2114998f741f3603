// SPDX-License-Identifier: Apache-2.0
// Signing and casting votes: for approve and reject, and for whoever rolls back without approval.
#pragma once

#include "cli/session.hpp"
#include "pipeline/policy.hpp"

namespace belay::cli {

Result<pipeline::Candidate> signed_with(const Path& key, const pipeline::Ballot& ballot,
                                        pipeline::Decision decision);

// "Refused: ..." when the run has ended.
Status not_decided(const engine::Loaded& loaded, const std::string& run);

// Judged against whatever the run looks like when the vote is appended: somebody else may have
// voted, or the run may have ended, meanwhile.
Result<pipeline::Vote> cast(app::Desk& desk, const std::string& run,
                            const pipeline::Candidate& candidate);

// Exit 4 for a vote that does not count; a machine that cannot tell is another matter.
int tell_of_vote(const Error& error);

}  // namespace belay::cli
