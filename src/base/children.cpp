// SPDX-License-Identifier: Apache-2.0
#include "base/children.hpp"

namespace belay {

namespace {

class Unavailable final : public Children {
 public:
  Status start(const ChildSpec&) override { return none(); }
  Result<ChildStatus> look(const std::string&) override { return ChildStatus{}; }
  Result<ChildStatus> wait(const std::string&, const std::function<void(std::string_view)>&,
                           std::stop_token) override {
    return none();
  }
  Status end(const std::string&, Millis) override { return none(); }
  Result<std::string> output(const std::string&) override { return none(); }
  Status forget(const std::string&) override { return {}; }

 private:
  static Error none() { return fail(Fault::internal, "children cannot be started yet"); }
};

}  // namespace

std::unique_ptr<Children> make_children(Path) {
  return std::make_unique<Unavailable>();
}

}  // namespace belay
