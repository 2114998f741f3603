// SPDX-License-Identifier: Apache-2.0
#include "cli/screen.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/text.hpp"
#include "pipeline/policy.hpp"

namespace belay::cli {

using pipeline::Event;
using pipeline::Plan;
using pipeline::Step;

namespace {

constexpr const char* green = "32";
constexpr const char* red = "31";
constexpr const char* yellow = "33";
constexpr Millis redraw_every{100};
constexpr int bar_width = 20;

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::string rest_indented(const std::string& text) {
  const auto at = text.find('\n');
  if (at == std::string::npos) return {};
  std::string out;
  for (const auto& one : split(text.substr(at + 1), '\n')) out += "\n        " + one;
  return out;
}

// One line: mark, number, name, what, and the time at the right edge.
std::string row(const std::string& mark, const std::string& label, const std::string& what,
                const std::string& time, int width) {
  std::string left = fmt::format(" {}  {:<18} {}", mark, label, what);
  if (time.empty()) return left;
  // Marks and dots are several bytes but one column.
  std::size_t columns = 0;
  for (char c : left) columns += (static_cast<unsigned char>(c) & 0xC0) != 0x80 ? 1 : 0;
  const auto room = static_cast<std::size_t>(width) > time.size()
                        ? static_cast<std::size_t>(width) - time.size()
                        : 0;
  if (columns + 1 < room)
    left.append(room - columns, ' ');
  else
    left += "  ";
  return left + time;
}

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

std::string progress_text(const engine::Progress& p, double rate) {
  const auto of = p.total > 0 ? " of " + with_commas(p.total) : std::string();
  std::string text = fmt::format("{} {}{} {}", p.what, with_commas(p.done), of, p.unit);
  if (p.total > 0) {
    const auto filled = static_cast<std::size_t>(
        bar_width * std::min(1.0, static_cast<double>(p.done) / static_cast<double>(p.total)));
    std::string bar;
    for (std::size_t i = 0; i < bar_width; ++i) bar += i < filled ? "━" : "╌";
    text += " " + bar;
  }
  if (rate >= 1) text += fmt::format("  {}/s", with_commas(static_cast<std::uint64_t>(rate)));
  if (rate >= 1 && p.total > p.done) {
    text += fmt::format("  {} left", for_people(Millis(static_cast<std::int64_t>(
                                         static_cast<double>(p.total - p.done) / rate * 1000))));
  }
  return text;
}

}  // namespace

Screen::Screen(const Session& session, app::Places places,
               std::function<std::string(std::string_view)> mask)
    : session_(session), places_(std::move(places)), mask_(std::move(mask)) {}

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
    begun_.try_emplace(step, event.at);
    ever_begun_.insert(step);
    static_cast<void>(label(plan, step));
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

void Screen::step_ended(const Plan& plan, const Event& event) {
  const auto step = event.body.value("step", "");
  const bool ok = event.body.value("ok", false);
  const auto begun = begun_.find(step);
  const auto took = begun == begun_.end() ? Millis(event.body.value("ms", std::int64_t{0}))
                                          : event.at - begun->second;
  begun_.erase(step);
  const bool gate = step == "lock";
  const auto time = gate && took < Millis(100) ? "" : for_people(took);
  const auto* planned = plan.step(step);
  if (ok) {
    std::string what = event.body.value("result", Json::object()).value("summary", std::string());
    if (what.empty() && planned != nullptr) what = planned->title;
    what = printable(what);
    line(row(paint(green, "✓"), label(plan, step), what, time, session_.terminal.width), event.at);
  } else {
    const auto error = printable(event.body.value("error", std::string("failed")), true);
    line(row(paint(red, "✗"), label(plan, step), first_line(error), time, session_.terminal.width) +
             rest_indented(error),
         event.at);
  }
}

void Screen::show(const std::string& run, const Plan& plan, const Event& event) {
  const auto text = [&](const char* member) {
    return printable(event.body.value(member, std::string()));
  };
  if (event.kind == "run.created") {
    line(fmt::format("Run {} · {} {} {} {}", run, plan.pipeline,
                     plan.pipeline == "deploy" ? plan.commit.substr(0, 7) : plan.release,
                     plan.pipeline == "deploy" ? "to" : "in", plan.environment),
         event.at);
  } else if (event.kind == "step.outcome") {
    step_ended(plan, event);
  } else if (event.kind == "approval.requested") {
    const auto* gate = plan.step(text("step"));
    line(row(paint(yellow, "…"), label(plan, text("step")),
             "waiting for " + (gate == nullptr ? "" : printable(gate->title)), "", 0),
         event.at);
    line(
        fmt::format(
            "                        hand them:  belay approve {}    (or: belay show {} --request)",
            run, run),
        event.at);
    begun_[text("step")] = event.at;
  } else if (event.kind == "approval.vote") {
    auto vote = pipeline::vote_from_json(event.body);
    if (!vote) return;
    const bool yes = vote->decision == pipeline::Decision::approve;
    line(row(" ",
             label(plan,
                   plan.first_of("approve") != nullptr ? plan.first_of("approve")->id : "approve"),
             fmt::format("{} {} {} ({})", printable(vote->person),
                         yes ? "approved" : "refused: " + printable(vote->reason),
                         to_text(event.at).substr(11, 8), pipeline::key_for_people(vote->key)),
             "", 0),
         event.at);
  } else if (event.kind == "cancel.requested") {
    line("Cancelled: " + text("because"), event.at);
  } else if (event.kind == "way_back.begun") {
    line(fmt::format("{}Rolling back: {}", session_.terminal.tty ? "\n" : "",
                     what_goes_back(plan, ever_begun_)),
         event.at);
  } else if (event.kind == "run.resumed") {
    line(fmt::format("Resumed by {}", text("by")), event.at);
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
  put(fmt::format("\r\x1b[K {}  {:<18} {}", paint(yellow, "…"), step.kind,
                  mask_(progress_text(progress, rate))));
  bar_shown_ = true;
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
