// SPDX-License-Identifier: Apache-2.0
#include "app/inspect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/json.hpp"
#include "base/text.hpp"

namespace belay::app {

namespace fs = std::filesystem;

namespace {

// A name as belay.yaml wants it: letters and digits with single dashes, a letter first.
std::string lower_name(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0)
      name += static_cast<char>(std::tolower(byte));
    else if (!name.empty() && name.back() != '-')
      name += '-';
  }
  while (name.ends_with("-")) name.pop_back();
  if (name.empty()) return "app";
  return std::isdigit(static_cast<unsigned char>(name.front())) != 0 ? "app-" + name : name;
}

std::vector<std::string> env_names(const Path& folder) {
  std::set<std::string> names;
  for (const char* file : {".env.example", ".env.sample", ".env"}) {
    auto text = read_file(folder / file, 1 << 20);
    for (const auto& line : split(text ? *text : "", '\n')) {
      const auto at = line.find('=');
      const std::string name(trim(std::string_view(line).substr(0, at)));
      const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
        return std::isupper(static_cast<unsigned char>(c)) != 0 ||
               std::isdigit(static_cast<unsigned char>(c)) != 0 || c == '_';
      });
      if (at != std::string::npos && plain) names.insert(name);
    }
  }
  for (const char* ours : {"PORT", "HOST", "MONGODB_URI"}) names.erase(ours);
  return {names.begin(), names.end()};
}

std::optional<FoundService> from_package(const Path& folder) {
  auto text = read_file(folder / "package.json", 4 << 20);
  if (!text) return std::nullopt;
  auto json = parse_json(*text);
  if (!json || !json->is_object()) return std::nullopt;
  const Json scripts = json->value("scripts", Json::object());
  const auto script = [&](const char* name) {
    return scripts.is_object() && scripts.contains(name);
  };
  std::error_code code;
  const bool locked = fs::exists(folder / "package-lock.json", code);
  FoundService service;
  service.from = "package.json";
  service.build = locked ? "npm ci" : "npm install";
  if (script("build"))
    service.build += " && npm run build";
  else if (locked)
    service.build += " --omit=dev";
  // npm does not hand SIGTERM on: the script's own text is started instead.
  if (script("start") && scripts["start"].is_string())
    service.run = scripts["start"].get<std::string>();
  else
    service.run = "node " + json->value("main", std::string("index.js"));
  if (script("test"))
    service.test = service.build.substr(0, service.build.find(" --omit")) + " && npm test";
  if (script("db:migrate")) service.migrate = "npm run db:migrate";
  return service;
}

constexpr const char* python_build =
    "python3 -m venv --system-site-packages .venv && .venv/bin/pip install -r requirements.txt";

// Python says nowhere how it is started: the usual names are tried, and the person is told.
std::optional<FoundService> from_python(const Path& folder) {
  std::error_code code;
  const bool listed = fs::exists(folder / "requirements.txt", code);
  if (!listed && !fs::exists(folder / "pyproject.toml", code)) return std::nullopt;
  FoundService service;
  service.from = listed ? "requirements.txt" : "pyproject.toml";
  service.build = listed
                      ? python_build
                      : "python3 -m venv --system-site-packages .venv && .venv/bin/pip install .";
  if (fs::exists(folder / "manage.py", code)) {
    service.run = ".venv/bin/python manage.py runserver --noreload $HOST:$PORT";
    return service;
  }
  for (const char* name : {"app.py", "main.py", "server.py", "wsgi.py"}) {
    if (!fs::exists(folder / name, code)) continue;
    service.run = std::string(".venv/bin/python ") + name;
    return service;
  }
  return std::nullopt;
}

std::vector<FoundService> from_procfile(const Path& folder) {
  std::vector<FoundService> services;
  std::string migrate;
  auto text = read_file(folder / "Procfile", 1 << 20);
  std::error_code code;
  for (const auto& line : split(text ? *text : "", '\n')) {
    const auto at = line.find(':');
    if (at == std::string::npos || trim(line).starts_with("#")) continue;
    FoundService service;
    service.name = lower_name(std::string(trim(line.substr(0, at))));
    service.run = std::string(trim(line.substr(at + 1)));
    service.from = "Procfile";
    service.worker = service.name != "web";
    if (service.name == "release") {  // what runs once a release
      migrate = service.run;
      continue;
    }
    if (fs::exists(folder / "requirements.txt", code)) {
      service.build = python_build;
    }
    services.push_back(std::move(service));
  }
  if (!services.empty()) services.front().migrate = migrate;
  return services;
}

// The last CMD of a Dockerfile, in either form.
std::string command_of_dockerfile(const Path& folder) {
  auto text = read_file(folder / "Dockerfile", 1 << 20);
  std::string command;
  for (const auto& line : split(text ? *text : "", '\n')) {
    const auto rest = trim(line);
    if (!rest.starts_with("CMD ")) continue;
    const std::string value(trim(rest.substr(4)));
    auto list = parse_json(value);
    if (!list || !list->is_array()) {
      command = value;
      continue;
    }
    std::vector<std::string> words;
    for (const auto& word : *list)
      words.push_back(word.is_string() ? word.get<std::string>() : word.dump());
    command = join(words, " ");
  }
  return command;
}

std::string guess_readiness(const Path& folder) {
  for (const char* path : {"/api/health", "/healthz", "/health"}) {
    std::error_code code;
    for (fs::recursive_directory_iterator
             at(folder, fs::directory_options::skip_permission_denied, code),
         end;
         at != end && !code; at.increment(code)) {
      const auto name = at->path().filename().string();
      if (name == "node_modules" || name == ".git" || name == ".venv") {
        at.disable_recursion_pending();
        continue;
      }
      const auto ending = at->path().extension();
      if (ending != ".js" && ending != ".mjs" && ending != ".ts" && ending != ".py" &&
          ending != ".rb")
        continue;
      auto text = read_file(at->path(), 1 << 20);
      if (text && text->find(path) != std::string::npos) return path;
    }
  }
  return "/";
}

void take_in(Found& found, const Path& folder, const std::string& name, const std::string& path) {
  std::vector<FoundService> here = from_procfile(folder);
  for (auto& service : here) {
    if (here.size() == 1 && service.name == "web") service.name = name;
  }
  if (here.empty()) {
    if (auto service = from_package(folder)) {
      service->name = name;
      here.push_back(std::move(*service));
    } else if (auto python = from_python(folder)) {
      python->name = name;
      found.notes.push_back("how " + name +
                            " is started was guessed from the names of its files: " + python->run);
      here.push_back(std::move(*python));
    } else if (auto command = command_of_dockerfile(folder); !command.empty()) {
      FoundService one;
      one.name = name;
      one.run = command;
      one.from = "Dockerfile";
      here.push_back(one);
      found.notes.push_back(path +
                            "/Dockerfile is not built: its CMD is run on the host; check `build:`");
    }
  }
  for (auto& service : here) {
    service.path = path;
    service.readiness = guess_readiness(folder);
    service.env_names = env_names(folder);
    found.services.push_back(std::move(service));
  }
}

// As a YAML text that means itself, whatever stands in it.
std::string quoted(const std::string& text) {
  static const std::set<std::string> words{"true", "false", "null", "yes", "no", "on", "off"};
  std::string lower = text;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto first = static_cast<unsigned char>(text.empty() ? ' ' : text.front());
  const bool plain = (std::isalpha(first) != 0 || first == '/') && !words.contains(lower) &&
                     text.find_first_of(":#{}[]&*!|>'\"%@`,\\\t") == std::string::npos;
  return plain ? text : Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string service_lines(const FoundService& service) {
  std::string out = fmt::format("  {}:                              # from {}\n    path: {}\n",
                                service.name, service.from, service.path);
  if (!service.build.empty()) out += fmt::format("    build: {}\n", quoted(service.build));
  out += fmt::format("    run: {}{}\n", quoted(service.run),
                     service.worker ? "" : "   # started with HOST and PORT set");
  if (service.worker)
    out += "    kind: worker\n";
  else
    out += fmt::format("    check: {{ path: {} }}              # readiness of a new version\n",
                       service.readiness);
  if (!service.env_names.empty()) {
    out +=
        "    env:                             # names found in .env files; values stay outside of "
        "this file\n";
    for (const auto& name : service.env_names)
      out += fmt::format("      {}: ${{{}}}\n", name, name);
  }
  return out;
}

std::string checks(const Found& found) {
  const auto web = std::find_if(found.services.begin(), found.services.end(),
                                [](const auto& s) { return !s.worker; });
  if (web == found.services.end()) return "      - { name: Database, database: ping }\n";
  const auto front = std::find_if(found.services.rbegin(), found.services.rend(),
                                  [](const auto& s) { return !s.worker; });
  std::string out =
      fmt::format("      - {{ name: API health, service: {}, path: {}, rise: 2, fall: 3 }}\n",
                  web->name, web->readiness);
  out += "      - { name: Database, database: ping }\n";
  out += fmt::format(
      "      # - {{ name: Sign-in, service: {}, path: /api/sign-in, method: POST, status: 401 }}   "
      "# nobody's password: refused\n",
      web->name);
  out += fmt::format(
      "      - {{ name: Critical endpoints, service: {}, path: {} }}   # put the page here that "
      "must never break\n",
      web->name, web->readiness);
  out += fmt::format(
      "      - {{ name: Response time, service: {}, path: {}, latency: p95 < 2s over 20 }}\n",
      web->name, web->readiness);
  out += fmt::format("      - {{ name: Frontend, service: {}, path: {} }}\n", front->name,
                     front->readiness);
  out += "      # - { name: Certificate, tls: shop.example.org:443, days: 14, severity: warn }\n";
  return out;
}

}  // namespace

Result<Found> inspect(const Path& folder) {
  Found found;
  found.project = lower_name(fs::absolute(folder).filename().string());
  std::error_code code;
  std::vector<Path> parts;
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    const auto name = entry.path().filename().string();
    if (entry.is_directory(code) && !name.starts_with(".") && name != "node_modules")
      parts.push_back(entry.path());
  }
  if (code) return errno_error(code.value(), "cannot read " + folder.string());
  std::sort(parts.begin(), parts.end());
  take_in(found, folder, found.project, ".");
  if (found.services.empty()) {
    for (const auto& part : parts)
      take_in(found, part, lower_name(part.filename().string()), part.filename().string());
  }
  if (found.services.empty()) {
    found.notes.push_back(
        "no package.json, Procfile, Python application or Dockerfile was found here or one folder "
        "below: "
        "only the database's part is written");
  }
  return found;
}

std::string starting_file(const Found& found) {
  std::string out =
      "# Written by belay init from what it found; every key is explained in the project's "
      "examples/belay.yaml.\n"
      "project: " +
      found.project + "\n";
  for (const auto& note : found.notes) out += "# note: " + note + "\n";
  if (!found.services.empty()) out += "services:\n";
  for (const auto& service : found.services) out += service_lines(service);
  for (const auto& service : found.services) {
    if (service.test.empty()) continue;
    out += fmt::format(
        "test: {{ run: {}, in: {} }}   # in a fresh copy of the release, before the approvals\n",
        quoted(service.test), service.path);
    break;
  }
  out +=
      "database:\n  uri: ${MONGODB_URI}                  # given in the environment, never written "
      "here\n";
  for (const auto& service : found.services) {
    if (service.migrate.empty()) continue;
    out += fmt::format("  migrate: {{ run: {}, in: {} }}   # once a release, before it starts\n",
                       quoted(service.migrate), service.name);
    break;
  }
  out +=
      "# vault: { store: file:/srv/backup/vault, key: ${BELAY_VAULT_KEY} }   # better on another "
      "disk than the database\n";
  if (found.services.empty()) return out;
  out +=
      "# people: { amina: { keys: [ssh-ed25519 AAAA...] }, leo: { keys: [ssh-ed25519 AAAA...] } }\n"
      "environments:\n  production:\n    tag: prod\n"
      "    # approvals: { required: 2, reviewers: [amina, leo] }\n    services:\n";
  int port = 8080;
  for (const auto& service : found.services) {
    if (service.worker)
      out += fmt::format("      {}: {{ target: host }}\n", service.name);
    else
      out +=
          fmt::format("      {}: {{ target: host, listen: 127.0.0.1:{} }}\n", service.name, port++);
  }
  out += "    strategy: blue_green\n    checks:\n" + checks(found);
  out += "    watch: 60s\n    rollback: { auto: [checks], database: ask, keep_warm: 30m }\n";
  return out;
}

}  // namespace belay::app
