// SPDX-License-Identifier: Apache-2.0
#include "database/mongodb/mongodb.hpp"

namespace belay::database {
namespace {
Error not_yet() {
  return fail(Fault::internal, "not built yet");
}
}  // namespace

Result<Proofs> Mongodb::prove() {
  return not_yet();
}
Result<Position> Mongodb::mark() {
  return not_yet();
}
Result<Touched> Mongodb::touched(const Position&, const Position&, std::stop_token) {
  return not_yet();
}
Result<std::unique_ptr<Snapshot>> Mongodb::snapshot() {
  return not_yet();
}
Result<std::vector<ChangeResult>> Mongodb::apply(const Namespace&, const std::vector<Change>&) {
  return not_yet();
}
Status Mongodb::barrier() {
  return not_yet();
}
int compare_ids(std::string_view, std::string_view) {
  return 0;
}

}  // namespace belay::database
