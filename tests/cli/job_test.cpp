// SPDX-License-Identifier: Apache-2.0
// Belay in a job of GitHub Actions: what the runner reads of it, and that nobody else's text is
// read.
#include "cli/job.hpp"

#include <rapidcheck/gtest.h>

#include "base/text.hpp"
#include "tests/support/actions_runner.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::cli {
namespace {

using belay::testing::commands_in;
using belay::testing::outputs_in;
using belay::testing::RunnerCommand;
using belay::testing::ScratchProject;

const std::vector<std::string> hostile{"::set-output name=status::done",
                                       "  ::add-mask::a",
                                       "\xc2\xa0::error::no",
                                       "\xe3\x80\x80::error::no",
                                       "x\r::error file=a::b",
                                       "x\n::stop-commands::t",
                                       "a ##[set-output name=run_id;]9 b",
                                       "##[add-mask]e",
                                       "###[error]x",
                                       ":::error::x",
                                       ":: error::x",
                                       "\t\v::warning::x",
                                       "% %0A %25 , : = |",
                                       "ghadelimiter_x\nEOF\nname<<ghadelimiter_x\nv",
                                       "",
                                       "::",
                                       "##["};

std::string after(Harmless harmless, const std::string& text) {
  return harmless(text);
}

TEST(Job, NoTextOfOthersIsACommandHoweverItIsCutUp) {
  for (const auto& text : hostile) {
    EXPECT_TRUE(commands_in(after(Harmless(), text)).empty()) << text;
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      Harmless harmless;
      const auto first = harmless(text.substr(0, cut));
      EXPECT_EQ(first + harmless(text.substr(cut)), after(Harmless(), text))
          << text << " at " << cut;
    }
  }
}

RC_GTEST_PROP(Job, NoTextAtAllIsACommand, ()) {
  const auto pieces = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
      "::", ":", "##[", "#", "[", "error", "]", " ", "\n", "\r", "\t", "\xc2\xa0", "x", "=", ","));
  RC_ASSERT(commands_in(after(Harmless(), join(pieces, ""))).empty());
}

TEST(Job, JsonStaysWhatItWas) {
  for (const auto& text : hostile) {
    const auto line = Json({{"text", text}}).dump() + "\n";
    const auto shown = after(Harmless(true), line);
    EXPECT_TRUE(commands_in(shown).empty()) << line;
    EXPECT_EQ(parse_json(shown).value(), parse_json(line).value());
  }
}

struct InAJob : ::testing::Test {
  ScratchFolder scratch = ScratchFolder::make("belay-job").value();
  app::Getenv env{{"GITHUB_ACTIONS", "true"},
                  {"GITHUB_OUTPUT", (scratch.path() / "output").string()},
                  {"GITHUB_STEP_SUMMARY", (scratch.path() / "summary").string()}};

  std::string printed(const std::function<void(Job&)>& act) const {
    ::testing::internal::CaptureStdout();
    {
      const auto job = Job::of(env, false);
      act(*job);
    }
    return ::testing::internal::GetCapturedStdout();
  }
  std::string file(const char* name) const {
    auto text = read_file(scratch.path() / name);
    return text ? *text : "";
  }
};

TEST_F(InAJob, AnAnnotationSaysExactlyWhatItWasGiven) {
  for (const auto& text : hostile) {
    const auto said = printed([&](Job& job) { job.error(text, text, {text, 7, 2}); });
    const auto commands = commands_in(said);
    ASSERT_EQ(commands.size(), 1U) << said;
    EXPECT_EQ(commands[0].name, "error");
    EXPECT_EQ(commands[0].data, std::string(trim(text)));
    if (text.empty()) continue;
    EXPECT_EQ(commands[0].properties.at("title"), text);
    EXPECT_EQ(commands[0].properties.at("file"), text);
    EXPECT_EQ(commands[0].properties.at("line"), "7");
  }
}

TEST_F(InAJob, AProgramsWordsAreShownAsTheyAreAndGiveNoCommand) {
  for (const auto& text : hostile) {
    const auto said = printed([&](Job& job) { job.group("2 build\n::error::x", text); });
    const auto commands = commands_in(said);
    ASSERT_EQ(commands.size(), 2U) << said;
    EXPECT_EQ(commands[0].name, "group");
    EXPECT_EQ(commands[1].name, "endgroup");
    EXPECT_NE(said.find(text), std::string::npos);
  }
}

TEST_F(InAJob, AnOutputIsReadAsItWasWritten) {
  static_cast<void>(printed([](Job& job) {
    for (std::size_t i = 0; i < hostile.size(); ++i) job.output(fmt::format("o{}", i), hostile[i]);
  }));
  const auto outputs = outputs_in(file("output"));
  ASSERT_EQ(outputs.size(), hostile.size());
  for (std::size_t i = 0; i < hostile.size(); ++i) {
    auto lines = hostile[i];  // the runner reads lines, whatever ends them
    std::replace(lines.begin(), lines.end(), '\r', '\n');
    EXPECT_EQ(outputs.at(fmt::format("o{}", i)), lines);
  }
}

TEST_F(InAJob, ASummaryIsCutWhereTheRunnerWouldDropIt) {
  const std::string line = std::string(99, 'x') + "\n";
  std::string much;
  while (much.size() < (std::size_t{1} << 20)) much += line;
  static_cast<void>(printed([&](Job& job) {
    job.summary("first\n");
    job.summary(much);
    job.summary("last\n");
  }));
  const auto text = file("summary");
  EXPECT_LE(text.size(), std::size_t{1} << 20);
  EXPECT_GT(text.size(), (std::size_t{1} << 20) - 300);
  EXPECT_TRUE(text.starts_with("first\n"));
  EXPECT_NE(text.find("The rest is in the job's log"), std::string::npos);
}

TEST(Markdown, ShowsTextsAsTheyAre) {
  EXPECT_EQ(markdown_text("a|b <img> `c` [x](y)").find_first_of("|<>`[]()"), std::string::npos);
  EXPECT_TRUE(markdown_block("```\n````\n").starts_with("`````text\n"));
}

// The real program, as a step of a job.
struct AStep : ::testing::Test {
  ScratchProject project;
  Environment job{{"GITHUB_ACTIONS", "true"},
                  {"GITHUB_ACTOR", "amina"},
                  {"GITHUB_WORKSPACE", project.folder().string()},
                  {"GITHUB_OUTPUT", (project.above() / "output").string()},
                  {"GITHUB_STEP_SUMMARY", (project.above() / "summary").string()}};

  Finished belay(std::vector<std::string> words) const {
    std::error_code code;
    std::filesystem::remove(project.above() / "output", code);
    return project.belay(std::move(words), job);
  }
  std::string read(const char* name) const {
    auto text = read_file(project.above() / name);
    return text ? *text : "";
  }
  std::map<std::string, std::string> outputs() const { return outputs_in(read("output")); }
  void ship(const std::string& more = {}, const std::string& activate = {}) const {
    auto text = project.file(more);
    if (!activate.empty()) {
      const std::string plain = "activate: echo";
      text.replace(text.find(plain), plain.size(), "activate: " + activate + "; echo");
    }
    project.write("belay.yaml", text);
    project.commit("::error::a subject ##[set-output name=status;]hacked");
  }
};

TEST_F(AStep, OfADeployTellsWhatItShippedAndNothingOfWhatProgramsSayIsACommand) {
  ship("", "echo '::set-output name=status::hacked'; echo '##[add-mask]x'");
  const auto done = belay({"deploy"});
  ASSERT_EQ(done.status, 0) << done.out << done.err;
  const auto told = outputs();
  EXPECT_EQ(told.at("status"), "done");
  EXPECT_EQ(told.at("rolled_back"), "false");
  EXPECT_TRUE(told.at("release_tag").starts_with("prod-"));
  EXPECT_EQ(told.at("run_id"), "1");
  EXPECT_FALSE(told.at("deployment_seconds").empty());
  std::size_t groups = 0;
  for (const auto& command : commands_in(done.out + done.err)) {
    EXPECT_TRUE(command.name == "group" || command.name == "endgroup") << command.name;
    groups += command.name == "group" ? 1 : 0;
  }
  EXPECT_GT(groups, 0U);
  EXPECT_NE(done.out.find("\n::set-output name=status::hacked\n"), std::string::npos) << done.out;
  const auto summary = read("summary");
  EXPECT_NE(summary.find("| ✓ | switch |"), std::string::npos) << summary;
  EXPECT_NE(summary.find("digest"), std::string::npos);
}

TEST_F(AStep, ThatFailsNamesTheStepInAnAnnotationAndSaysThatItCameBack) {
  ship();
  ASSERT_EQ(belay({"deploy"}).status, 0);
  ship("", "echo broken, 100%; exit 3");
  const auto failed = belay({"deploy"});
  EXPECT_EQ(failed.status, 1) << failed.out << failed.err;
  EXPECT_EQ(outputs().at("status"), "rolled_back");
  EXPECT_EQ(outputs().at("rolled_back"), "true");
  EXPECT_EQ(outputs().at("within_budget"), "true");
  EXPECT_FALSE(outputs().at("rollback_seconds").empty());
  bool named = false;
  for (const auto& command : commands_in(failed.out)) {
    if (command.name == "error")
      named = named || command.properties.at("title").find("switch") != std::string::npos;
  }
  EXPECT_TRUE(named) << failed.out;
}

TEST_F(AStep, ComplainsOfAFileAtItsLine) {
  project.write("belay.yaml", "project: shop\nenvironmets: {}\n");
  const auto failed = belay({"plan"});
  EXPECT_EQ(failed.status, 2);
  const auto commands = commands_in(failed.out + failed.err);
  const bool there = std::any_of(commands.begin(), commands.end(), [](RunnerCommand each) {
    return each.properties["file"] == "belay.yaml" && each.properties["line"] == "2" &&
           each.data.find("environmets") != std::string::npos;
  });
  EXPECT_TRUE(there) << failed.out << failed.err;
}

TEST_F(AStep, TellsTheRunnerOfASecretBeforeItPrintsAnything) {
  job["CHECK_TOKEN"] = "sentinel-check-token";
  auto text = project.file();
  const std::string last = "    watch: 0s\n";
  text.insert(text.find(last),
              "      - { name: Other, url: 'http://127.0.0.1:1/', send: { headers: { X: "
              "'${CHECK_TOKEN}' } }, "
              "severity: warn }\n");
  project.write("belay.yaml", text);
  project.commit("Checked");
  const auto report = (project.above() / "report.json").string();
  const auto done = belay({"health", "--report", report});
  EXPECT_EQ(done.err, "::add-mask::sentinel-check-token\n");
  EXPECT_EQ(done.out.find("sentinel"), std::string::npos) << done.out;
  EXPECT_EQ(outputs().at("health_status"), "DEGRADED");
  EXPECT_EQ(outputs().at("passed_checks"), "1");
  EXPECT_EQ(outputs().at("failed_checks"), "0");
  EXPECT_EQ(outputs().at("warning_checks"), "1");
  EXPECT_EQ(outputs().at("report_file"), report);
  EXPECT_EQ(read("output").find("sentinel"), std::string::npos);
  EXPECT_EQ(read("summary").find("sentinel"), std::string::npos);
}

TEST_F(AStep, MasksASecretWholeAndByLinesAndNeverAnEmptyOne) {
  job["EMPTY"] = "";
  job["SHORT"] = "abc";
  job["ODD"] = "s3cret%word";
  job["KEY"] = "-----BEGIN\nline-two\n}\n";
  auto text = project.file();
  const std::string last = "    watch: 0s\n";
  text.insert(
      text.find(last),
      "      - { name: Other, url: 'http://127.0.0.1:1/', severity: warn, send: { headers: { A: "
      "'${EMPTY}', B: '${SHORT}', C: '${ODD}', D: '${KEY}' } } }\n");
  project.write("belay.yaml", text);
  project.commit("Checked");
  const auto done = belay({"health"});
  std::set<std::string> masks;
  for (const auto& command : commands_in(done.err)) {
    EXPECT_EQ(command.name, "add-mask");
    masks.insert(command.data);
  }
  EXPECT_EQ(masks, (std::set<std::string>{"s3cret%word", "-----BEGIN\nline-two\n}\n", "-----BEGIN",
                                          "line-two"}))
      << done.out << done.err;
}

TEST_F(AStep, WhoseWordsGoIntoAFileLeavesNoSecretThere) {
  job["CHECK_TOKEN"] = "sentinel-check-token";
  auto text = project.file();
  const std::string last = "    watch: 0s\n";
  text.insert(text.find(last),
              "      - { name: Other, url: 'http://127.0.0.1:1/', send: { headers: { X: "
              "'${CHECK_TOKEN}' } } }\n");
  project.write("belay.yaml", text);
  Command command;
  command.argv = {"/bin/sh", "-c", std::string(BELAY_PROGRAM) + " health > ../said 2>&1"};
  command.folder = project.folder();
  command.env = project.environment(job);
  command.inherit_env = false;
  ASSERT_TRUE(run(command).ok());
  EXPECT_NE(read("said").find("Other"), std::string::npos) << read("said");
  EXPECT_EQ(read("said").find("sentinel"), std::string::npos) << read("said");
}

TEST_F(AStep, WithJsonStandardOutputIsForProgramsOnly) {
  ship();
  const auto done = belay({"deploy", "--json"});
  ASSERT_EQ(done.status, 0) << done.out << done.err;
  for (const auto& line : split(trim(done.out), '\n')) EXPECT_TRUE(parse_json(line).ok()) << line;
  EXPECT_EQ(outputs().at("status"), "done");
}

TEST_F(AStep, ARunMadeForLaterHasItsTestsBehindItAndGoesOnElsewhere) {
  auto text = project.file();
  text.insert(text.find("environments:"), "test: echo tested\n");
  project.write("belay.yaml", text);
  project.commit("Tested");
  const auto made = belay({"deploy", "--later"});
  ASSERT_EQ(made.status, 0) << made.out << made.err;
  EXPECT_NE(made.out.find("tested"), std::string::npos) << made.out;
  EXPECT_EQ(outputs().at("status"), "planned");
  EXPECT_FALSE(std::filesystem::exists(project.above() / "live"));
  const auto nothing = belay({"resume", "--held"});
  EXPECT_EQ(nothing.status, 0) << nothing.out << nothing.err;
  EXPECT_FALSE(std::filesystem::exists(project.above() / "live"));
  const auto on = belay({"resume", "1"});
  EXPECT_EQ(on.status, 0) << on.out << on.err;
  EXPECT_EQ(outputs().at("status"), "done");
  EXPECT_TRUE(std::filesystem::exists(project.above() / "live"));
}

TEST_F(AStep, ARunMadeForLaterWhoseTestsFailIsOver) {
  auto text = project.file();
  text.insert(text.find("environments:"), "test: 'false'\n");
  project.write("belay.yaml", text);
  project.commit("Untested");
  const auto made = belay({"deploy", "--later"});
  EXPECT_EQ(made.status, 1) << made.out << made.err;
  EXPECT_EQ(outputs().at("status"), "failed");
}

TEST_F(AStep, ARunMadeForLaterIsEndedWithoutAnySecret) {
  auto text = project.file();
  text += "    database: { uri: '${DATABASE_URI}' }\n";
  project.write("belay.yaml", text);
  project.commit("With a database");
  const auto made = belay({"deploy", "--later"});
  ASSERT_EQ(made.status, 0) << made.out << made.err;
  const auto ended = belay({"cancel", "1"});
  EXPECT_EQ(outputs().at("status"), "cancelled") << ended.out << ended.err;
}

}  // namespace
}  // namespace belay::cli
