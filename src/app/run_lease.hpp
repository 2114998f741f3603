// SPDX-License-Identifier: Apache-2.0
// Which machine drives a run, where several could: numbered entries in a store, each written once.
// Whoever writes the next number has the run. Names and times: docs/formats/journal.md, "Shared".
#pragma once

#include <optional>

#include "app/numbered_entries.hpp"
#include "base/clock.hpp"

namespace belay::app {

struct LeaseTimes {
  Millis renew = std::chrono::seconds(15);
  Millis lost_after = std::chrono::seconds(45);  // without a renewal its holder gives the run up
  Millis dead_after = std::chrono::seconds(60);  // and only then others look closer
  Millis watch = std::chrono::seconds(30);       // for a sign of life, whatever clocks say
};

struct Holder {
  std::string by;       // "process 4711 on host"
  std::string machine;  // whose local locks say better whether it lives
};

class RunLease {
 public:
  RunLease(storage::Storage& store, Clock& clock, std::string run, Holder me,
           LeaseTimes times = {});

  // busy, naming the holder, when it lives, or was heard of a moment ago. One that was not is
  // watched first, which takes `watch`.
  Status take();
  // True: still ours. False: another machine has it. An error: not known; try again soon.
  Result<bool> renew();
  // Fine when it is not ours any more; a failure leaves an entry that runs out.
  void release();
  // Whether take() would be likely to succeed. Unknown is no.
  bool is_free();

 private:
  struct Entry {
    std::int64_t number = 0;
    Holder holder;
    TimePoint at{};
    bool released = false;
  };
  Result<std::optional<Entry>> latest();
  Status put(std::int64_t number, bool released);
  Status wait_out(const Entry& entry);
  bool over(const Entry& entry) const;
  bool fresh(const Entry& entry) const;
  Error busy(const Entry& entry) const;

  NumberedEntries entries_;
  Clock& clock_;
  std::string run_;
  Holder me_;
  LeaseTimes times_;
  std::int64_t number_ = 0;
};

}  // namespace belay::app
