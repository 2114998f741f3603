// SPDX-License-Identifier: Apache-2.0
#include "database/mongodb/mongodb.hpp"

namespace belay::database {
namespace {
Error not_yet() {
  return fail(Fault::internal, "not built yet");
}
}  // namespace
Mongodb::Mongodb(MongoConfig c, std::unique_ptr<Pool> p)
    : config_(std::move(c)), pool_(std::move(p)) {}
Result<Facts> Mongodb::describe() {
  return not_yet();
}
Result<Proofs> Mongodb::prove() {
  return not_yet();
}
Result<Catalogue> Mongodb::catalogue() {
  return not_yet();
}
Result<WriteCounters> Mongodb::write_counters() {
  return not_yet();
}
Status Mongodb::scan(const Collection&, const std::optional<Bson>&, const std::optional<Position>&,
                     const DocumentSink&, std::stop_token) {
  return not_yet();
}
Status Mongodb::fetch(const Namespace&, const std::vector<Bson>&, const DocumentSink&) {
  return not_yet();
}
Result<std::uint64_t> Mongodb::count(const Namespace&) {
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
Result<std::vector<Database::NotInserted>> Mongodb::insert(const Namespace&,
                                                           const std::vector<Bson>&) {
  return not_yet();
}
Result<std::vector<ChangeResult>> Mongodb::apply(const Namespace&, const std::vector<Change>&) {
  return not_yet();
}
Status Mongodb::create(const Namespace&, const Bson&) {
  return not_yet();
}
Status Mongodb::drop(const Namespace&) {
  return not_yet();
}
Status Mongodb::rename(const Namespace&, const Namespace&) {
  return not_yet();
}
Status Mongodb::create_indexes(const Namespace&, const std::vector<Bson>&) {
  return not_yet();
}
Status Mongodb::drop_index(const Namespace&, const std::string&) {
  return not_yet();
}
Status Mongodb::modify(const Namespace&, const Bson&) {
  return not_yet();
}
Status Mongodb::barrier() {
  return not_yet();
}
Result<std::uint64_t> Mongodb::matching(const Namespace&, const Bson&, std::uint64_t) {
  return not_yet();
}
Result<std::unique_ptr<Database>> make_mongodb(MongoConfig) {
  return not_yet();
}
int compare_ids(std::string_view, std::string_view) {
  return 0;
}
Result<Bson> id_of(std::string_view) {
  return not_yet();
}
bool is_framed(std::string_view) {
  return false;
}
std::string to_json(std::string_view, std::size_t) {
  return {};
}
Result<Bson> from_json(std::string_view) {
  return not_yet();
}
}  // namespace belay::database
