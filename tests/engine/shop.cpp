// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/shop.hpp"

#include <stdexcept>

#include "app/planner.hpp"
#include "tests/engine/shop_outside.hpp"
#include "vault/backup.hpp"

namespace belay::engine::testing {

namespace {

const database::Namespace orders{"shop", "orders"};

void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message());
}
template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return std::move(result).value();
}

constexpr const char* text = R"(
project: shop
services:
  backend: { path: backend, build: make, run: ./backend, check: /api/health }
  frontend: { path: frontend, build: make, run: ./frontend, check: /, needs: [backend] }
  mailer: { kind: worker, path: backend, run: ./mailer }
  API
test: make test
database:
  uri: mongodb://127.0.0.1/shop
  MIGRATE
environments:
  production:
    tag: prod
    services:
      backend: { target: host, listen: "127.0.0.1:8080" }
      frontend: { target: host, listen: "127.0.0.1:8081" }
      mailer: { target: host }
      PLATFORM
    strategy: STRATEGY
    CHECKS
    watch: 3s
    rollback: { auto: [checks], database: DATA }
)";

std::string replaced(std::string in, const std::string& what, const std::string& with) {
  in.replace(in.find(what), what.size(), with);
  return in;
}

// Each migration counts on: run twice it leaves another number.
void migrate(fake::FakeDatabase& database) {
  for (const auto& document : database.all(orders)) {
    const auto json = Json::parse(database::to_json(document));
    const auto id = json.at("_id").get<int>();
    const auto version = json.value("version", 0) + 1;
    database.put(orders, fmt::format(R"({{"_id": {}, "version": {}}})", id, version));
  }
}

}  // namespace

bool Fuse::alive_at(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (dead_) return false;
  trace_.push_back(name);
  dead_ = trace_.size() == at_;
  return !dead_;
}

void Fuse::burn_at(std::size_t nth) {
  const std::lock_guard lock(mutex_);
  trace_.clear();
  at_ = nth;
  dead_ = false;
}

bool Fuse::dead() const {
  const std::lock_guard lock(mutex_);
  return dead_;
}

std::vector<std::string> Fuse::trace() const {
  const std::lock_guard lock(mutex_);
  return trace_;
}

Shop::Shop(Setting setting) : setting_(std::move(setting)) {
  journal = must(journal::open_sqlite(scratch_.path() / "state", world.clock));
  outside_ = std::make_unique<Outside>(*this);
  set_up();
}

Shop::~Shop() = default;

pipeline::Spec Shop::spec_of(const std::string& release) const {
  const bool old = release == first_release;
  auto file = replaced(text, "MIGRATE",
                       setting_.migrates && !old ? "migrate: { run: ./migrate, in: backend }" : "");
  file = replaced(file, "STRATEGY", setting_.strategy);
  file = replaced(file, "API", setting_.platform ? "api: { path: . }" : "");
  file =
      replaced(file, "PLATFORM",
               setting_.platform ? "api: { target: railway, project: p, token: \"${A}\", hold: { "
                                   "stop: true } }"
                                 : "");
  file = replaced(file, "DATA", setting_.data);
  file = replaced(file, "CHECKS",
                  setting_.checks ? "checks: [{ name: API, service: backend, path: /api/health, "
                                    "interval: 1s }]"
                                  : "");
  auto parsed = pipeline::parse_spec(file);
  if (!parsed.spec) throw std::runtime_error(pipeline::report("belay.yaml", parsed.complaints));
  return *parsed.spec;
}

std::unique_ptr<vault::Vault> Shop::open_vault() {
  auto vault =
      vault::open_vault(outside_->store, Secret(std::string(64, 'a')), world.clock, world.random);
  if (fuse.dead()) throw Death{};
  return must(std::move(vault));
}

void Shop::make_live(const std::string& release) {
  for (auto& [name, target] : outside_->targets()) {
    must(target->prepare({name, release}, {}, "", {}, {}));
    const auto started = must(target->start({name, release}, {}, {}));
    if (name == "api") must(target->activate({name, release}, {}, "", {}, {}));
    if (name == "mailer" || name == "api") continue;
    must(traffic.shift(name, {release, started.port}));
  }
  auto plan = plan_of("deploy", release, "");
  plan.steps = {work("restore_point", {}, false, "restore_point")};
  const auto run = create(plan);
  must(journal->append(run, 1, {{"run.finished", "", R"({"ending": "done"})", 1}}));
}

void Shop::set_up() {
  const auto spec = spec_of(first_release);
  std::vector<traffic::Route> routes;
  for (const auto& placed : spec.environment("production")->services) {
    if (!placed.listen.empty()) routes.push_back({placed.service, placed.listen});
  }
  must(traffic.install(routes));
  for (int id = 1; id <= 12; ++id) {
    database.put(orders, fmt::format(R"({{"_id": {}, "version": 1}})", id));
  }
  world.children.script("migrate", [this](const ChildSpec&, const FakeChildren::Say& say) {
    ++outside_->migrations;
    migrate(database);
    say("migrated\n");
    return ChildStatus{ChildState::ended, 0};
  });
  make_live(first_release);
  if (setting_.second_is_live) {
    auto vault = open_vault();
    must(vault::take_restore_point(
        database, *vault, {"rp-2", "deploy", "shop", "production", "2", ""}, world.clock, {}, {}));
    migrate(database);
    must(mailer.stop({"mailer", first_release}, Millis(0)));
    make_live(second_release);
  }
  fuse.burn_at(0);
}

pipeline::Plan Shop::plan_of(const std::string& pipeline, const std::string& release,
                             const std::string& live) {
  pipeline::Plan plan;
  plan.pipeline = pipeline;
  plan.project = "shop";
  plan.environment = "production";
  plan.release = release;
  plan.live = live;
  plan.commit = "commit of " + release;
  plan.ref = release;
  plan.requester = {"noor", "noor@example.org"};
  plan.facts = {{"automatic_rollback", true}, {"code", true}, {"data", "none"}};
  return plan;
}

pipeline::Plan Shop::deploy_plan() {
  auto plan = setting_.second_is_live ? plan_of("deploy", third_release, second_release)
                                      : plan_of("deploy", second_release, first_release);
  const auto spec = spec_of(plan.release);
  const auto& env = *spec.environment("production");
  const auto policy = pipeline::policy_of(spec, env);
  app::deploy_steps(plan, {&spec, &spec, &env, &*spec.database, &policy});
  return plan;
}

pipeline::Plan Shop::rollback_plan(bool code, bool data) {
  auto plan = plan_of("rollback", first_release, second_release);
  plan.facts["code"] = code;
  if (data) plan.facts["data"] = "point:rp-2";
  const auto spec = spec_of(first_release);
  const auto& env = *spec.environment("production");
  const auto policy = pipeline::policy_of(spec, env);
  app::rollback_steps(plan, {&spec, &spec, &env, &*spec.database, &policy},
                      data ? app::DataPlan{"rp-2", ""} : app::DataPlan{}, code);
  return plan;
}

pipeline::Plan Shop::apply_plan() {
  const auto rewind = create(rollback_plan(false, true));
  if (finish(rewind) != "done") throw std::runtime_error("the rewind failed");
  auto plan = plan_of("apply", "", second_release);
  plan.facts["code"] = false;
  const auto spec = spec_of(second_release);
  const auto& env = *spec.environment("production");
  const auto policy = pipeline::policy_of(spec, env);
  app::apply_steps(plan, {&spec, &spec, &env, &*spec.database, &policy},
                   {{"apply", "salvage-" + rewind}});
  return plan;
}

std::string Shop::create(const pipeline::Plan& plan) {
  return must(journal->create_run({"run.created", "", canonical(app::created_body(plan)), 1}));
}

Result<RunState> Shop::drive(const std::string& run, std::stop_token stop) {
  const auto plan = load(run).plan;
  auto vault = open_vault();
  Site site;
  site.present = spec_of(plan.release);
  for (const auto& release : {plan.release, plan.live}) site.releases[release] = spec_of(release);
  site.environment = "production";
  outside_->wire(site);
  site.vault = vault.get();
  site.work = scratch_.path() / "work";
  site.reports = scratch_.path() / "reports";
  const auto steps = make_steps(site);
  World seam{world.clock, world.random, world.executor, outside_->children};
  Runner runner(outside_->journal, steps, seam, listener, claims);
  return runner.drive(run, stop);
}

std::string Shop::finish(const std::string& run) {
  for (int lives = 0; lives < 5; ++lives) {
    const auto state = drive(run);
    if (!state) return "error: " + state.error().message();
    const auto loaded = load(run);
    if (*state == RunState::finished) return loaded.history.ending;
    if (*state != RunState::needs_person) return "not finished";
    if (loaded.history.data_answer) return "stopped: " + *loaded.history.stopped;
    must(append_event(*journal, run,
                      {"run.resumed", "", R"({"by": "leo", "rewind_data": true})", 1},
                      [](const Loaded&) { return Status(); }));
  }
  return "never finished";
}

Loaded Shop::load(const std::string& run) {
  return must(load_run(*journal, run));
}

std::string Shop::active(const std::string& service) {
  const auto state = must(traffic.look(service));
  return state.active ? state.active->release : "";
}

Json Shop::documents() {
  Json all = Json::array();
  for (const auto& document : database.all(orders)) all.push_back(database::to_json(document));
  return all;
}

Json Shop::state() {
  auto vault = open_vault();
  Json points = Json::array(), held = Json::object(), running = Json::object();
  for (const auto& point : must(vault->list())) {
    const auto report = must(vault->verify(point.name, {}, {}));
    points.push_back({point.name, point.documents, report.problems});
  }
  for (auto& [name, target] : outside_->targets()) {
    running[name] = target->running(name);
    if (name == "api") held[name] = {{"held", api.held()}, {"active", api.live(name)}};
    if (name == "mailer" || name == "api") continue;
    // Going to the same release twice in a row is no second effect.
    auto shifts = traffic.shifts(name);
    shifts.erase(std::unique(shifts.begin(), shifts.end()), shifts.end());
    const auto route = must(traffic.look(name));
    held[name] = {{"held", route.held}, {"shifts", shifts}, {"active", active(name)}};
  }
  Json tags = Json::array(), locks = Json::array();
  for (const auto& [name, tag] : outside_->source.tags) tags.push_back({name, tag.commit});
  for (const auto& lock : must(journal->locks())) locks.push_back(lock.run);
  std::multiset<std::string> news;
  for (const auto& [key, kind] : told) news.insert(kind);
  return {{"documents", documents()},
          {"points", points},
          {"routes", held},
          {"running", running},
          {"tags", tags},
          {"locks", locks},
          {"rewound_unheld", rewound_unheld},
          {"salvages", must(vault->list_sealed("salvage")).size() > 0},
          {"told", news},
          {"migrations", migrations()}};
}

int Shop::migrations() const {
  return outside_->migrations;
}

std::set<std::string> Shop::kinds() const {
  Site site;
  std::set<std::string> all;
  for (const auto& [name, kind] : make_steps(site)) all.insert(name);
  return all;
}

}  // namespace belay::engine::testing
