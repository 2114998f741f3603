// SPDX-License-Identifier: Apache-2.0
// Secrets in a run: all that is needed is asked for before anything is touched, and what a service
// blurts out is in nothing that Belay says or keeps.
#include <algorithm>

#include "app/masked_journal.hpp"
#include "base/hash.hpp"
#include "base/text.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::app {
namespace {

using testing::ScratchProject;

const std::string token = "sentinel-of-the-token-4711";

std::string file_with(const std::string& run, const std::string& more = {}) {
  return fmt::format(R"(project: shop
state: ../state
secrets: {{ file: ../secrets }}
services:
  web:
    kind: worker
    run: {}
    env: {{ TOKEN: "${{TOKEN}}" }}
environments:
  production:
    tag: prod
    services:
      web: {{ target: host, {} }}
    watch: 0s
    first: true
{})",
                     run, ScratchProject::user_line(), more);
}

bool holds(const std::string& text) {
  return text.find(token) != std::string::npos || text.find(sha256_hex(token)) != std::string::npos;
}

// Files of the state that hold the token or its plain hash, but those where it belongs: what the
// service is started with, and what it wrote itself.
std::vector<std::string> files_with_token(const Path& state) {
  std::vector<std::string> found;
  std::error_code code;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(state, code)) {
    const auto name = entry.path().string();
    if (!entry.is_regular_file(code) || name.find("/env/") != std::string::npos) continue;
    if (name.find("/logs/web@") != std::string::npos) continue;
    const auto text = read_file(entry.path());
    if (text && holds(*text)) found.push_back(name);
  }
  return found;
}

TEST(SecretsInRuns, WhatAServiceBlurtsOutIsInNothingThatBelaySaysOrKeeps) {
  const ScratchProject project;
  project.write("belay.yaml", file_with("'echo \"no luck with $TOKEN\"; exit 3'"));
  project.write("../secrets", "TOKEN=" + token + "\n", 0600);
  project.commit("First");
  const auto done = project.belay({"deploy"});
  EXPECT_EQ(done.status, 1) << done.out << done.err;
  EXPECT_NE(done.out.find("no luck with ***"), std::string::npos) << done.out << done.err;
  EXPECT_FALSE(holds(done.out + done.err));
  for (const auto* word : {"show", "logs"}) {
    const auto said = project.belay({word, "1"});
    EXPECT_FALSE(holds(said.out + said.err)) << word;
  }
  EXPECT_EQ(files_with_token(project.state()), std::vector<std::string>{});
  EXPECT_EQ(project.belay({"audit", "verify"}).status, 0);
}

TEST(SecretsInRuns, ANameThatOnlyACheckNeedsIsAskedForBeforeAnythingIsTouched) {
  const ScratchProject project;
  project.write("belay.yaml", file_with("exec sleep 1000",
                                        R"(    checks:
      - { name: Sign in, url: "http://127.0.0.1:1/", method: POST, send: { body: "${CHECK_PASSWORD}" } }
)"));
  project.write("../secrets", "TOKEN=" + token + "\n", 0600);
  project.commit("First");
  const auto done = project.belay({"deploy"});
  EXPECT_NE(done.status, 0);
  EXPECT_NE(done.err.find("CHECK_PASSWORD"), std::string::npos) << done.out << done.err;
  EXPECT_FALSE(std::filesystem::exists(project.state() / "environments/production/releases"));
}

TEST(MaskedJournal, HidesInWordsForPeopleAndLeavesNamesAlone) {
  auto folder = ScratchFolder::make("belay-masked").value();
  SystemClock clock;
  auto plain = journal::open_sqlite(folder.path() / "journal", clock);
  ASSERT_TRUE(plain);
  auto masked = make_masked(std::move(*plain), [](std::string_view text) {
    std::string shown(text);
    for (std::size_t at = 0; (at = shown.find("shop", at)) != std::string::npos;)
      shown.replace(at, 4, "***");
    return shown;
  });
  const auto run = masked->create_run(
      {"run.created", "",
       R"({"environment":"shop","pipeline":"deploy","summary":{"release":"shop-1"}})"});
  ASSERT_TRUE(run) << run.error().message();
  ASSERT_TRUE(masked->append(
      *run, 1,
      {{"step.outcome", "",
        R"({"error":"the shop is closed","result":{"point":"shop-1","summary":["a shop"]}})"}}));
  const auto events = masked->load(*run, 0);
  ASSERT_TRUE(events && events->size() == 2);
  EXPECT_NE((*events)[0].body.find("shop-1"), std::string::npos);
  EXPECT_EQ((*events)[1].body,
            R"({"error":"the *** is closed","result":{"point":"shop-1","summary":["a ***"]}})");
}

}  // namespace
}  // namespace belay::app
