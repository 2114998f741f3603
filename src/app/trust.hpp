// SPDX-License-Identifier: Apache-2.0
// Whose certificates hold, by belay.yaml. The same for every connection that Belay makes.
#pragma once

#include "app/machine.hpp"
#include "net/trust.hpp"
#include "pipeline/spec.hpp"

namespace belay::app {

// Reads the file of `ca`, whose name is from `folder`. Connections to what is unchecked are told by
// the machine, which must outlive it. missing, invalid: the file.
Result<net::Trust> trust_of(const pipeline::Tls& tls, const Path& folder, Machine& machine);

// "certificates of https://minio.internal:9000 are not checked: the reason"
std::string unchecked_text(const std::string& endpoint, const std::string& because);

}  // namespace belay::app
