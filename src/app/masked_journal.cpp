// SPDX-License-Identifier: Apache-2.0
#include "app/masked_journal.hpp"

#include <array>

#include "base/json.hpp"

namespace belay::app {

namespace {

constexpr std::array words_for_people{"error",   "text",     "summary", "problems",
                                      "message", "evidence", "lines"};

bool is_for_people(const std::string& name) {
  return std::find(words_for_people.begin(), words_for_people.end(), name) !=
         words_for_people.end();
}

void hide_in(Json& value, bool for_people, const Mask& mask) {
  if (value.is_string()) {
    if (for_people) value = mask(value.get_ref<const std::string&>());
  } else if (value.is_object()) {
    for (auto& [name, member] : value.items())
      hide_in(member, for_people || is_for_people(name), mask);
  } else if (value.is_array()) {
    for (auto& member : value) hide_in(member, for_people, mask);
  }
}

class MaskedJournal final : public journal::Journal {
 public:
  MaskedJournal(std::unique_ptr<journal::Journal> inner, Mask mask)
      : inner_(std::move(inner)), mask_(std::move(mask)) {}

  Result<std::string> create_run(journal::NewEvent created) override {
    return inner_->create_run(std::move(created));
  }
  Status append(const std::string& run, std::int64_t expected,
                std::vector<journal::NewEvent> events) override {
    for (auto& event : events) hide(event);
    return inner_->append(run, expected, std::move(events));
  }
  Result<std::vector<journal::Event>> load(const std::string& run, std::int64_t after) override {
    return inner_->load(run, after);
  }
  Result<std::vector<journal::RunRow>> runs(const std::string& environment, int limit) override {
    return inner_->runs(environment, limit);
  }
  Result<std::vector<journal::RunRow>> open_runs() override { return inner_->open_runs(); }
  Result<std::vector<journal::Lock>> locks() override { return inner_->locks(); }
  Result<std::vector<journal::Event>> tail(std::int64_t after, int limit) override {
    return inner_->tail(after, limit);
  }
  Result<std::int64_t> wait(std::int64_t last, Millis limit, std::stop_token stop) override {
    return inner_->wait(last, limit, std::move(stop));
  }
  Result<journal::Verification> verify() override { return inner_->verify(); }
  Result<std::string> hash_of(std::int64_t id) override { return inner_->hash_of(id); }
  Result<std::pair<std::int64_t, std::string>> head() override { return inner_->head(); }

 private:
  // Votes are signed over what they say: only what a run tells of itself is changed.
  void hide(journal::NewEvent& event) const {
    if (!event.kind.starts_with("step.") && event.kind != "run.finished") return;
    auto body = parse_json(event.body);
    if (!body) return;
    hide_in(*body, false, mask_);
    event.body = canonical(*body);
  }

  std::unique_ptr<journal::Journal> inner_;
  Mask mask_;
};

}  // namespace

std::unique_ptr<journal::Journal> make_masked(std::unique_ptr<journal::Journal> inner, Mask mask) {
  return std::make_unique<MaskedJournal>(std::move(inner), std::move(mask));
}

}  // namespace belay::app
