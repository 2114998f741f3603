// SPDX-License-Identifier: Apache-2.0
#include "cli/screen.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/text.hpp"
#include "cli/job.hpp"
#include "cli/layout.hpp"
#include "pipeline/gate.hpp"

namespace belay::cli {

using pipeline::Event;
using pipeline::Plan;
using pipeline::Step;

namespace {

std::string told_about(const std::string& about) {
  if (about == "waiting") return "waits";
  if (about == "begun") return "has begun";
  return about == "ended" ? "has ended" : "needs a person";
}

constexpr const char* green = "32";
constexpr const char* red = "31";
constexpr const char* yellow = "33";
constexpr Millis redraw_every{100};
// When a step without a word of its own is told of: redrawn on a terminal, once in plain output.
constexpr Millis tick_every{500};
constexpr Millis quiet_in_plain{10'000};
constexpr std::size_t time_before = 9;  // "14:07:12 " before each plain line
constexpr std::size_t most_of_a_log = std::size_t{64} << 20;

// By what was begun: the code, the data, or both.
std::string what_goes_back(const Plan& plan, const std::set<std::string>& begun) {
  const auto called_for = [&](const char* kind) {
    return std::any_of(plan.back.begin(), plan.back.end(), [&](const Step& step) {
      return step.kind == kind && (step.undoes.empty() ||
                                   std::any_of(step.undoes.begin(), step.undoes.end(),
                                               [&](const auto& id) { return begun.contains(id); }));
    });
  };
  const bool code = called_for("switch");
  std::string what = code ? (plan.live.empty() ? "taking it down" : "code") : "";
  if (called_for("ask")) return (code ? what + "; " : "") + "about the data a person is asked";
  if (called_for("rewind")) what += code ? " and data" : "data";
  return what.empty() ? "what was begun" : what;
}

// A commit, a release, or the salvage that is put back.
std::string what_of(const Plan& plan) {
  if (plan.pipeline == "deploy") return plan.commit.substr(0, 7);
  const auto* apply = plan.first_of("apply");
  return apply == nullptr ? plan.release : printable(apply->args.value("apply", std::string()));
}

}  // namespace

Screen::Screen(const Session& session, app::Places places,
               std::function<std::string(std::string_view)> mask)
    : session_(session), places_(std::move(places)), mask_(std::move(mask)) {
  if (session_.json) return;
  ticker_ = std::jthread([this](std::stop_token stop) {
    SystemClock clock;
    while (clock.sleep(tick_every, stop)) tick(clock.now());
  });
}

Screen::~Screen() {
  rest();
}

void Screen::rest() {
  ticker_.request_stop();
  if (ticker_.joinable()) ticker_.join();
  std::lock_guard guard(mutex_);
  clear_bar();
}

std::string Screen::row_of(const std::string& mark, const std::string& label,
                           const std::string& what, const std::string& time) const {
  const auto width = static_cast<std::size_t>(session_.terminal.width);
  const bool tty = session_.terminal.tty;
  return row(mark, label, what, time, tty ? width : width - time_before, tty);
}

// The step that was begun first; others beside it are counted.
void Screen::draw_live(TimePoint now) {
  if (bar_shown_ && now - bar_drawn_at_ < tick_every * 4) return;
  const auto first =
      std::min_element(begun_.begin(), begun_.end(),
                       [](const auto& a, const auto& b) { return a.second.at < b.second.at; });
  if (first == begun_.end()) return;
  const auto& [at, label, title, told] = first->second;
  std::string what = begun_.size() == 1 ? "" : fmt::format(" (and {} more)", begun_.size() - 1);
  const auto time = for_people(std::max(now - at, Millis(0)));
  const auto room = static_cast<std::size_t>(std::max(session_.terminal.width, 60)) - 26 -
                    what.size() - time.size();
  what = wrapped(mask_(title), room).front() + what;
  const auto drawn = row_of(paint(yellow, "…"), label, what, time);
  put("\r\x1b[K" + drawn.substr(0, drawn.find('\n')));
  bar_shown_ = true;
}

void Screen::tick(TimePoint now) {
  std::lock_guard guard(mutex_);
  if (session_.terminal.tty) return draw_live(now);
  for (auto& [step, one] : begun_) {
    if (one.told || now - one.at < quiet_in_plain) continue;
    one.told = true;
    line(row_of("…", one.label, one.title, "since " + to_text(one.at).substr(11, 8)), now);
  }
}

std::string Screen::paint(const char* code, const std::string& text) const {
  return session_.terminal.color ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
}

void Screen::clear_bar() {
  if (bar_shown_) put("\r\x1b[K");
  bar_shown_ = false;
}

void Screen::line(const std::string& text, TimePoint at) {
  clear_bar();
  const auto shown = mask_(text);
  if (session_.terminal.tty)
    put(shown + "\n");
  else
    put(to_text(at).substr(11, 8) + " " + shown + "\n");
}

// "5 restore point", and "b switch" on the way back.
std::string Screen::label(const Plan& plan, const std::string& step) {
  std::string name = step.substr(step.rfind(':') == std::string::npos ? 0 : step.rfind(':') + 1);
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    if (plan.steps[i].id != step) continue;
    std::string title = step;
    std::replace(title.begin(), title.end(), ':', ' ');
    std::replace(title.begin(), title.end(), '_', ' ');
    return fmt::format("{:>2} {}", i + 1, title);
  }
  auto at = std::find(letters_.begin(), letters_.end(), step);
  if (at == letters_.end()) at = letters_.insert(letters_.end(), step);
  const auto* planned = plan.step(step);
  std::string title = planned == nullptr ? name : planned->kind;
  if (title == "start") title += " " + name;
  std::replace(title.begin(), title.end(), '_', ' ');
  return fmt::format(" {} {}", static_cast<char>('a' + (at - letters_.begin()) % 26), title);
}

void Screen::event(const std::string& run, const Plan& plan, const Event& event) {
  std::lock_guard guard(mutex_);
  if (event.kind == "step.intent") {
    const auto step = event.body.value("step", "");
    const auto* planned = plan.step(step);
    begun_.try_emplace(
        step, Begun{event.at, label(plan, step), planned == nullptr ? "" : planned->title, false});
    ever_begun_.insert(step);
  }
  if (event.seq <= quiet_until_) return;
  if (session_.json) {
    Json out{{"run", run},
             {"seq", event.seq},
             {"at", to_text(event.at)},
             {"event", event.kind},
             {"body", event.body}};
    put(mask_(canonical(out)) + "\n");
    return;
  }
  show(run, plan, event);
}

void Screen::step_ended(const std::string& run, const Plan& plan, const Event& event) {
  const auto step = event.body.value("step", "");
  const bool ok = event.body.value("ok", false);
  const auto begun = begun_.find(step);
  const auto took = begun == begun_.end() ? Millis(event.body.value("ms", std::int64_t{0}))
                                          : event.at - begun->second.at;
  begun_.erase(step);
  const bool gate = step == "lock";
  const auto time = gate && took < Millis(100) ? "" : for_people(took);
  const auto* planned = plan.step(step);
  if (ok) {
    std::string what = event.body.value("result", Json::object()).value("summary", std::string());
    if (what.empty() && planned != nullptr) what = planned->title;
    what = printable(what);
    line(row_of(paint(green, "✓"), label(plan, step), what, time), event.at);
  } else {
    const auto error = printable(event.body.value("error", std::string("failed")), true);
    line(row_of(paint(red, "✗"), label(plan, step), error, time), event.at);
    if (session_.job != nullptr)
      session_.job->error(mask_(error), std::string(trim(label(plan, step))));
  }
  if (session_.job != nullptr) show_log(run, step, label(plan, step));
}

// The machine of a job is thrown away: what the step's programs wrote is shown, folded.
void Screen::show_log(const std::string& run, const std::string& step, const std::string& title) {
  auto text = read_file(places_.log_of(run, step), most_of_a_log);
  if (!text || text->empty()) return;
  constexpr std::size_t shown = std::size_t{256} << 10;
  if (text->size() > shown) text = "[...]" + text->substr(text->find('\n', text->size() - shown));
  session_.job->group(fmt::format("{}: what it wrote", trim(title)), *text);
}

void Screen::show(const std::string& run, const Plan& plan, const Event& event) {
  const auto text = [&](const char* member) {
    return printable(event.body.value(member, std::string()));
  };
  if (event.kind == "run.created") {
    line(fmt::format("Run {} · {} {} {} {}", run, plan.pipeline, what_of(plan),
                     plan.pipeline == "deploy" ? "to" : "in", plan.environment),
         event.at);
  } else if (event.kind == "step.outcome") {
    step_ended(run, plan, event);
  } else if (event.kind == "approval.requested") {
    const auto* gate = plan.step(text("step"));
    const auto waiting = "waiting for " + (gate == nullptr ? "" : printable(gate->title));
    line(row_of(paint(yellow, "…"), label(plan, text("step")), waiting, ""), event.at);
    line("                        " +
             (pipeline::is_reviewed_on_github(plan)
                  ? "by reviews of the workflow's run on GitHub"
                  : fmt::format("hand them:  belay approve {}    (or: belay show {} --request)",
                                run, run)),
         event.at);
    begun_[text("step")] = {event.at, label(plan, text("step")), waiting, true};
  } else if (event.kind == "approval.vote") {
    auto vote = pipeline::vote_from_json(event.body);
    if (!vote) return;
    const bool yes = vote->decision == pipeline::Decision::approve;
    const auto* gate = plan.first_of("approve");
    line(row_of(" ", label(plan, gate != nullptr ? gate->id : "approve"),
                fmt::format("{} {} {} ({})", printable(vote->person),
                            yes ? "approved" : "refused: " + printable(vote->reason),
                            to_text(event.at).substr(11, 8), pipeline::key_for_people(vote->key)),
                ""),
         event.at);
  } else if (event.kind == "cancel.requested") {
    line("Cancelled: " + text("because"), event.at);
  } else if (event.kind == "way_back.begun") {
    line(fmt::format("{}Rolling back: {}", session_.terminal.tty ? "\n" : "",
                     what_goes_back(plan, ever_begun_)),
         event.at);
  } else if (event.kind == "run.resumed") {
    line(fmt::format("Resumed by {}", text("by")), event.at);
  } else if (event.kind == "announced") {
    for (const auto& why : event.body.value("not_announced", Json::array()))
      line(fmt::format("Nobody was told that the run {}: {}", told_about(text("about")),
                       printable(why.get<std::string>())),
           event.at);
  }
}

void Screen::progress(const std::string&, const Step& step, const engine::Progress& progress) {
  std::lock_guard guard(mutex_);
  if (!session_.terminal.tty || session_.json) return;
  const auto now = std::chrono::time_point_cast<Millis>(std::chrono::system_clock::now());
  if (bar_.step != step.id || progress.done < bar_.first)
    bar_ = {step.id, now, Millis(0), progress.done};
  const auto since = now - bar_.since;
  if (since - bar_.drawn < redraw_every && bar_.drawn != Millis(0)) return;
  bar_.drawn = since;
  const double rate = since.count() > 0 ? static_cast<double>(progress.done - bar_.first) * 1000.0 /
                                              static_cast<double>(since.count())
                                        : 0;
  const auto begun = begun_.find(step.id);
  const auto drawn =
      row_of(paint(yellow, "…"), begun == begun_.end() ? step.kind : begun->second.label,
             mask_(progress_text(progress, rate)), "");
  put("\r\x1b[K" + drawn.substr(0, drawn.find('\n')));
  bar_shown_ = true;
  bar_drawn_at_ = now;
}

void Screen::output(const std::string& run, const Step& step, std::string_view text) {
  const auto masked = mask_(text);
  const Path path = places_.log_of(run, step.id);
  if (!make_folder(path.parent_path())) return;
  std::lock_guard guard(mutex_);
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (file && ::write(file.get(), masked.data(), masked.size()) < 0) return;
}

}  // namespace belay::cli
