// SPDX-License-Identifier: Apache-2.0
// The real world of this process, and the opened state of a project.
#pragma once

#include <mutex>
#include <set>

#include "app/project.hpp"
#include "app/secrets.hpp"
#include "app/shared_journal.hpp"
#include "base/masked_children.hpp"
#include "base/records.hpp"
#include "base/world.hpp"
#include "engine/runner.hpp"
#include "journal/journal.hpp"

namespace belay::app {

class Machine {
 public:
  explicit Machine(const Path& children_folder)
      : children_(make_children(children_folder)), world_{clock_, random_, executor_, children_} {}
  World& world() { return world_; }
  // What is resolved there is masked in the words of children and in the journal's words for
  // people, as long as it is held.
  void hide(std::weak_ptr<const Secrets> secrets);
  std::string mask(std::string_view text) const;
  // On standard error, each text once. From any thread.
  void warn_once(const std::string& text);

 private:
  SystemClock clock_;
  SystemRandom random_;
  ThreadExecutor executor_;
  MaskedChildren children_;
  World world_;
  mutable std::mutex mutex_;
  std::vector<std::weak_ptr<const Secrets>> hidden_;
  std::set<std::string> warned_;
};

// Claims kept as locked files: the kernel frees one when its process dies.
std::unique_ptr<engine::Claims> make_claims(const Path& folder);

// State folder made, journal opened. Who only looks at a project without a state finds an empty
// journal, and makes nothing.
enum class Opening { to_act, to_look };
struct Desk {
  std::optional<ScratchFolder> empty;  // in the journal's place
  Project project;
  std::unique_ptr<Machine> machine;
  std::unique_ptr<SharedPlace> shared;  // none: the journal is this machine's own
  std::unique_ptr<journal::Journal> journal;
  std::unique_ptr<engine::Claims> claims;
  World& world() const { return machine->world(); }
};
Result<std::unique_ptr<Desk>> open_desk(Project project, Opening opening = Opening::to_act);

// What must be known later of an environment's releases: in its folder, or with the shared journal.
std::shared_ptr<Records> records_of(const Desk& desk, const std::string& environment);

}  // namespace belay::app
