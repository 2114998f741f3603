// SPDX-License-Identifier: Apache-2.0
#include "app/secrets.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include "base/process.hpp"
#include "base/text.hpp"

namespace belay::app {

namespace {

std::string unquoted(std::string_view value) {
  if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
      value.back() == value.front()) {
    value = value.substr(1, value.size() - 2);
  }
  return std::string(value);
}

}  // namespace

Result<std::map<std::string, std::string>> parse_env_file(std::string_view text) {
  std::map<std::string, std::string> values;
  int number = 0;
  for (const auto& line : split(text, '\n')) {
    ++number;
    auto rest = trim(line);
    if (rest.empty() || rest.front() == '#') continue;
    if (rest.starts_with("export ")) rest = trim(rest.substr(7));
    const auto at = rest.find('=');
    // The line itself may be a secret: only its number is told.
    if (at == std::string_view::npos || at == 0) {
      return fail(Fault::invalid, fmt::format("line {} is not NAME=value", number));
    }
    values[std::string(trim(rest.substr(0, at)))] = unquoted(trim(rest.substr(at + 1)));
  }
  return values;
}

Secrets::Secrets(pipeline::Spec::Secrets source, Path folder, Getenv env, OnSecret hears)
    : source_(std::move(source)),
      folder_(std::move(folder)),
      env_(std::move(env)),
      hears_(std::move(hears)) {}

void Secrets::hide(const Secret& secret) {
  masker_.add(secret);
  if (hears_) hears_(secret);
}

Status Secrets::read_source_file() {
  if (file_read_ || source_.file.empty()) return {};
  const Path path = folder_ / source_.file;
  struct stat facts {};
  if (::stat(path.c_str(), &facts) == 0 && (facts.st_mode & 077) != 0) {
    return fail(Fault::denied,
                fmt::format("the secrets file {} may be read by others; run: chmod 600 {}",
                            path.string(), path.string()));
  }
  TRY_LET(auto text, read_file(path).in("secrets"));
  TRY_LET(from_file_, parse_env_file(text).in(path.string()));
  file_read_ = true;
  return {};
}

Result<std::string> Secrets::look_up(const std::string& name) {
  if (const auto at = env_.find(name); at != env_.end()) return at->second;
  TRY(read_source_file());
  if (const auto at = from_file_.find(name); at != from_file_.end()) return at->second;
  if (!source_.command.empty()) {
    Command command;
    command.argv = {"/bin/sh", "-c", source_.command + " \"$1\"", "belay", name};
    command.limit = std::chrono::seconds(60);
    TRY_LET(auto finished, run(command).in("secrets.command for " + name));
    if (finished.ok()) return std::string(trim(finished.out));
  }
  return fail(Fault::missing, fmt::format("{} is not set; give it in the environment{}", name,
                                          source_.file.empty()
                                              ? ", or write `secrets: { file: FILE }` in belay.yaml"
                                              : ", or in " + source_.file));
}

Result<Secret> Secrets::resolve(const std::string& name) {
  std::lock_guard guard(mutex_);
  if (const auto at = resolved_.find(name); at != resolved_.end()) return at->second;
  TRY_LET(auto text, look_up(name));
  Secret secret(std::move(text));
  hide(secret);
  resolved_.emplace(name, secret);
  return secret;
}

Result<Secret> Secrets::expand(const pipeline::Template& text,
                               const std::map<std::string, std::string>& known) {
  std::optional<Error> missing;
  auto filled = text.filled([&](const std::string& name) -> std::optional<std::string> {
    if (const auto value = known.find(name); value != known.end()) return value->second;
    auto secret = resolve(name);
    if (secret) return secret->reveal();
    if (!missing) missing = secret.error();
    return std::nullopt;
  });
  if (missing) return std::move(*missing);
  if (!filled) return std::move(filled).error();
  Secret whole(std::move(filled).value());
  // A URI built around a secret is as secret as its part; a plain setting is not.
  const auto names = text.names();
  const bool secret = std::any_of(names.begin(), names.end(),
                                  [&](const auto& name) { return !known.contains(name); });
  std::lock_guard guard(mutex_);
  if (secret) hide(whole);
  return whole;
}

Result<std::string> Secrets::fill_in(const pipeline::Template& text) {
  std::optional<Error> missing;
  std::lock_guard guard(mutex_);
  auto filled = text.filled([&](const std::string& name) -> std::optional<std::string> {
    auto value = look_up(name);
    if (value) return std::move(value).value();
    if (!missing) missing = value.error();
    return std::nullopt;
  });
  if (missing) return std::move(*missing);
  return filled;
}

std::string Secrets::mask(std::string_view text) const {
  std::lock_guard guard(mutex_);
  return masker_.mask(text);
}

Masker Secrets::masker() const {
  std::lock_guard guard(mutex_);
  return masker_;
}

}  // namespace belay::app
