// SPDX-License-Identifier: Apache-2.0
// Runs as GitHub shows them: a deployment and a commit status for each, an issue for each incident.
#include <fmt/format.h>

#include <set>

#include "app/on_github.hpp"
#include "base/text.hpp"

namespace belay::app {

using github::Stage;
using notify::Announcement;

namespace {

std::string fact(const Announcement& news, const char* name) {
  return text_in(news.facts, name);
}

// Runs are counted anew on a machine that is thrown away, so their time is part of it.
std::string mark_of(const Announcement& news) {
  return fmt::format("{}/{} run {} of {}", fact(news, "project"), fact(news, "environment"),
                     fact(news, "run"), fact(news, "created"));
}

Stage stage_of(const Announcement& news) {
  if (news.kind == "begun") return Stage::under_way;
  const auto ending = fact(news, "ending");
  if (ending == "done") return Stage::well;
  return ending == "failed" || ending == "rolled_back" ? Stage::failed : Stage::given_up;
}

class DeploymentFollower final : public notify::Notifier {
 public:
  explicit DeploymentFollower(Followed followed) : followed_(std::move(followed)) {}

  Status announce(const Announcement& news, const std::string&) override {
    if (news.kind != "begun" && news.kind != "ended") return {};
    const bool ships = fact(news, "pipeline") == "deploy" ||
                       (fact(news, "pipeline") == "rollback" && flag_in(news.facts, "code"));
    const auto stage = stage_of(news);
    // A run that went no further than its gate, or was superseded there, is none to be shown.
    const bool locked = flag_in(news.facts, "locked");
    if (!ships || (!locked && stage != Stage::failed)) return {};
    if (locked) TRY(followed_.repository->show(deployment_of(news), stage, {}));
    return followed_.repository->show(status_of(news), stage, {});
  }

 private:
  static std::string description_of(const Announcement& news) {
    const auto ending = fact(news, "ending");
    return fmt::format("{} of {}, run {}{}", fact(news, "pipeline"), fact(news, "release"),
                       fact(news, "run"), ending.empty() || ending == "done" ? "" : ": " + ending);
  }

  github::Deployment deployment_of(const Announcement& news) const {
    return {mark_of(news),        fact(news, "commit"),   fact(news, "environment"),
            description_of(news), fact(news, "pipeline"), followed_.page,
            followed_.log};
  }

  github::CommitStatus status_of(const Announcement& news) const {
    return {fact(news, "commit"), "belay/" + fact(news, "environment"), description_of(news),
            followed_.log};
  }

  Followed followed_;
};

// So that what a program said is not read as Markdown: no mention, no link, no comment.
std::string fenced(const std::string& text) {
  std::size_t longest = 0, run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(std::max<std::size_t>(3, longest + 1), '`');
  return fence + "\n" + printable(text, true) + "\n" + fence + "\n";
}

class IssueFollower final : public notify::Notifier {
 public:
  IssueFollower(Followed followed, std::vector<std::string> labels)
      : followed_(std::move(followed)), labels_(std::move(labels)) {}

  Status announce(const Announcement& news, const std::string& key) override {
    const github::Incident incident{fact(news, "project") + "/" + fact(news, "environment"),
                                    labels_};
    if (is_bad(news)) return followed_.repository->report(incident, told(news, key), {});
    const bool shipped = news.kind == "ended" && fact(news, "pipeline") == "deploy" &&
                         fact(news, "ending") == "done";
    if (!shipped) return {};
    TRY(followed_.repository->close(incident, told(news, key), {}));
    return {};
  }

 private:
  // A rollback that is done is one too: something was wrong before it.
  static bool is_bad(const Announcement& news) {
    static const std::set<std::string> bad{"failed", "rolled_back"};
    static const std::set<std::string> back{"rollback", "rewind"};
    if (news.kind == "stopped") return true;
    return news.kind == "ended" &&
           (bad.contains(fact(news, "ending")) ||
            (fact(news, "ending") == "done" && back.contains(fact(news, "pipeline"))));
  }

  github::News told(const Announcement& news, const std::string& key) const {
    std::string text = fenced(news.text.empty() ? news.title : news.text);
    text += fmt::format("\n- run {} ({}), asked for by {}\n", fact(news, "run"),
                        fact(news, "pipeline"), printable(fact(news, "requester")));
    if (const auto release = fact(news, "release"); !release.empty())
      text += fmt::format("- release {} of commit {}\n", release, fact(news, "commit"));
    if (!followed_.log.empty()) text += fmt::format("- [its log]({})\n", followed_.log);
    text += fmt::format("- more: `belay show {}`\n", fact(news, "run"));
    return {mark_of(news) + " " + key, followed_.mask(news.title), followed_.mask(text)};
  }

  Followed followed_;
  std::vector<std::string> labels_;
};

class ReleaseFollower final : public notify::Notifier {
 public:
  explicit ReleaseFollower(Followed followed) : followed_(std::move(followed)) {}

  Status announce(const Announcement& news, const std::string&) override {
    const bool shipped = news.kind == "ended" && fact(news, "pipeline") == "deploy" &&
                         fact(news, "ending") == "done";
    if (!shipped) return {};
    const auto tag = fact(news, "release");
    return followed_.repository->publish({tag, tag, followed_.mask(text_of(news))}, {});
  }

 private:
  static std::string text_of(const Announcement& news) {
    auto text =
        fmt::format("Shipped to {} by run {}.\n\n", fact(news, "environment"), fact(news, "run"));
    for (const auto& pull : member_in(news.facts, "pulls"))
      text += fmt::format("- #{} by {}\n", number_in(pull, "number").value_or(0),
                          printable(text_in(pull, "author")));
    std::string subjects;
    for (const auto& change : member_in(news.facts, "changes")) {
      for (const auto& subject : member_in(change, "commits"))
        subjects += fmt::format("{}: {}\n", text_in(change, "service"),
                                subject.is_string() ? subject.get<std::string>() : "");
    }
    return subjects.empty() ? text : text + "\n" + fenced(subjects);
  }

  Followed followed_;
};

}  // namespace

std::unique_ptr<notify::Notifier> make_deployment_follower(Followed followed) {
  return std::make_unique<DeploymentFollower>(std::move(followed));
}

std::unique_ptr<notify::Notifier> make_issue_follower(Followed followed,
                                                      std::vector<std::string> labels) {
  return std::make_unique<IssueFollower>(std::move(followed), std::move(labels));
}

std::unique_ptr<notify::Notifier> make_release_follower(Followed followed) {
  return std::make_unique<ReleaseFollower>(std::move(followed));
}

}  // namespace belay::app
