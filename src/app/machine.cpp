// SPDX-License-Identifier: Apache-2.0
#include "app/machine.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "app/masked_journal.hpp"
#include "app/stored_records.hpp"

namespace belay::app {

namespace {

class FileClaim final : public engine::Claim {
 public:
  explicit FileClaim(Fd fd) : fd_(std::move(fd)) {}

 private:
  Fd fd_;  // closing it frees the lock
};

class FileClaims final : public engine::Claims {
 public:
  explicit FileClaims(Path folder) : folder_(std::move(folder)) {}

  Result<std::unique_ptr<engine::Claim>> claim(const std::string& run) override {
    const Path path = folder_ / (run + ".claim");
    Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!fd) return errno_error(errno, "cannot open " + path.string());
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
      auto holder = read_file(path);
      return fail(Fault::busy, fmt::format("run {} is being driven by {}", run,
                                           holder ? *holder : "another process"));
    }
    const std::string me = whoami();
    if (::ftruncate(fd.get(), 0) != 0 || ::pwrite(fd.get(), me.data(), me.size(), 0) < 0) {
      return errno_error(errno, "cannot write " + path.string());
    }
    return std::unique_ptr<engine::Claim>(std::make_unique<FileClaim>(std::move(fd)));
  }

  std::string whoami() const override {
    char host[256] = "this host";
    ::gethostname(host, sizeof host - 1);
    return fmt::format("process {} on {}", ::getpid(), host);
  }

 private:
  Path folder_;
};

}  // namespace

void Machine::hide(std::weak_ptr<const Secrets> secrets) {
  {
    std::lock_guard guard(mutex_);
    hidden_.push_back(secrets);
  }
  children_.hide([secrets = std::move(secrets)] {
    const auto held = secrets.lock();
    return held ? held->masker() : Masker();
  });
}

std::string Machine::mask(std::string_view text) const {
  std::lock_guard guard(mutex_);
  std::string shown(text);
  for (const auto& one : hidden_) {
    if (const auto held = one.lock()) shown = held->mask(shown);
  }
  return shown;
}

void Machine::warn_once(const std::string& text) {
  const auto shown = "warning: " + mask(text) + "\n";
  std::lock_guard guard(mutex_);
  if (warned_.insert(text).second) std::fputs(shown.c_str(), stderr);
}

std::unique_ptr<engine::Claims> make_claims(const Path& folder) {
  return std::make_unique<FileClaims>(folder);
}

Result<std::unique_ptr<Desk>> open_desk(Project project, Opening opening) {
  auto desk = std::make_unique<Desk>();
  desk->project = std::move(project);
  const auto& places = desk->project.places;
  desk->machine = std::make_unique<Machine>(places.children());
  const bool looks = opening == Opening::to_look;
  if (desk->project.spec.journal_in_store) {
    TRY_LET(desk->shared, open_shared_place(*desk, !looks).in("journal"));
  }
  std::error_code code;
  // A copy of what is in a store may be made by anybody who can read that.
  if (looks && !desk->shared && !std::filesystem::exists(places.journal(), code)) {
    TRY_LET(auto empty, ScratchFolder::make("belay-empty"));
    desk->empty.emplace(std::move(empty));
  } else {
    TRY(places.make_state());
    TRY(make_folder(places.runs()));
  }
  const Path journal = desk->empty ? desk->empty->path() / "journal" : places.journal();
  auto* ledger = desk->shared ? desk->shared->ledger.get() : nullptr;
  TRY_LET(auto opened, journal::open_sqlite(journal, desk->world().clock, ledger));
  desk->journal = make_masked(std::move(opened), [machine = desk->machine.get()](auto text) {
    return machine->mask(text);
  });
  desk->claims = make_claims(places.runs());
  if (desk->shared) {
    TRY_LET(auto name, machine_name(places.state, desk->world().random));
    desk->claims = make_shared_claims(std::move(desk->claims), *desk->shared->sealed, desk->world(),
                                      std::move(name));
  }
  return desk;
}

std::shared_ptr<Records> records_of(const Desk& desk, const std::string& environment) {
  if (desk.shared) return make_stored_records(*desk.shared->sealed, "records/" + environment + "/");
  return make_records(desk.project.places.environment(environment));
}

}  // namespace belay::app
