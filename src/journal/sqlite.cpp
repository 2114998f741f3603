// SPDX-License-Identifier: Apache-2.0
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

#include "base/hash.hpp"
#include "journal/append.hpp"
#include "journal/chain.hpp"
#include "journal/journal.hpp"
#include "journal/ledger_copy.hpp"
#include "journal/schema.hpp"
#include "journal/verify.hpp"

namespace belay::journal {

namespace {

constexpr Millis lock_patience = std::chrono::seconds(10);
// Who holds the lock may be talking to the ledger's store.
constexpr Millis shared_lock_patience = std::chrono::minutes(2);
constexpr Millis stale_after = std::chrono::seconds(2);
constexpr int most_turns = 100;
constexpr Millis poll_interval = std::chrono::milliseconds(25);
constexpr int checkpoint_pages = 1000;
constexpr std::size_t most_in_a_group = 512;

// A caller that waits for its request to be durable.
struct Waiting {
  const Request& request;
  Answer answer;
  bool done = false;
};

class SqliteJournal final : public Journal {
 public:
  SqliteJournal(Opened opened, Clock& clock)
      : writer_(std::move(opened.writer)),
        reader_(std::move(opened.reader)),
        lock_(std::move(opened.lock)),
        clock_(clock) {}

  Status prepare(Ledger* ledger, const Path& folder) {
    TRY_LET(auto appender, Appender::prepare(writer_));
    appender_ = std::move(appender);
    if (ledger == nullptr) return check_own(writer_, folder);
    copy_.emplace(*ledger, writer_, appender_);
    fresh_at_ = clock_.steady();
    return in_transaction([this]() -> Status {
      TRY(copy_->join());
      return copy_->take_in();
    });
  }

  Result<std::string> create_run(NewEvent created) override;
  Status append(const std::string& run, std::int64_t expected_seq,
                std::vector<NewEvent> events) override;
  Result<std::vector<Event>> load(const std::string& run, std::int64_t after_seq) override;
  Result<std::vector<RunRow>> runs(const std::string& environment, int limit) override;
  Result<std::vector<RunRow>> open_runs() override;
  Result<std::vector<Lock>> locks() override;
  Result<std::vector<Event>> tail(std::int64_t after_id, int limit) override;
  Result<std::int64_t> wait(std::int64_t last_id, Millis limit, std::stop_token stop) override;
  Result<Verification> verify() override;
  Result<std::string> hash_of(std::int64_t id) override;
  Result<std::pair<std::int64_t, std::string>> head() override;

 private:
  Answer submit(const Request& request);
  void commit_group(const std::vector<Waiting*>& group);
  static void refuse(const std::vector<Waiting*>& group, const Error& error);
  Result<bool> take_in_news();
  Status write_requests(const std::vector<Waiting*>& group);
  Status in_transaction(const std::function<Status()>& work);
  Status freshen();
  Result<std::pair<std::int64_t, std::string>> head_here();
  Result<std::vector<Event>> events(sql::Statement& statement);
  Result<std::vector<RunRow>> run_rows(sql::Statement& statement);

  std::mutex queue_mutex_;
  std::condition_variable committed_;
  std::deque<Waiting*> queue_;
  bool committing_ = false;

  std::mutex writer_mutex_;  // the caller that commits, or takes in what others wrote
  sql::Connection writer_;
  std::mutex reader_mutex_;
  sql::Connection reader_;
  ProcessLock lock_;
  Clock& clock_;
  Appender appender_;
  std::optional<LedgerCopy> copy_;  // none: the journal is this machine's own
  std::mutex fresh_mutex_;
  Millis fresh_at_{0};  // when the ledger was last asked
};

// The first caller commits for all that have come meanwhile: a group costs one flush of the disk,
// and a caller alone waits for no other thread.
Answer SqliteJournal::submit(const Request& request) {
  Waiting mine{request, {}, false};
  std::unique_lock lock(queue_mutex_);
  queue_.push_back(&mine);
  while (!mine.done) {
    if (committing_) {
      committed_.wait(lock);
      continue;
    }
    committing_ = true;
    const auto count = std::min(queue_.size(), most_in_a_group);
    const std::vector<Waiting*> group(queue_.begin(),
                                      queue_.begin() + static_cast<std::ptrdiff_t>(count));
    queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count));
    lock.unlock();
    commit_group(group);
    lock.lock();
    for (Waiting* waiting : group) waiting->done = true;
    committing_ = false;
    committed_.notify_all();
  }
  return std::move(mine.answer);
}

// Another machine may be first, again and again; each time what it wrote is taken in, and the
// requests are held against that. So is what was refused by what this machine knew.
void SqliteJournal::commit_group(const std::vector<Waiting*>& group) {
  std::vector<Waiting*> left = group;
  for (int turn = 0; turn < most_turns && !left.empty(); ++turn) {
    Status done = in_transaction([&] { return write_requests(left); });
    const bool overtaken = copy_ && !done && done.error().fault == Fault::conflict &&
                           done.error().effect == Effect::none;
    if (!done && !overtaken) return refuse(left, done.error());
    if (!copy_) return;
    if (done) std::erase_if(left, [](const Waiting* one) { return one->answer.status.ok(); });
    if (left.empty()) return;
    const auto news = take_in_news();
    if (!news) return refuse(left, news.error());
    if (done && !*news) return;
  }
  refuse(left, fail(Fault::busy, "other machines write into the journal all the time"));
}

// Each that was not refused for a reason of its own.
void SqliteJournal::refuse(const std::vector<Waiting*>& group, const Error& error) {
  for (Waiting* waiting : group) {
    if (waiting->answer.status) waiting->answer.status = error;
  }
}

Result<bool> SqliteJournal::take_in_news() {
  bool news = false;
  Status done = in_transaction([&] {
    const auto before = appender_.last_id();
    Status taken = copy_->take_in();
    news = appender_.last_id() != before;
    return taken;
  });
  TRY(std::move(done));
  return news;
}

// Rolled back unless all of it succeeds.
Status SqliteJournal::in_transaction(const std::function<Status()>& work) {
  const std::lock_guard one(writer_mutex_);
  TRY(lock_.take(copy_ ? shared_lock_patience : lock_patience));
  HeldLock held(lock_);
  TRY(writer_.execute("BEGIN IMMEDIATE"));
  Status status = appender_.load_head();
  if (status) status = work();
  if (!status) {
    writer_.roll_back();
    return status;
  }
  TRY(writer_.commit());
  if (writer_.wal_pages() > checkpoint_pages) writer_.checkpoint();
  return {};
}

Status SqliteJournal::write_requests(const std::vector<Waiting*>& group) {
  const TimePoint at = clock_.now();
  const auto before = appender_.last_id();
  for (Waiting* waiting : group) {
    waiting->answer = appender_.apply(waiting->request, at);
    if (waiting->answer.broken) return waiting->answer.status;
  }
  if (!copy_ || appender_.last_id() == before) return {};
  return copy_->publish(before);
}

// Reads see what other machines wrote, a little late.
Status SqliteJournal::freshen() {
  if (!copy_) return {};
  {
    const std::lock_guard lock(fresh_mutex_);
    const auto now = clock_.steady();
    if (now - fresh_at_ < stale_after) return {};
    fresh_at_ = now;
  }
  const auto behind = [this] {
    const std::lock_guard lock(reader_mutex_);
    return copy_->is_behind(reader_);
  };
  TRY_LET(const bool news, behind());
  if (news) TRY(take_in_news());
  return {};
}

Result<std::string> SqliteJournal::create_run(NewEvent created) {
  Request request;
  request.events.push_back(std::move(created));
  TRY(check_request(request));
  Answer answer = submit(request);
  TRY(std::move(answer.status));
  return std::move(answer.run);
}

Status SqliteJournal::append(const std::string& run, std::int64_t expected_seq,
                             std::vector<NewEvent> events) {
  if (events.empty()) return {};
  if (run_number(run) == 0) return fail(Fault::missing, fmt::format("there is no run \"{}\"", run));
  const Request request{run, expected_seq, std::move(events)};
  TRY(check_request(request));
  return submit(request).status;
}

Result<std::vector<Event>> SqliteJournal::events(sql::Statement& statement) {
  std::vector<Event> found;
  for (;;) {
    TRY_LET(const bool more, statement.row());
    if (!more) return found;
    found.push_back(event_of(statement));
    found.back().hash = hex(found.back().hash);
  }
}

Result<std::vector<Event>> SqliteJournal::load(const std::string& run, std::int64_t after_seq) {
  TRY(freshen());
  const std::lock_guard lock(reader_mutex_);
  TRY_LET(sql::Statement rows,
          reader_.prepare(fmt::format(
              "SELECT {} FROM event WHERE run_id = ?1 AND seq > ?2 ORDER BY seq", event_columns)));
  rows.bind(1, run_number(run)).bind(2, after_seq);
  TRY_LET(auto found, events(rows));
  if (!found.empty()) return found;
  TRY_LET(sql::Statement known,
          reader_.prepare("SELECT 1 FROM event WHERE run_id = ?1 AND seq = 1"));
  TRY_LET(const bool exists, known.bind(1, run_number(run)).row());
  if (!exists)
    return fail(Fault::missing, fmt::format("there is no run \"{}\"; `belay history` lists "
                                            "those there are",
                                            run));
  return found;
}

constexpr const char* run_columns =
    "id, pipeline, environment, state, created, finished, summary, "
    "(SELECT max(seq) FROM event WHERE run_id = run.id)";

Result<std::vector<RunRow>> SqliteJournal::run_rows(sql::Statement& statement) {
  std::vector<RunRow> found;
  for (;;) {
    TRY_LET(const bool more, statement.row());
    if (!more) return found;
    RunRow row;
    row.run = std::to_string(statement.integer(0));
    row.pipeline = statement.text(1);
    row.environment = statement.text(2);
    row.state = statement.text(3);
    row.created = TimePoint(Millis(statement.integer(4)));
    if (!statement.is_null(5)) row.finished = TimePoint(Millis(statement.integer(5)));
    row.summary = statement.text(6);
    row.last_seq = statement.integer(7);
    found.push_back(std::move(row));
  }
}

Result<std::vector<RunRow>> SqliteJournal::runs(const std::string& environment, int limit) {
  TRY(freshen());
  const std::lock_guard lock(reader_mutex_);
  const char* where = environment.empty() ? "?1 = ''" : "environment = ?1";
  TRY_LET(sql::Statement rows,
          reader_.prepare(fmt::format("SELECT {} FROM run WHERE {} ORDER BY id DESC LIMIT ?2",
                                      run_columns, where)));
  rows.bind(1, environment).bind(2, std::int64_t{std::max(limit, 0)});
  return run_rows(rows);
}

Result<std::vector<RunRow>> SqliteJournal::open_runs() {
  TRY(freshen());
  const std::lock_guard lock(reader_mutex_);
  TRY_LET(sql::Statement rows,
          reader_.prepare(
              fmt::format("SELECT {} FROM run WHERE state = 'open' ORDER BY id", run_columns)));
  return run_rows(rows);
}

Result<std::vector<Lock>> SqliteJournal::locks() {
  TRY(freshen());
  const std::lock_guard lock(reader_mutex_);
  TRY_LET(sql::Statement rows, reader_.prepare("SELECT environment, run_id, since FROM env_lock "
                                               "ORDER BY environment"));
  std::vector<Lock> found;
  for (;;) {
    TRY_LET(const bool more, rows.row());
    if (!more) return found;
    found.push_back(
        {rows.text(0), std::to_string(rows.integer(1)), TimePoint(Millis(rows.integer(2)))});
  }
}

Result<std::vector<Event>> SqliteJournal::tail(std::int64_t after_id, int limit) {
  TRY(freshen());
  const std::lock_guard lock(reader_mutex_);
  TRY_LET(sql::Statement rows,
          reader_.prepare(fmt::format("SELECT {} FROM event WHERE id > ?1 ORDER BY id LIMIT ?2",
                                      event_columns)));
  rows.bind(1, after_id).bind(2, std::int64_t{std::max(limit, 0)});
  return events(rows);
}

Result<std::int64_t> SqliteJournal::wait(std::int64_t last_id, Millis limit, std::stop_token stop) {
  const Millis deadline = clock_.steady() + limit;
  for (;;) {
    // A ledger that is out of reach for a while ends no wait.
    const Status fresh = freshen();
    if (!fresh && fresh.error().fault != Fault::unreachable &&
        fresh.error().fault != Fault::timeout)
      return fresh.error();
    TRY_LET(const auto now, head_here());
    const Millis left = deadline - clock_.steady();
    if (now.first > last_id || left <= Millis(0) || stop.stop_requested()) return now.first;
    clock_.sleep(std::min(left, poll_interval), stop);
  }
}

Result<Verification> SqliteJournal::verify() {
  TRY(freshen());
  const std::lock_guard lock(reader_mutex_);
  return verify_all(reader_);
}

Result<std::string> SqliteJournal::hash_of(std::int64_t id) {
  TRY(freshen());
  const std::lock_guard lock(reader_mutex_);
  TRY_LET(sql::Statement row, reader_.prepare("SELECT hash FROM event WHERE id = ?1"));
  TRY_LET(const bool found, row.bind(1, id).row());
  if (!found) return fail(Fault::missing, fmt::format("the journal has no event {}", id));
  return hex(row.text(0));
}

Result<std::pair<std::int64_t, std::string>> SqliteJournal::head() {
  TRY(freshen());
  return head_here();
}

Result<std::pair<std::int64_t, std::string>> SqliteJournal::head_here() {
  const std::lock_guard lock(reader_mutex_);
  TRY_LET(sql::Statement row,
          reader_.prepare("SELECT id, hash FROM event ORDER BY id DESC LIMIT 1"));
  TRY_LET(const bool found, row.row());
  if (!found) return std::pair<std::int64_t, std::string>{0, ""};
  return std::pair<std::int64_t, std::string>{row.integer(0), hex(row.text(1))};
}

}  // namespace

Result<std::unique_ptr<Journal>> open_sqlite(const Path& folder, Clock& clock, Ledger* ledger) {
  TRY_LET(Opened opened, open_files(folder));
  auto journal = std::make_unique<SqliteJournal>(std::move(opened), clock);
  TRY(journal->prepare(ledger, folder));
  return std::unique_ptr<Journal>(std::move(journal));
}

}  // namespace belay::journal
