// SPDX-License-Identifier: Apache-2.0
// Shows a run as it happens: numbered steps with elapsed time, a bar on long work, the undo line.
// Colour and motion only on a terminal; plain timestamped lines elsewhere; NDJSON with --json.
#pragma once

#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "app/places.hpp"
#include "cli/cli.hpp"
#include "engine/runner.hpp"

namespace belay::cli {

class Screen final : public engine::Reporter {
 public:
  // `mask` hides secrets in everything that is shown or kept in logs.
  Screen(const Session& session, app::Places places,
         std::function<std::string(std::string_view)> mask);

  void event(const std::string& run, const pipeline::Plan& plan,
             const pipeline::Event& event) override;
  void progress(const std::string& run, const pipeline::Step& step,
                const engine::Progress& progress) override;
  void output(const std::string& run, const pipeline::Step& step, std::string_view text) override;

  ~Screen() override;
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // What is at work at `now`: a line redrawn in place on a terminal; in plain output one line when
  // a step has been at it for ten seconds. Called by a thread of its own until rest().
  void tick(TimePoint now);
  // Nothing is drawn any more, and the line is free: before the ending, or a question.
  void rest();

  // Only events after this one are shown (a resumed run's past was shown before).
  void quiet_until(std::int64_t seq) { quiet_until_ = seq; }

 private:
  struct Bar {
    std::string step;
    TimePoint since{};
    Millis drawn{0};
    std::uint64_t first = 0;
  };

  struct Begun {
    TimePoint at{};
    std::string label, title;
    bool told = false;  // in plain output
  };

  void show(const std::string& run, const pipeline::Plan& plan, const pipeline::Event& event);
  void step_ended(const std::string& run, const pipeline::Plan& plan, const pipeline::Event& event);
  void show_log(const std::string& run, const std::string& step, const std::string& title);
  std::string label(const pipeline::Plan& plan, const std::string& step);
  void line(const std::string& text, TimePoint at);
  void clear_bar();
  void draw_live(TimePoint now);
  std::string row_of(const std::string& mark, const std::string& label, const std::string& what,
                     const std::string& time) const;
  std::string paint(const char* code, const std::string& text) const;

  const Session& session_;
  app::Places places_;
  std::function<std::string(std::string_view)> mask_;
  std::mutex mutex_;
  std::int64_t quiet_until_ = 0;
  std::vector<std::string> letters_;  // way-back steps in the order they were begun
  std::map<std::string, Begun> begun_;
  std::set<std::string> ever_begun_;
  Bar bar_;
  bool bar_shown_ = false;
  TimePoint bar_drawn_at_{};
  std::jthread ticker_;
};

// "belay.yaml ... plan" as text for people, and the endings.
std::string plan_for_people(const pipeline::Plan& plan, const std::string& next_command);
std::string plan_json(const pipeline::Plan& plan);  // {"digest", "plan"}
// Documents that a salvage was not applied to, one a line; of an apply step's result.
std::string left_alone_lines(const Json& report);
// How long the way there and the way back took, without what was waited for before the lock was
// had; and whether the way back kept its budget. None: there was none, or it is not over.
struct Durations {
  std::optional<Millis> deployment, rollback;
  std::optional<bool> within_budget;
};
Durations durations_of(const engine::Loaded& loaded);
std::string ending_for_people(const std::string& run, const engine::Loaded& loaded);

}  // namespace belay::cli
