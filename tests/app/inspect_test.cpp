// SPDX-License-Identifier: Apache-2.0
// belay init on projects of many kinds: what it writes parses without complaint.
#include "app/inspect.hpp"

#include "app/project.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::app {
namespace {

using testing::ScratchProject;

class Inspect : public ::testing::Test {
 protected:
  Found found() {
    auto result = inspect(project_.folder());
    EXPECT_TRUE(result.ok());
    return result ? *result : Found{};
  }
  pipeline::Spec written() {
    text_ = starting_file(found(), people());
    auto spec = spec_of(text_, "belay.yaml");
    EXPECT_TRUE(spec.ok()) << spec.error().message() << text_;
    return spec ? *spec : pipeline::Spec{};
  }
  std::string people() {
    return "{ amina: { keys: [" + project_.public_key("amina") + "] }, leo: { keys: [" +
           project_.public_key("leo") + "] } }";
  }
  bool has(const std::string& text) const { return text_.find(text) != std::string::npos; }
  ScratchProject project_;
  std::string text_;
};

TEST_F(Inspect, NodeWithBackendAndFrontend) {
  project_.write(
      "backend/package.json",
      R"({"scripts":{"start":"node src/server.js","test":"node --test","db:migrate":"node migrate.js"}})");
  project_.write("backend/package-lock.json", "{}");
  project_.write("backend/src/server.js", "app.get('/api/health', ok)");
  project_.write("backend/.env", "JWT_SECRET=hunter22\nPORT=3000\n");
  project_.write("frontend/package.json",
                 R"({"scripts":{"start":"next start","build":"next build"}})");
  const auto spec = written();
  ASSERT_EQ(spec.services.size(), 2U);
  const auto* backend = spec.service("backend");
  ASSERT_NE(backend, nullptr);
  EXPECT_EQ(backend->run, "node src/server.js");
  EXPECT_EQ(backend->build, "npm ci --omit=dev");
  EXPECT_EQ(backend->check->path, "/api/health");
  EXPECT_TRUE(backend->env.contains("JWT_SECRET"));
  EXPECT_FALSE(backend->env.contains("PORT"));
  EXPECT_EQ(text_.find("hunter22"), std::string::npos);
  EXPECT_EQ(spec.service("frontend")->build, "npm install && npm run build");
  EXPECT_EQ(spec.database->migrate->in, "backend");
  EXPECT_EQ(spec.test_in, "backend");
}

TEST_F(Inspect, PythonWithoutAProcfile) {
  project_.write("requirements.txt", "flask\n");
  project_.write("app.py", "@app.get('/healthz')\n");
  const auto spec = written();
  ASSERT_EQ(spec.services.size(), 1U);
  EXPECT_EQ(spec.services[0].run, ".venv/bin/python app.py");
  EXPECT_EQ(spec.services[0].check->path, "/healthz");
  EXPECT_NE(text_.find("# note: how"), std::string::npos);
}

TEST_F(Inspect, ProcfileWithAWorker) {
  project_.write("Procfile",
                 "# what runs\nweb: gunicorn \"app:main\" --bind $HOST:$PORT\nworker: python "
                 "work.py\nrelease: python migrate.py\n");
  const auto spec = written();
  ASSERT_EQ(spec.services.size(), 2U);
  EXPECT_EQ(spec.service("web")->run, "gunicorn \"app:main\" --bind $HOST:$PORT");
  EXPECT_EQ(spec.service("worker")->kind, pipeline::Service::Kind::worker);
  EXPECT_EQ(spec.database->migrate->run, "python migrate.py");
  EXPECT_EQ(spec.database->migrate->in, "web");
}

TEST_F(Inspect, DockerfilesRunTheirCommand) {
  project_.write("api/Dockerfile", "FROM node:20\nCMD [\"node\", \"server.js\"]\n");
  project_.write("job/Dockerfile", "FROM python:3\nCMD python job.py\n");
  const auto spec = written();
  EXPECT_EQ(spec.service("api")->run, "node server.js");
  EXPECT_EQ(spec.service("job")->run, "python job.py");
}

TEST_F(Inspect, NothingKnownStillGivesAFileForTheDatabase) {
  project_.write("README", "hello\n");
  const auto spec = written();
  EXPECT_TRUE(spec.services.empty());
  EXPECT_TRUE(spec.database.has_value());
}

TEST_F(Inspect, OddNamesAndCommandsStillParse) {
  for (const std::string run :
       {"true", "- x", "node a.js # not a comment", "a: b", "'quoted' \"twice\"", "$X ${Y} $$",
        "null", "123", "? a", "~", "yes && no", "back\\slash"}) {
    project_.write("Procfile", "web: " + run + "\n");
    auto spec = spec_of(starting_file(found(), people()), "belay.yaml");
    ASSERT_TRUE(spec.ok()) << run << "\n" << spec.error().message() << starting_file(found());
    EXPECT_EQ(spec->services.at(0).run, run);
  }
  for (const char* folder : {"My Shop_2", "9lives", "Straße", "a.b", "shop-", "true"}) {
    project_.write(std::string(folder) + "/package.json", "{}");
  }
  std::filesystem::remove(project_.folder() / "Procfile");
  static_cast<void>(written());
}

TEST_F(Inspect, DamagedFilesAreNoReasonToFail) {
  project_.write("package.json", "{ not json");
  project_.write("Procfile", "no colon here\n");
  EXPECT_TRUE(found().services.empty());
}

TEST_F(Inspect, NobodyShipsAloneWithTheFileAsItIsWritten) {
  project_.write("package.json", R"({"scripts":{"start":"node ."}})");
  ASSERT_EQ(project_.belay({"init"}).status, 0);
  project_.commit("First");
  for (const char* command : {"plan", "deploy"}) {
    const auto refused = project_.belay({command, "--yes"});
    EXPECT_EQ(refused.status, 2) << refused.out;
    EXPECT_NE(refused.err.find("None is listed under people"), std::string::npos) << refused.err;
  }
  const auto approvals = written().environment("production")->approvals;
  EXPECT_EQ(approvals.required, 2);
  EXPECT_EQ(approvals.reviewers, (std::vector<std::string>{"amina", "leo"}));
}

TEST_F(Inspect, TheUsualSevenAreWrittenAndThoseWithoutAFactAreOffAndSaySo) {
  project_.write("package.json", R"({"scripts":{"start":"node ."}})");
  auto spec = written();
  EXPECT_EQ(spec.environment("production")->checks.size(), 5U);
  EXPECT_TRUE(has("# 5 of the usual seven are on")) << text_;
  EXPECT_TRUE(has("# off: no sign-in path was found")) << text_;
  EXPECT_TRUE(has("# off: no https address was found")) << text_;
  project_.write("src/auth.js", "app.post('/api/auth/login', check)\n");
  project_.write(".env.example",
                 "STRIPE=https://api.stripe.com\nPUBLIC_URL=https://shop.example.org/x\n");
  spec = written();
  const auto& checks = spec.environment("production")->checks;
  ASSERT_EQ(checks.size(), 7U) << text_;
  EXPECT_EQ(checks[2].name, "Sign-in");
  EXPECT_EQ(checks[2].path, "/api/auth/login");
  EXPECT_TRUE(checks[2].warn_only) << "a guess stops no release";
  EXPECT_EQ(checks[6].name, "Certificate");
  EXPECT_TRUE(has("shop.example.org:443")) << text_;
  EXPECT_FALSE(has("stripe")) << text_;
}

TEST_F(Inspect, TheCommandWritesOnceAndNeverOver) {
  project_.write("package.json", R"({"scripts":{"start":"node ."}})");
  EXPECT_EQ(project_.belay({"init"}).status, 0);
  const auto first = read_file(project_.folder() / "belay.yaml");
  ASSERT_TRUE(first.ok());
  const auto again = project_.belay({"init"});
  EXPECT_EQ(again.status, 2);
  EXPECT_EQ(*read_file(project_.folder() / "belay.yaml"), *first);
}

}  // namespace
}  // namespace belay::app
