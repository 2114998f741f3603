// SPDX-License-Identifier: Apache-2.0
// Looks at a project and writes the belay.yaml that fits it. Reads only.
#pragma once

#include <string>
#include <vector>

#include "base/file.hpp"

namespace belay::app {

struct FoundService {
  std::string name, path;  // "backend", "backend"
  std::string build, run, test;
  std::string readiness = "/";  // path of its check
  std::string sign_in;          // a path that its sources name: "/api/login"
  std::string from;             // "package.json", "Procfile", "Dockerfile"
  bool worker = false;
  std::string migrate;                 // package.json's db:migrate, the Procfile's release
  std::vector<std::string> env_names;  // from .env, .env.example: names only
};

struct Found {
  std::string project;
  std::vector<FoundService> services;
  std::string user;                // whom services should run as; empty: as Belay does
  std::string public_host;         // of an https address in .env.example: "shop.example.org"
  std::vector<std::string> notes;  // what was not understood, for the person
};

Result<Found> inspect(const Path& folder);

// Whom services should run as when nobody has said so: somebody else than root, where Belay is
// root.
std::string user_for_services();

// A commented belay.yaml. Its approvals are in force, so it parses without complaints as soon as
// `people` are in it, and ships nothing before: "{ amina: { keys: [...] }, leo: { ... } }".
std::string starting_file(const Found& found, const std::string& people = {});

}  // namespace belay::app
