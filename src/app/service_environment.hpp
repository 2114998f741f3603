// SPDX-License-Identifier: Apache-2.0
// What services, and the migration, are started with: settings of the release and of the present
// file, with the present values of their secrets.
#pragma once

#include "app/fingerprints.hpp"
#include "app/wire.hpp"

namespace belay::app {

// `commits`: of the releases, by tag; env_file is read there.
void wire_environments(Works& works, const Environment& plain,
                       std::map<std::string, std::string> commits);

Fingerprints fingerprints_of(const Desk& desk, const std::string& environment);
// What a version was last started with is kept, and compared before one that is still warm is used.
void wire_fingerprints(Desk& desk, Works& works);

}  // namespace belay::app
