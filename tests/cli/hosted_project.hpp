// SPDX-License-Identifier: Apache-2.0
// A project with its backend on Railway and its frontend at Vercel, and stand-ins for both.
#pragma once

#include <fmt/format.h>

#include "tests/fake/stand_in.hpp"
#include "tests/support/scratch_project.hpp"

namespace belay::cli::testing {

struct HostedProject {
  belay::testing::ScratchProject project;
  belay::testing::StandIn railway{"railway_server.py"}, vercel{"vercel_server.py"};
  const Environment tokens{{"VERCEL_TOKEN", "vercel-token"}, {"RAILWAY_TOKEN", "railway-token"}};

  // The platforms' addresses: of the stand-ins, or of what stands before them.
  void write(const std::string& railway_url, const std::string& vercel_url) const {
    project.write("belay.yaml", fmt::format(R"yaml(project: shop
state: ../state
services:
  backend: {{ path: ., run: "true" }}
  frontend: {{ path: frontend, build: npm run build, run: npm start, needs: [backend] }}
environments:
  production:
    tag: prod
    services:
      backend: {{ target: railway, project: project-1, token: "${{RAILWAY_TOKEN}}", endpoint: {0} }}
      frontend:
        target: vercel
        project: prj_frontend
        team: team_shop
        domains: [shop.example.org]
        token: ${{VERCEL_TOKEN}}
        endpoint: {1}
)yaml",
                                            railway_url, vercel_url));
  }
  // Its commit.
  std::string release(const std::string& text) const {
    project.write("frontend/index.html", text);
    return project.commit("Release " + text);
  }
  Finished belay(std::vector<std::string> words, const Environment& more = {}) const {
    auto env = tokens;
    for (const auto& [name, value] : more) env[name] = value;
    return project.belay(std::move(words), env);
  }
  // The release that customers get at Vercel.
  std::string live() const {
    const auto now = vercel.state();
    for (const auto& each : now["deployments"]) {
      if (each["id"] == now["alias"]["to"]) return each["meta"]["belayRelease"];
    }
    return "none";
  }
};

}  // namespace belay::cli::testing
