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

bool is_source(const Path& path) {
  static const std::set<std::string> endings{".js", ".mjs", ".ts", ".tsx", ".jsx", ".py", ".rb"};
  return endings.contains(path.extension().string());
}

// The first of these texts that a source in the folder has; in their order, not the files'.
std::string first_named(const Path& folder, const std::vector<std::string>& texts) {
  std::size_t first = texts.size();
  std::error_code code;
  for (fs::recursive_directory_iterator
           at(folder, fs::directory_options::skip_permission_denied, code),
       end;
       at != end && !code; at.increment(code)) {
    const auto name = at->path().filename().string();
    if (name == "node_modules" || name == ".git" || name == ".venv") at.disable_recursion_pending();
    if (!is_source(at->path())) continue;
    auto text = read_file(at->path(), 1 << 20);
    for (std::size_t i = 0; text && i < first; ++i) {
      if (text->find(texts[i]) != std::string::npos) first = i;
    }
  }
  return first < texts.size() ? texts[first] : "";
}

std::string guess_readiness(const Path& folder) {
  const auto found = first_named(folder, {"/api/health", "/healthz", "/health"});
  return found.empty() ? "/" : found;
}

// Where a password is sent to, as a whole text in the sources.
std::string guess_sign_in(const Path& folder) {
  std::vector<std::string> texts;
  for (const char* path : {"/api/auth/login", "/api/auth/signin", "/api/sign-in", "/api/signin",
                           "/api/login", "/api/session", "/auth/login"}) {
    for (const char quote : {'\'', '"', '`'}) texts.push_back(quote + std::string(path) + quote);
  }
  const auto found = first_named(folder, texts);
  return found.empty() ? "" : found.substr(1, found.size() - 2);
}

// The host of the project's own https address, where an example of its settings has one.
std::string guess_host(const Path& folder) {
  static const std::set<std::string> names{"PUBLIC_URL", "SITE_URL",     "APP_URL",
                                           "BASE_URL",   "FRONTEND_URL", "NEXT_PUBLIC_SITE_URL"};
  for (const char* file : {".env.example", ".env.sample"}) {
    auto text = read_file(folder / file, 1 << 20);
    for (const auto& line : split(text ? *text : "", '\n')) {
      const auto at = line.find("=https://");
      if (at == std::string::npos || !names.contains(std::string(trim(line.substr(0, at)))))
        continue;
      const auto host = line.substr(at + 9, line.find_first_of("/:\"' \r", at + 9) - at - 9);
      const bool plain =
          host.find('.') != std::string::npos &&
          host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string::npos;
      if (plain) return host;
    }
  }
  return {};
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
  if (found.public_host.empty()) found.public_host = guess_host(folder);
  for (auto& service : here) {
    service.path = path;
    service.readiness = guess_readiness(folder);
    service.env_names = env_names(folder);
    if (!service.worker) service.sign_in = guess_sign_in(folder);
    found.services.push_back(std::move(service));
  }
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

}  // namespace belay::app
