// SPDX-License-Identifier: Apache-2.0
#include "app/places.hpp"

#include <unistd.h>

#include "app/project.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::app {
namespace {

using testing::ScratchProject;

TEST(Places, TheFileIsFoundByWalkingUp) {
  ScratchProject project;
  project.write("belay.yaml", project.file());
  project.write("a/b/c.txt", "");
  auto found = find_project_file(std::nullopt, project.folder() / "a/b");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*found, project.folder() / "belay.yaml");
}

TEST(Places, TheNearestFileWins) {
  ScratchProject project;
  project.write("belay.yaml", project.file());
  project.write("a/belay.yaml", project.file());
  auto found = find_project_file(std::nullopt, project.folder() / "a");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*found, project.folder() / "a/belay.yaml");
}

TEST(Places, ANamedFileIsTakenAndNoOtherIsLookedFor) {
  ScratchProject project;
  project.write("belay.yaml", project.file());
  project.write("other.yaml", project.file());
  auto found = find_project_file(project.folder() / "other.yaml", "/");
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(*found, project.folder() / "other.yaml");
  auto missing = find_project_file(project.folder() / "none.yaml", project.folder());
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().fault, Fault::missing);
  EXPECT_NE(missing.error().message().find("none.yaml"), std::string::npos);
}

TEST(Places, TheProgramTakesBelayFileAndTheOptionBeforeIt) {
  ScratchProject project;
  auto text = project.file();
  text.replace(text.find("shop"), 4, "first");
  project.write("one.yaml", text);
  text.replace(text.find("first"), 5, "second");
  project.write("two.yaml", text);
  const Environment env{{"BELAY_FILE", (project.folder() / "one.yaml").string()}};
  EXPECT_NE(project.belay({"plan"}, env).err.find("commit"), std::string::npos);  // none yet
  project.commit("First");
  EXPECT_NE(project.belay({"plan"}, env).out.find("of first"), std::string::npos);
  const auto option = (project.folder() / "two.yaml").string();
  EXPECT_NE(project.belay({"plan", "--file", option}, env).out.find("of second"),
            std::string::npos);
}

TEST(Places, WithoutAFileTheWayToOneIsNamed) {
  ScratchProject project;
  auto found = find_project_file(std::nullopt, project.folder());
  ASSERT_FALSE(found.ok());
  EXPECT_NE(found.error().message().find("belay init"), std::string::npos);
}

TEST(Places, StateIsNeverInTheClone) {
  if (::geteuid() == 0) {
    EXPECT_EQ(places_of("shop", "", "/home/x/shop", {})->state, "/var/lib/belay/shop");
  } else {
    EXPECT_EQ(places_of("shop", "", "/home/x/shop", {{"XDG_STATE_HOME", "/s"}})->state,
              "/s/belay/shop");
    EXPECT_EQ(places_of("shop", "", "/home/x/shop", {{"HOME", "/home/x"}})->state,
              "/home/x/.local/state/belay/shop");
    auto nowhere = places_of("shop", "", "/home/x/shop", {});
    ASSERT_FALSE(nowhere.ok());
    EXPECT_NE(nowhere.error().message().find("state: FOLDER"), std::string::npos);
  }
}

TEST(Places, AWrittenStateFolderIsFromTheProjectsFolder) {
  EXPECT_EQ(places_of("shop", "../there", "/home/x/shop", {})->state, "/home/x/there");
  EXPECT_EQ(places_of("shop", "/srv/shop", "/home/x/shop", {})->state, "/srv/shop");
}

}  // namespace
}  // namespace belay::app
