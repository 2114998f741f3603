// SPDX-License-Identifier: Apache-2.0
// Tells people. A failed announcement never fails a run; it is told and recorded.
#pragma once

#include <memory>
#include <string>

#include "base/children.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace belay::notify {

struct Announcement {
  std::string title;  // "shop production: rolled back to prod-20261120-141233"
  std::string text;   // a few lines
  std::string kind;   // "shipped", "rolled_back", "failed", "put_back", "waiting", "stopped"
  Json facts = Json::object();  // project, environment, run, release ...
};

class Notifier {
 public:
  virtual ~Notifier() = default;
  // Once under a key, also when an earlier process was killed while it announced: a second call
  // waits for what the first one began, and tells how that ended.
  virtual Status announce(const Announcement& announcement, const std::string& key) = 0;
};

// The user's own program: the announcement as JSON on its standard input, BELAY_EVENT and
// BELAY_TITLE in its environment. `folder` holds its input while it runs.
std::unique_ptr<Notifier> make_command(std::string shell_command, Millis limit, Children& children,
                                       Path folder);

}  // namespace belay::notify
