// SPDX-License-Identifier: Apache-2.0
#include "database/mongodb/mongodb.hpp"

namespace belay::database {

Result<Proofs> Mongodb::prove() {
  return fail(Fault::internal, "not built yet");
}
Result<std::vector<ChangeResult>> Mongodb::apply(const Namespace&, const std::vector<Change>&) {
  return fail(Fault::internal, "not built yet");
}

}  // namespace belay::database
