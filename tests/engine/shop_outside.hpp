// SPDX-License-Identifier: Apache-2.0
// The shop's outside as one process sees it: every effect has a point before and one after it.
#pragma once

#include "tests/engine/shop.hpp"

namespace belay::engine::testing {

class DyingJournal final : public Passing {
 public:
  DyingJournal(journal::Journal& to, Fuse& fuse) : Passing(to), fuse_(fuse) {}
  Status append(const std::string& run, std::int64_t expected,
                std::vector<journal::NewEvent> events) override {
    const std::string name = "append " + events.front().kind;
    fuse_.point("before " + name);
    auto done = to_.append(run, expected, std::move(events));
    fuse_.point("after " + name);
    return done;
  }

 private:
  Fuse& fuse_;
};

// The vault writes from a thread of its own: a dead process's writes fail there.
class DyingStorage final : public storage::Storage {
 public:
  DyingStorage(storage::Storage& to, Fuse& fuse) : to_(to), fuse_(fuse) {}
  Status put(const std::string& name, std::string_view content) override {
    return act("put", [&] { return to_.put(name, content); });
  }
  Result<std::string> get(const std::string& name) override { return to_.get(name); }
  Result<std::vector<storage::Object>> list(const std::string& prefix) override {
    return to_.list(prefix);
  }
  Status remove(const std::string& name) override {
    return act("remove", [&] { return to_.remove(name); });
  }
  Result<bool> exists(const std::string& name) override { return to_.exists(name); }
  std::string where() const override { return to_.where(); }

 private:
  Status act(const std::string& name, const std::function<Status()>& effect) {
    if (!fuse_.alive_at("before store " + name)) return gone();
    auto done = effect();
    if (!fuse_.alive_at("after store " + name)) return gone();
    return done;
  }
  static Error gone() { return fail(Fault::unreachable, "the process is dead"); }

  storage::Storage& to_;
  Fuse& fuse_;
};

class DyingChildren final : public Children {
 public:
  DyingChildren(Children& to, Fuse& fuse) : to_(to), fuse_(fuse) {}
  Status start(const ChildSpec& spec) override {
    fuse_.point("before child start");
    auto done = to_.start(spec);
    fuse_.point("after child start");
    return done;
  }
  Result<ChildStatus> look(const std::string& key) override { return to_.look(key); }
  Result<ChildStatus> wait(const std::string& key,
                           const std::function<void(std::string_view)>& output,
                           std::stop_token stop) override {
    fuse_.point("before child end");
    auto status = to_.wait(key, output, stop);
    fuse_.point("after child end");
    return status;
  }
  Status end(const std::string& key, Millis grace) override { return to_.end(key, grace); }
  Result<std::string> output(const std::string& key) override { return to_.output(key); }
  Status keep(const std::string& key, std::string_view output) override {
    return to_.keep(key, output);
  }
  Status forget(const std::string& key) override { return to_.forget(key); }

 private:
  Children& to_;
  Fuse& fuse_;
};

class ShopSource final : public source::Source {
 public:
  explicit ShopSource(Fuse& fuse) : fuse_(fuse) {}
  std::map<std::string, source::Tag> tags;

  Result<source::Commit> resolve(const std::string& ref) override {
    return source::Commit{"commit of " + ref, "", "", "", {}};
  }
  Result<std::vector<std::string>> branches_with(const std::string&) override {
    return std::vector<std::string>{"main"};
  }
  Result<std::optional<std::string>> current_branch() override {
    return std::optional<std::string>("main");
  }
  Status copy(const std::string&, const Path& folder) override { return make_folder(folder); }
  Result<std::string> read(const std::string&, const std::string& path) override {
    return fail(Fault::missing, path);
  }
  Result<std::vector<source::Commit>> between(const std::string&, const std::string&,
                                              const std::string&, int) override {
    return std::vector<source::Commit>{};
  }
  Result<bool> is_ancestor(const std::string&, const std::string&) override { return true; }
  Result<std::vector<std::string>> uncommitted() override { return std::vector<std::string>{}; }
  Result<std::optional<source::Commit>> protected_head() override {
    return std::optional<source::Commit>();
  }
  Status tag(const std::string& name, const std::string& commit,
             const std::string& message) override {
    fuse_.point("before tag");
    const auto at = tags.find(name);
    if (at != tags.end() && at->second.commit != commit) return fail(Fault::conflict, name);
    tags.emplace(name, source::Tag{name, commit, message});
    fuse_.point("after tag");
    return {};
  }
  Result<std::optional<source::Tag>> find_tag(const std::string& name) override {
    const auto at = tags.find(name);
    return at == tags.end() ? std::optional<source::Tag>() : std::optional(at->second);
  }
  Result<bool> has_remote() override { return false; }
  Status push_tag(const std::string&) override { return {}; }
  Result<std::string> user_email() override { return std::string("noor@example.org"); }

 private:
  Fuse& fuse_;
};

class ShopNews final : public notify::Notifier {
 public:
  explicit ShopNews(Shop& shop) : shop_(shop) {}
  Status announce(const notify::Announcement& news, const std::string& key) override {
    shop_.fuse.point("before announce");
    shop_.told.emplace(key, news.kind);
    shop_.fuse.point("after announce");
    return {};
  }

 private:
  Shop& shop_;
};

// Answers as the shop would: whoever listens at the port, or is active behind the proxy's address.
class ShopProber final : public probe::Prober {
 public:
  ShopProber(Shop& shop, std::string bad) : shop_(shop), bad_(std::move(bad)) {}
  probe::Sample http(const probe::HttpRequest& request, const probe::Expectation&,
                     std::stop_token) override {
    return answer(request.url);
  }
  probe::Sample tcp(const std::string& address, Millis, std::stop_token) override {
    return answer("http://" + address);
  }
  probe::Sample tls(const std::string&, int, Millis, std::stop_token) override { return {}; }
  probe::Sample command(const std::string&, const std::map<std::string, std::string>&, Millis,
                        std::stop_token) override {
    return {};
  }

 private:
  probe::Sample said(bool good, const std::string& text) {
    probe::Sample sample;
    sample.good = good;
    sample.text = text;
    sample.took = Millis(5);
    return sample;
  }
  probe::Sample answer(const std::string& url) {
    const std::string service = url.find(":8080") != std::string::npos   ? "backend"
                                : url.find(":8081") != std::string::npos ? "frontend"
                                                                         : "";
    if (service.empty()) return said(true, "200");
    const auto state = shop_.traffic.look(service);
    if (!state || state->held || !state->active) return said(false, "503");
    if (state->active->release == bad_) return said(false, "500");
    return said(true, "200");
  }
  Shop& shop_;
  std::string bad_;
};

struct Shop::Outside {
  explicit Outside(Shop& shop)
      : shop_(shop),
        journal(*shop.journal, shop.fuse),
        store(shop.store, shop.fuse),
        children(shop.world.children, shop.fuse),
        source(shop.fuse),
        news(shop),
        prober(shop, shop.setting_.bad) {
    const auto watch = [&shop](fake::FaultPlan& plan, const std::string& who,
                               std::set<std::string> effects) {
      plan.hook = [&shop, who, effects](const std::string& name, bool done) {
        if (effects.contains(name))
          shop.fuse.point((done ? "after " : "before ") + who + " " + name);
      };
    };
    shop.api.holds = shop.setting_.platform;
    for (auto& [name, target] : targets()) {
      watch(target->faults, name,
            {"prepare", "start", "activate", "go_back", "stop", "remove", "hold", "let_go_on"});
    }
    watch(shop.traffic.faults, "proxy", {"install", "shift", "clear", "drain", "hold", "lift"});
    watch(shop.database.plan, "database",
          {"insert", "apply", "create", "drop", "rename", "create_indexes", "drop_index", "modify",
           "mark"});
    shop.database.plan.hook = [&shop, dies = shop.database.plan.hook](const std::string& name,
                                                                      bool done) {
      if (name == "apply" && shop.setting_.platform && !shop.api.held()) shop.rewound_unheld = true;
      dies(name, done);
    };
  }

  std::map<std::string, fake::FakeTarget*> targets() {
    std::map<std::string, fake::FakeTarget*> all{
        {"backend", &shop_.backend}, {"frontend", &shop_.frontend}, {"mailer", &shop_.mailer}};
    if (shop_.setting_.platform) all["api"] = &shop_.api;
    return all;
  }

  void wire(Site& site) {
    site.journal = &journal;
    site.source = &source;
    for (auto& [name, target] : targets()) site.targets[name] = target;
    site.traffic = &shop_.traffic;
    site.database = &shop_.database;
    site.database_name = "shop";
    site.database_names = {"shop"};
    site.prober = &prober;
    site.notifiers = {&news};
    site.clock = &shop_.world.clock;
    site.environment_of = [](const std::string&, const std::string&) { return Environment{}; };
    site.migration_environment = [](const std::string&) { return Environment{}; };
    site.expand = [](const std::string& given) { return given; };
  }

  Shop& shop_;
  DyingJournal journal;
  DyingStorage store;
  DyingChildren children;
  ShopSource source;
  ShopNews news;
  ShopProber prober;
  int migrations = 0;
};

}  // namespace belay::engine::testing
