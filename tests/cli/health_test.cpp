// SPDX-License-Identifier: Apache-2.0
// The health report: its names, its exit codes, and that every run leaves one.
#include "base/json.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::cli {
namespace {

using testing::ScratchProject;

class Health : public ::testing::Test {
 protected:
  void checks(const std::string& lines, const std::string& watch = "0s") {
    auto text = project_.file();
    const std::string one = "      - { name: It is there, command: test -d / }\n";
    text.replace(text.find(one), one.size(), lines);
    text.replace(text.find("watch: 0s"), 9, "watch: " + watch);
    project_.write("belay.yaml", text);
    project_.commit("Change the checks");
  }
  Json json_of(const Path& path) const {
    auto text = read_file(path);
    EXPECT_TRUE(text.ok()) << path;
    auto json = parse_json(text ? *text : "null");
    EXPECT_TRUE(json.ok()) << path;
    return json ? *json : Json::object();
  }
  Path report_of(const std::string& run) const {
    return project_.state() / "runs" / run / "health-report.json";
  }
  Json report(const std::string& run) const { return json_of(report_of(run)); }

  const std::string good_ = "      - { name: Good, command: \"true\" }\n";
  const std::string warns_ = "      - { name: Warns, command: \"false\", severity: warn }\n";
  const std::string bad_ = "      - { name: Bad, command: \"false\" }\n";
  ScratchProject project_;
};

TEST_F(Health, DegradedIsZeroAndWithStrictOne) {
  checks(good_ + warns_);
  const auto lenient = project_.belay({"health"});
  EXPECT_EQ(lenient.status, 0) << lenient.out << lenient.err;
  EXPECT_NE(lenient.out.find("DEGRADED: 1 passed, 0 failed, 1 warning"), std::string::npos)
      << lenient.out;
  EXPECT_EQ(project_.belay({"health", "--strict"}).status, 1);
  checks(good_);
  EXPECT_EQ(project_.belay({"health", "--strict"}).status, 0);
  checks(good_ + bad_);
  EXPECT_EQ(project_.belay({"health"}).status, 1);
}

TEST_F(Health, TheReportKeepsTheNamesThatItsReadersKnow) {
  checks(good_ + warns_ + bad_);
  const Path file = project_.above() / "report.json";
  EXPECT_EQ(project_.belay({"health", "--report", file.string()}).status, 1);
  const auto json = json_of(file);
  EXPECT_TRUE(json.contains("timestamp"));
  EXPECT_EQ(json["health_status"], "UNHEALTHY");
  EXPECT_EQ(json["summary"],
            (Json{{"total_checks", 3}, {"passed", 1}, {"failed", 1}, {"warnings", 1}}));
  EXPECT_EQ(json["environment"]["name"], "production");
  ASSERT_EQ(json["checks"].size(), 3U);
  EXPECT_EQ(json["checks"][0]["check"], "Good");
  EXPECT_EQ(json["checks"][0]["status"], "PASS");
  EXPECT_EQ(json["checks"][1]["status"], "WARNING");
  EXPECT_EQ(json["checks"][2]["status"], "FAIL");
  for (const char* name : {"message", "duration_ms", "attempts"})
    EXPECT_TRUE(json["checks"][2].contains(name)) << name;
}

TEST_F(Health, ADeployAndARollbackWriteItAndSayWhere) {
  checks(good_);
  for (int i = 0; i < 2; ++i) {
    project_.commit("Again");
    const auto done = project_.belay({"deploy"});
    ASSERT_EQ(done.status, 0) << done.out << done.err;
    EXPECT_NE(done.out.find("health report: " + report_of(std::to_string(i + 1)).string()),
              std::string::npos)
        << done.out;
  }
  EXPECT_EQ(report("2")["health_status"], "HEALTHY");
  ASSERT_EQ(project_.belay({"rollback", "--yes"}).status, 0);
  EXPECT_EQ(report("3")["health_status"], "HEALTHY");
}

TEST_F(Health, AWatchThatFailsStandsInTheReport) {
  // Good until the release is live, then bad: the unseen check passes, the watch does not.
  const auto live = (project_.above() / "live").string();
  checks("      - { name: Once, command: \"test ! -e " + live + "\", fall: 1, interval: 100ms }\n",
         "2s");
  const auto done = project_.belay({"deploy"});
  EXPECT_EQ(done.status, 1) << done.out;
  const auto json = report("1");
  EXPECT_EQ(json["health_status"], "UNHEALTHY");
  EXPECT_EQ(json["environment"]["step"], "watch");
  EXPECT_EQ(json["checks"][0]["status"], "FAIL");
  ASSERT_EQ(json["earlier"].size(), 1U) << "the check before it";
  EXPECT_EQ(json["earlier"][0]["health_status"], "HEALTHY");
}

TEST_F(Health, SkippedChecksAreRecordedAnnouncedAndNeverHealthy) {
  checks(bad_);
  const auto heard = (project_.above() / "heard").string();
  auto text = *read_file(project_.folder() / "belay.yaml") +
              "    notify:\n      - { command: \"cat >> " + heard + "\" }\n";
  project_.write("belay.yaml", text);
  project_.commit("Announce");
  const auto done = project_.belay({"deploy", "--skip-checks", "--reason", "the probe is broken"});
  ASSERT_EQ(done.status, 0) << done.out << done.err;
  EXPECT_EQ(report("1")["health_status"], "UNHEALTHY");
  EXPECT_EQ(report("1")["message"], "the checks were skipped: the probe is broken");
  EXPECT_NE(project_.belay({"show", "1", "--json"}).out.find("the probe is broken"),
            std::string::npos);
  auto announced = read_file(heard);
  ASSERT_TRUE(announced.ok());
  EXPECT_NE(announced->find("the probe is broken"), std::string::npos) << *announced;
}

TEST_F(Health, ASkippedRestorePointIsRecordedWithItsReason) {
  project_.write("belay.yaml", project_.file() + "database: { uri: \"${MONGODB_URI}\" }\n");
  project_.commit("A database");
  const Environment nobody{
      {"MONGODB_URI", "mongodb://127.0.0.1:1/shop?serverSelectionTimeoutMS=300"}};
  EXPECT_EQ(project_.belay({"deploy", "--skip-backup"}, nobody).status, 2);
  EXPECT_EQ(project_.belay({"deploy"}, nobody).status, 1)
      << "without a restore point nothing ships";
  const auto reason = std::string("the database is empty yet");
  EXPECT_NE(project_.belay({"plan", "--skip-backup", "--reason", reason}, nobody).out.find(reason),
            std::string::npos);
  const auto done = project_.belay({"deploy", "--skip-backup", "--reason", reason}, nobody);
  ASSERT_EQ(done.status, 0) << done.out << done.err;
  EXPECT_EQ(done.out.find("restore point"), std::string::npos) << done.out;
  EXPECT_NE(project_.belay({"show", "2", "--json"}).out.find(reason), std::string::npos);
}

TEST_F(Health, ARollbackToABranchThatIsNotNamedIsRefused) {
  auto text = project_.file("    rollback: { branches: [release/*] }\n");
  project_.write("belay.yaml", text);
  project_.commit("First");
  ASSERT_EQ(project_.belay({"deploy"}).status, 0);
  project_.write("page", "two");
  project_.commit("Second");
  ASSERT_EQ(project_.belay({"deploy"}).status, 0);
  const auto refused = project_.belay({"rollback", "--yes"});
  EXPECT_NE(refused.status, 0) << refused.out;
  EXPECT_NE(refused.err.find("rollback.branches"), std::string::npos) << refused.err;
  project_.git({"branch", "release/1"});
  EXPECT_EQ(project_.belay({"rollback", "--yes"}).status, 0);
}

TEST_F(Health, APlanOfWhatIsLiveAlreadyHasNothingToChange) {
  checks(good_);
  EXPECT_EQ(project_.belay({"plan"}).status, 10);
  ASSERT_EQ(project_.belay({"deploy"}).status, 0);
  const auto same = project_.belay({"plan"});
  EXPECT_EQ(same.status, 0) << same.out;
  EXPECT_NE(same.out.find("Nothing to change"), std::string::npos) << same.out;
  project_.write("page", "new");
  project_.commit("New");
  EXPECT_EQ(project_.belay({"plan"}).status, 10);
}

}  // namespace
}  // namespace belay::cli
