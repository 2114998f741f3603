# SPDX-License-Identifier: Apache-2.0
"""The demonstration: a shop goes to production, then a better release, then one that damages its data.

    tools/demo [--keep]      --keep leaves everything running, and says where

Customers use the shop all the while. At the end their own ledger is compared with the database.
"""
import argparse
import os
import re
import signal
import subprocess
import sys
import threading
import time

import stage as stages

WIDE = 100
STORY = {
    1: "Nothing is live yet. Belay asks two people; then the first release goes up.",
    2: "A good release, while customers read, order and sign in: none of them should notice.",
    3: "A bad one. Its tests pass, and it starts well; but its migration turns prices into cents, some of\n"
       "    them wrongly, and drops what old orders held. Belay is to notice, and to bring code and data back.",
}


def say(text=""):
    print(text, flush=True)


def heading(text):
    say()
    say(f"── {text} ".ljust(WIDE, "─"))


class Watcher(threading.Thread):
    """Sees when a migration has gone through, and how many documents it says it changed."""

    def __init__(self, database, migration):
        super().__init__(daemon=True)
        self.database, self.migration = database, migration
        self.at, self.changed, self.over = None, 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.2):
            found = self.database.migrations.find_one({"_id": self.migration})
            if found:
                self.at, self.changed = time.time(), found["changed"]
                return


class Followed:
    """A belay command whose lines are shown, and remembered with their time."""

    def __init__(self, stage, arguments):
        self.stage, self.lines, self.run, self.asked = stage, [], None, False
        say(f"$ belay {' '.join(arguments)}")
        # On a terminal belay gets one too, and shows what it shows people.
        read, write = os.openpty() if sys.stdout.isatty() else os.pipe()
        self.child = subprocess.Popen([stage.belay_program, *arguments], cwd=stage.repository, stdin=subprocess.DEVNULL,
                                      stdout=write, stderr=write, start_new_session=True, env=stage.environment())
        stage.children.append(self.child)
        os.close(write)
        self.follow(read)
        self.code = self.child.wait()

    def follow(self, source):
        rest = b""
        while True:
            try:
                part = os.read(source, 65536)
            except OSError:      # a terminal's way to say: closed
                part = b""
            if not part:
                break
            os.write(sys.stdout.fileno(), part)
            *whole, rest = (rest + part).split(b"\n")
            for line in whole:
                text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", line.decode(errors="replace"))
                self.lines.append((time.time(), text))
                self.notice(text)
        os.close(source)

    def notice(self, text):
        match = re.search(r"belay approve (\S+)", text)
        if match and not self.asked:
            self.asked, self.run = True, match.group(1)
            for name in ("amina", "leo"):
                say(f"    {name}'s own terminal $ belay approve {self.run} --key ~/.ssh/id_ed25519")
                self.stage.approve(self.run, name)
        match = re.match(r"\s*Run (\w+)", text)
        if match and not self.run:
            self.run = match.group(1)

    def when(self, pattern):
        return next((at for at, line in self.lines if re.search(pattern, line)), None)

    def text(self):
        return "\n".join(line for _, line in self.lines)


class Demonstration:
    def __init__(self, belay, keep):
        self.stage = stages.Stage(belay, keep)
        self.followed, self.figures = [], {}

    def follow(self, *arguments):
        self.followed.append(Followed(self.stage, arguments))
        return self.followed[-1]

    def deploy(self, number, expected, first=lambda: None):
        message = self.stage.commit_release(number)
        first()
        heading(f"release {number}: {message}")
        say(f"    {STORY[number]}")
        followed = self.follow("deploy", "--env", "production", "--ref", "main", "--yes")
        if followed.code == 4 and followed.asked:
            followed = self.follow("resume", followed.run)
        if followed.code != expected:
            raise stages.Trouble(f"release {number}: exit {followed.code}, expected {expected}")
        return followed

    def contents(self):
        """What nobody but a release may change: items without stock, past orders, indexes."""
        import bson
        database = self.stage.database
        return {
            "items": {each["_id"]: bson.encode({k: v for k, v in each.items() if k != "stock"})
                      for each in database.items.find()},
            "past orders": {each["_id"]: bson.encode(each) for each in database.orders.find({"release": "past"})},
            "indexes": {f"{name}.{index}": facts["key"] for name in ("items", "orders", "customers")
                        for index, facts in database[name].index_information().items()},
            "migrations": {each["_id"]: each["changed"] for each in database.migrations.find()},
        }

    def salvaged(self, text):
        """Order ids in the salvage that the rollback named."""
        match = re.search(r"belay salvage show (\S+)", text)
        if not match:
            return set()
        shown = self.stage.belay("salvage", "show", match.group(1), "--json").stdout
        return set(re.findall(r'"(order-[\w-]+)"', shown))

    def compare(self, before, rollback):
        """Differences between what there should be and what there is; nothing of it from Belay."""
        database, problems = self.stage.database, []
        now = self.contents()
        for part, was in before.items():
            wrong = [key for key in was.keys() | now[part].keys() if was.get(key) != now[part].get(key)]
            if wrong:
                problems.append(f"{part}: {len(wrong)} are not as before, such as {sorted(wrong)[0]}")
        lines = self.stage.ledger_lines()
        sent = {line["id"] for line in lines if line["kind"] == "sent"}
        acknowledged = {line["id"]: line["answer"] for line in lines if line["kind"] == "acknowledged"}
        stored = {each["_id"]: each for each in database.orders.find({"release": {"$ne": "past"}})}
        salvaged = self.salvaged(rollback.text()) - stored.keys()
        lost = sorted(acknowledged.keys() - stored.keys() - salvaged)
        if lost:
            problems.append(f"{len(lost)} acknowledged orders are neither in the database nor saved: {', '.join(lost[:5])}")
        unknown = sorted(stored.keys() - sent)
        if unknown:
            problems.append(f"{len(unknown)} orders that nobody sent: {', '.join(unknown[:5])}")
        for key in stored.keys() & acknowledged.keys():
            if stored[key]["total"] != acknowledged[key]["total"]:
                problems.append(f"{key}: total {stored[key]['total']}, acknowledged {acknowledged[key]['total']}")
        taken = {}
        for each in stored.values():
            for line in each["lines"]:
                taken[line["item"]] = taken.get(line["item"], 0) + line["quantity"]
        wrong = [each["_id"] for each in database.items.find({}, {"stock": 1})
                 if each["stock"] + taken.get(each["_id"], 0) != 10_000]
        if wrong:
            problems.append(f"stock and orders do not add up for {len(wrong)} items, such as {wrong[0]}")
        return problems, len(acknowledged), len(acknowledged.keys() & stored.keys()), len(acknowledged.keys() & salvaged)

    def play(self):
        stage = self.stage
        heading("a shop, its customers' database, and three reviewers with keys of their own")
        stage.start_database()
        stage.make_repository()
        self.deploy(1, 0, lambda: say(f"    {stage.seed()}; in {stage.folder}"))
        stage.start_customers()
        say(f"    customers from here on: 40 requests a second, ledger in {stage.ledger}")
        time.sleep(2)
        self.deploy(2, 0)
        before = self.contents()
        time.sleep(2)
        watcher = Watcher(stage.database, "003-prices-in-cents.js")
        bad = self.deploy(3, 1)
        watcher.over.set()
        time.sleep(3)          # the customers are served again
        statistics = stage.stop_customers()
        self.report(bad, watcher, statistics, *self.compare(before, bad))

    def report(self, bad, watcher, statistics, problems, acknowledged, kept, saved):
        heading("what happened, by the customers' own count")
        switched, noticed, back = (bad.when(each) for each in (r"\bswitch\b", r"Rolling back", r"^Rolled back"))
        failures = [line["at"] / 1000 for line in self.stage.ledger_lines() if line["kind"] == "failed"]
        after = sum(1 for at in failures if noticed and at > noticed)
        reverted = re.search(r"([\d,]+) reverted", bad.text())
        reverted = int(reverted.group(1).replace(",", "")) if reverted else 0
        lost = acknowledged - kept - saved
        self.figures = {**statistics, "damaged": watcher.changed, "reverted": reverted, "acknowledged": acknowledged,
                        "kept": kept, "saved": saved, "lost": lost, "failed_after_notice": after,
                        "noticed": noticed and switched and noticed - switched, "back": back and noticed and back - noticed}
        def row(name, text):
            say(f"  {name:<12}{text}")
        row("customers", f"{statistics['served']:,} requests served, longest answer "
                         f"{(statistics['milliseconds']['longest'] or 0) / 1000:.1f} s")
        row("", f"{statistics['failed']:,} failed: {len(failures) - after:,} while the migration did its damage, "
                f"{after:,} after Belay noticed")
        if switched and noticed:
            row("noticed", f"{noticed - switched:.1f} s after the switch")
        if noticed and back:
            row("back", f"{back - noticed:.1f} s after that: code and data")
        row("documents", f"{watcher.changed:,} damaged by the migration, "
                         f"{reverted:,} reverted, {saved:,} customers' orders saved aside")
        row("ledger", f"{acknowledged:,} orders acknowledged: {kept:,} in the database, {saved:,} in the salvage, "
                      f"{lost:,} lost")
        undo = re.search(r"belay rollback --undo \S+", bad.text())
        row("undo", undo.group(0) if undo else "(not told)")
        say()
        if problems or not watcher.changed or statistics["unanswered"]:
            for problem in problems:
                say(f"  WRONG: {problem}")
            if not watcher.changed:
                say("  WRONG: the migration did not run, so nothing was shown")
            raise stages.Trouble("the data is not what it should be")
        say("  Every item, order and index is as it was before release 3, and every order is accounted for.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--belay", default=stages.ROOT / "build/release/belay", help="the program to show")
    parser.add_argument("--keep", action="store_true", help="leave everything running")
    options = parser.parse_args()

    def ended(number, _frame):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, ended)
    signal.signal(signal.SIGHUP, ended)
    demonstration = Demonstration(options.belay, options.keep)
    stage = demonstration.stage
    try:
        demonstration.play()
        return 0
    except stages.Trouble as trouble:
        say(f"\nThe demonstration failed: {trouble}")
        return 1
    except KeyboardInterrupt:
        say("\nstopped; ending what was started")
        return 130
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)     # cleaning up is not interrupted
        stage.close()
        if options.keep:
            say(f"\nStill running: the shop on http://127.0.0.1:{stage.site_port}/, its API on "
                f"http://127.0.0.1:{stage.api_port}/api/items.\nPlay on:  cd {stage.repository} && "
                f"{stage.belay_program} status\nTo end it: kill these, then remove {stage.folder}")
            for pid, words in stage.left_running():
                say(f"  {pid}  {words[:90]}")


if __name__ == "__main__":
    sys.exit(main())
