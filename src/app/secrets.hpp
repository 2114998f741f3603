// SPDX-License-Identifier: Apache-2.0
// ${NAME} resolved where it is used: from the process environment, a file or a command. Everything
// resolved is masked in all output from then on.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>

#include "app/places.hpp"
#include "base/secret.hpp"
#include "pipeline/spec.hpp"

namespace belay::app {

// Hears of each text that is to be hidden from now on, before it is used.
using OnSecret = std::function<void(const Secret&)>;

class Secrets {
 public:
  // `folder`: relative file names of `secrets: file:` are from here.
  Secrets(pipeline::Spec::Secrets source, Path folder, Getenv env, OnSecret hears = {});

  // missing, naming the name and how to give it; denied when the file may be read by others.
  Result<Secret> resolve(const std::string& name);
  // The text with its references replaced; `known` holds names that are not secrets.
  Result<Secret> expand(const pipeline::Template& text,
                        const std::map<std::string, std::string>& known = {});

  // The same for what is no secret, names and addresses: it is not hidden.
  Result<std::string> fill_in(const pipeline::Template& text);

  // Hides what was resolved so far. Safe from many threads.
  std::string mask(std::string_view text) const;
  Masker masker() const;  // with what was resolved so far

 private:
  Result<std::string> look_up(const std::string& name);
  Status read_source_file();
  void hide(const Secret& secret);

  pipeline::Spec::Secrets source_;
  Path folder_;
  Getenv env_;
  OnSecret hears_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> from_file_;
  bool file_read_ = false;
  std::map<std::string, Secret> resolved_;
  Masker masker_;
};

// NAME=value lines; '#' comments; quotes around a value are taken off.
Result<std::map<std::string, std::string>> parse_env_file(std::string_view text);

}  // namespace belay::app
