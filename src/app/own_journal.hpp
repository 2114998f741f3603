// SPDX-License-Identifier: Apache-2.0
// An environment's folder names its journal: what runs there was put there by the runs of that one,
// and another one, or an older copy of it, would take the live release for nobody's.
#pragma once

#include "base/file.hpp"
#include "journal/journal.hpp"

namespace belay::app {

// refused, with both ways out, when `environment` (the folder) names an event that the journal does
// not have. Fine when the folder names none.
Status check_own_journal(journal::Journal& journal, const Path& environment);

// The same, and from now on the folder names the journal as it is. Safe to repeat.
Status name_own_journal(journal::Journal& journal, const Path& environment);

}  // namespace belay::app
