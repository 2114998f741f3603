// SPDX-License-Identifier: Apache-2.0
// Discarded writes put back by hand, with the real program on a real server: a run as others are.
#include "base/text.hpp"
#include "tests/cli/on_a_server.hpp"

namespace belay::cli {
namespace {

struct Salvages : testing::OnAServer {
  void SetUp() override {
    OnAServer::SetUp();
    insert(1);
    write("");
    ASSERT_EQ(belay({"backup", "create", "good"}).status, 0);
  }
  void write(const std::string& environments) const { OnAServer::write("", environments); }
  void insert(int id) const {
    const auto text = fmt::format(R"({{"_id": {}, "of": "a customer"}})", id);
    ASSERT_TRUE(server->insert("one", "orders", {text}));
  }
  void command(const std::string& text) const { ASSERT_TRUE(server->command("one", text)); }
  std::size_t orders() const { return count("one", "orders"); }
  // Two orders that a rewind takes away; the name of what it kept.
  std::string rewound() const {
    insert(2);
    insert(3);
    const auto back = belay({"rewind", "good", "--yes"});
    EXPECT_EQ(back.status, 0) << back.out << back.err;
    EXPECT_EQ(orders(), 1U);
    const auto listed = belay({"salvage", "list", "--json"}).out;
    return Json::parse(split(listed, '\n').front())["name"];
  }
  std::size_t runs() const { return split(trim(belay({"history", "--json"}).out), '\n').size(); }
};

void says(const Finished& finished, const std::string& text) {
  EXPECT_NE((finished.out + finished.err).find(text), std::string::npos)
      << "no \"" << text << "\" in:\n"
      << finished.out << finished.err;
}

TEST_F(Salvages, ArePutBackByARunThatIsShownAgreedToAndInTheJournal) {
  const auto name = rewound();
  const auto shown = belay({"salvage", "apply", name, "--dry-run"});
  EXPECT_EQ(shown.status, 10) << shown.out << shown.err;
  says(shown, "2 documents put back");
  says(shown, "digest");
  const auto unasked = belay({"salvage", "apply", name});
  EXPECT_EQ(unasked.status, 2) << unasked.out << unasked.err;
  says(unasked, "--yes");
  EXPECT_EQ(orders(), 1U);
  EXPECT_EQ(runs(), 1U);
  const auto done = belay({"salvage", "apply", name, "--yes"});
  EXPECT_EQ(done.status, 0) << done.out << done.err;
  says(done, "Put back from " + name);
  EXPECT_EQ(orders(), 3U);
  const auto history = belay({"history"});
  says(history, "apply");
  says(history, "put back from " + name);
  says(belay({"show", "2"}), "2 documents put back, 0 replaced, 0 removed");
  EXPECT_EQ(belay({"audit", "verify"}).status, 0);
}

TEST_F(Salvages, WhereAllIsBackThereIsNoRun) {
  const auto name = rewound();
  ASSERT_EQ(belay({"salvage", "apply", name, "--yes"}).status, 0);
  const auto again = belay({"salvage", "apply", name});
  EXPECT_EQ(again.status, 0) << again.out << again.err;
  says(again, "2 were there already");
  EXPECT_EQ(runs(), 2U);
}

TEST_F(Salvages, SomeOfThemArePutBackAndWhatWasChangedSinceIsNamed) {
  const auto name = rewound();
  ASSERT_EQ(belay({"salvage", "apply", name, "--id", "2", "--yes"}).status, 0);
  EXPECT_EQ(orders(), 2U);
  command(
      R"({"update": "orders", "updates": [{"q": {"_id": 2}, "u": {"_id": 2, "of": "another"}}]})");
  const auto rest = belay({"salvage", "apply", name, "--yes"});
  EXPECT_EQ(rest.status, 1) << rest.out << rest.err;
  says(rest, "1 documents put back");
  says(rest, "left alone: one.orders");
  EXPECT_EQ(orders(), 3U);
  const auto nothing = belay({"salvage", "apply", name, "--collection", "one.orders"});
  EXPECT_EQ(nothing.status, 1) << "what is left alone is left alone still";
  EXPECT_EQ(belay({"salvage", "apply", name, "--id", "{"}).status, 2);
  EXPECT_EQ(belay({"salvage", "apply", "salvage-77"}).status, 2);
}

TEST_F(Salvages, TheEnvironmentsRuleForRollbacksAsksForApproval) {
  const auto people = "people:\n  amina: " + project.public_key("amina") + "\n";
  write(people +
        "environments:\n  production:\n    tag: prod\n    approvals: { required: 1, reviewers: "
        "[amina] }\n");
  const auto approve = [&](const std::string& run) {
    return belay({"approve", run, "--key", project.key("amina").string()}).status;
  };
  ASSERT_EQ(belay({"backup", "create", "ours"}).status, 0);
  insert(2);
  ASSERT_EQ(belay({"rewind", "ours", "--yes", "--no-wait"}).status, 4);
  ASSERT_EQ(approve("1"), 0);
  ASSERT_EQ(belay({"resume", "1"}).status, 0);
  const auto asked = belay({"salvage", "apply", "salvage-1", "--yes", "--no-wait"});
  EXPECT_EQ(asked.status, 4) << asked.out << asked.err;
  EXPECT_EQ(orders(), 1U) << "nothing before it is approved";
  says(belay({"show", "2"}), "waiting for 1 of amina");
  ASSERT_EQ(approve("2"), 0);
  const auto done = belay({"resume", "2"});
  EXPECT_EQ(done.status, 0) << done.out << done.err;
  EXPECT_EQ(orders(), 2U);
}

}  // namespace
}  // namespace belay::cli
