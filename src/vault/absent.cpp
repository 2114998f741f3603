// SPDX-License-Identifier: Apache-2.0
#include "vault/absent.hpp"

#include <fmt/format.h>

namespace belay::vault {

namespace {

class AbsentVault final : public Vault {
 public:
  explicit AbsentVault(std::string where) : where_(std::move(where)) {}

  Result<std::vector<PointSummary>> list() override { return std::vector<PointSummary>{}; }
  Result<Point> load(const std::string& name) override { return nothing(name); }
  Result<std::unique_ptr<DocumentReader>> read(const SavedCollection&) override {
    return nothing("a collection");
  }
  Result<VerifyReport> verify(const std::string& name, const OnProgress&,
                              std::stop_token) override {
    return nothing(name);
  }

  std::unique_ptr<LayerWriter> write_layer() override {
    return std::make_unique<NoWriter>(unwritable());
  }
  Status commit(const Point&) override { return unwritable(); }
  Status put_sealed(const std::string&, std::string_view,
                    const std::vector<std::string>&) override {
    return unwritable();
  }
  Result<std::string> get_sealed(const std::string& name) override { return nothing(name); }
  Result<std::vector<std::string>> list_sealed(const std::string&) override {
    return std::vector<std::string>{};
  }
  Status remove_sealed(const std::string&) override { return {}; }
  Result<std::uint64_t> drop_damaged(const std::vector<SavedCollection>&) override {
    return std::uint64_t{0};
  }
  Status forget(const std::string& name) override { return nothing(name); }
  Result<Freed> prune() override { return Freed{}; }
  std::string where() const override { return where_; }
  std::uint64_t bytes_written() const override { return 0; }

 private:
  class NoWriter final : public LayerWriter {
   public:
    explicit NoWriter(Error why) : why_(std::move(why)) {}
    Status add(std::string_view) override { return why_; }
    Result<Layer> finish() override { return why_; }

   private:
    Error why_;
  };

  Error nothing(const std::string& name) const {
    return fail(Fault::missing,
                fmt::format("there is no {}: the vault at {} is not made yet, its first restore "
                            "point makes it: belay backup create",
                            name, where_));
  }
  Error unwritable() const {
    return fail(Fault::refused, "the vault at " + where_ +
                                    " is not made yet: this command writes no restore point; "
                                    "take one with: belay backup create");
  }

  std::string where_;
};

}  // namespace

std::unique_ptr<Vault> make_absent_vault(std::string where) {
  return std::make_unique<AbsentVault>(std::move(where));
}

}  // namespace belay::vault
