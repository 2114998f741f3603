// SPDX-License-Identifier: Apache-2.0
// Records in a store that writes each object once: NAME/NUMBER, of which the highest counts.
// docs/formats/journal.md, "Shared".
#pragma once

#include "base/records.hpp"
#include "storage/storage.hpp"

namespace belay::app {

// `store` outlives it. `prefix` ends with '/'.
std::unique_ptr<Records> make_stored_records(storage::Storage& store, std::string prefix);

}  // namespace belay::app
