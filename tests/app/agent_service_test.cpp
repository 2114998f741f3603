// SPDX-License-Identifier: Apache-2.0
#include "app/agent_service.hpp"

#include <signal.h>

#include "base/runit.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::app {
namespace {

using testing::ScratchProject;

TEST(AgentService, TheUnitNamesProgramFileAndPathAndEndsOnlyTheAgent) {
  const AgentPlace place{"/opt/belay/belay", "/srv/100% shop/belay.yaml", "shop", "/s", true};
  const auto text = unit_text(place, "/usr/bin:/opt/node/bin");
  EXPECT_NE(text.find("ExecStart=\"/opt/belay/belay\" --file \"/srv/100%% shop/belay.yaml\" agent"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("Environment=\"PATH=/usr/bin:/opt/node/bin\""), std::string::npos);
  EXPECT_NE(text.find("KillMode=process"), std::string::npos);
  EXPECT_NE(text.find("WantedBy=multi-user.target"), std::string::npos);
}

TEST(AgentService, AUserGetsAUnitOfTheirOwn) {
  const AgentPlace place{"/b", "/f", "shop", "/s", false};
  EXPECT_EQ(unit_file(place, {{"HOME", "/home/x"}}),
            "/home/x/.config/systemd/user/belay-shop.service");
  EXPECT_NE(unit_text(place, "").find("WantedBy=default.target"), std::string::npos);
  EXPECT_EQ(unit_file({"/b", "/f", "shop", "/s", true}, {}),
            "/etc/systemd/system/belay-shop.service");
}

// The real agent under the real runit, killed and back again.
TEST(AgentService, InstalledAsARunitServiceItIsAtWorkAndComesBackWhenKilled) {
  ScratchProject project;
  project.write("belay.yaml", project.file());
  project.commit("First");
  SystemClock clock;
  // Not as root: nothing outside of the scratch folder is touched.
  const AgentPlace place{BELAY_PROGRAM, project.folder() / "belay.yaml", "shop", project.state(),
                         false};
  const Getenv env{{"HOME", project.above().string()}};
  const Places places{project.state()};
  EXPECT_FALSE(agent_installed(place, env, clock));
  EXPECT_FALSE(agent_at_work(places));
  auto done = install_agent(place, Boot::nobody, env, clock);
  ASSERT_TRUE(done.ok()) << done.error().message();
  EXPECT_NE(done->find("@reboot"), std::string::npos) << *done;
  Supervised service("the agent", project.state() / "agent/service", project.state() / "agent/log",
                     clock);
  EXPECT_TRUE(agent_installed(place, env, clock));
  EXPECT_TRUE(eventually([&] { return agent_at_work(places); }));
  const pid_t first = service.look()->pid;
  ASSERT_GT(first, 1);
  ::kill(first, SIGKILL);
  EXPECT_TRUE(eventually([&] {
    return service.look()->pid > 1 && service.look()->pid != first && agent_at_work(places);
  }));
  EXPECT_TRUE(install_agent(place, Boot::nobody, env, clock).ok()) << "a second time";
  EXPECT_TRUE(service.stop(std::chrono::seconds(10)).ok());
  EXPECT_FALSE(agent_at_work(places));
}

}  // namespace
}  // namespace belay::app
