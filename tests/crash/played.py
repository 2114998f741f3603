# SPDX-License-Identifier: Apache-2.0
"""One run of the small shop, killed at one place or traced; what must be true of it afterwards."""
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import bson
from bson import json_util

import small_stage
from small_stage import STOCK, stages

LONGEST = 90         # seconds; a command that takes longer hangs
HOLD = 25_000        # milliseconds: what belay.yaml says where it says nothing
COMMANDS = 8         # more than this to bring a run to its end is a failure


@dataclass(frozen=True)
class Scenario:
    name: str
    starts: int              # which release is live before
    release: int = 0         # what is deployed; 0: a rollback
    asks: bool = False       # the data goes back after a person's answer
    ends: str = "done"       # when nothing disturbs it
    live: int = 0            # which release is live then
    votes: int = 2
    puts: bool = False       # back what an earlier way back has discarded of the orders


SCENARIOS = {each.name: each for each in (
    Scenario("first", 0, 1, live=1),
    Scenario("ship", 1, 2, live=2),
    Scenario("back", 2, live=1, votes=1),
    Scenario("bad", 1, 3, ends="rolled_back", live=1),
    Scenario("put", 1, live=1, votes=1, puts=True),
    Scenario("asked", 1, 4, asks=True, ends="rolled_back", live=1),
)}


@dataclass(frozen=True)
class Point:
    scenario: str
    role: str        # deploy, rollback, approve.1, approve.2, answer
    at: str          # journal:17:unwritten
    labels: tuple = ()   # of the trace: what this write says, or what is under way
    second: str = ""     # where the process that goes on is killed as well
    step: str = ""       # the step whose intent or outcome this write is, alone: "outcome back:rewind"

    def __str__(self):
        return f"{self.scenario} {self.role} {self.at}{' ' + self.second if self.second else ''} ({', '.join(self.labels)})"

    def place(self, run):
        """For the library; by what the write says, where that is one step's: counts can shift."""
        if not self.step:
            return self.at
        kind, _, step = self.step.partition(" ")
        return f"text:step.{kind}run-{run}.{step.replace(':', '.')}.1:{self.at.split(':')[2]}"

    def wants(self):
        """Where the kill must fall, as fallen() says it; empty: wherever it falls."""
        kind, _, when = self.at.split(":")
        if self.role.startswith("approve"):
            return set()      # another process is at work meanwhile
        if kind == "act" or not self.labels:
            return set(self.labels)
        begun = {each.replace("intent ", "during ") for each in self.labels if each.startswith("intent ")}
        ended = {each.replace("outcome ", "during ") for each in self.labels if each.startswith("outcome ")}
        if when == "written":
            return begun or {f"after {self.labels[-1]}"}
        return {each for each in ended if each not in ("during lock", "during approve")}


def step_kinds(events):
    """Step id -> (kind, whether it is on the way back), by the run's own plan."""
    plan = events[0]["body"]["plan"]
    return {**{each["id"]: (each["kind"], False) for each in plan["steps"]},
            **{each["id"]: (each["kind"], True) for each in plan["back"]}}


def label_of(event, kinds):
    kind, body = event["kind"], event["body"]
    if kind in ("step.intent", "step.outcome"):
        step, back = kinds[body["step"]]
        return f"{kind[5:]} {'back ' if back else ''}{step}"
    if kind == "approval.requested":
        return f"{kind} {kinds[body['step']][0]}"
    return kind


def fallen(events):
    """What is under way in a run with these events, and what its last one says."""
    if not events:
        return {"before the run"}
    kinds = step_kinds(events)
    begun = [(each["body"]["step"], label_of(each, kinds)) for each in events if each["kind"] == "step.intent"]
    over = {each["body"]["step"] for each in events if each["kind"] == "step.outcome"}
    under_way = {label.replace("intent ", "during ") for step, label in begun if step not in over}
    return under_way | {f"after {label_of(events[-1], kinds)}"}


class Tracer:
    """Hears of each place from the program, and looks into the journal while it waits."""

    def __init__(self, stage):
        self.stage, self.heard = stage, []
        self.path = tempfile.mktemp(prefix="trace-", dir=stage.folder)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        connection, _ = self.listener.accept()
        with connection, connection.makefile("rb") as lines:
            for line in lines:
                known = 0
                if not line.startswith(b"journal") or b":unwritten" in line:
                    found = self.stage.ask_journal("SELECT max(id) AS id FROM event")
                    known = (found[0]["id"] or 0) if found else 0
                self.heard.append((line.decode().strip(), known))
                connection.sendall(b"g")

    def close(self):
        self.thread.join(10)
        self.listener.close()


class Play:
    def __init__(self, stage, library, scenario, kill=None, traced=False):
        self.stage, self.library, self.scenario = stage, library, scenario
        self.before = stage.newest_run()
        self.kills = {} if kill is None else {kill.role: kill.place(self.before + 1)}
        if kill is not None and kill.second:
            self.kills["resume"] = kill.second
        self.traced, self.tracers = traced, {}
        self.killed, self.output = [], []
        self.run, self.ending = 0, ""
        self.discarded = stage.salvage_of_orders() if scenario.puts else None

    # --- commands -------------------------------------------------------------------------------

    def surroundings(self, role, user="dev@example.org"):
        env = self.stage.environment(BELAY_USER=user, BELAY_KILL_PROGRAM=self.stage.belay_program,
                                     BELAY_KILL_STATE=str(self.stage.state), LD_PRELOAD=str(self.library))
        if self.traced and role not in self.tracers:
            self.tracers[role] = Tracer(self.stage)
            return {**env, "BELAY_KILL_TRACE": self.tracers[role].path}
        if role in self.kills:
            return {**env, "BELAY_KILL_AT": self.kills.pop(role)}
        return self.stage.environment(BELAY_USER=user)

    def start(self, role, arguments, user="dev@example.org"):
        out = tempfile.TemporaryFile(dir=self.stage.folder)
        child = subprocess.Popen([self.stage.belay_program, *map(str, arguments)], cwd=self.stage.repository,
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                                 env=self.surroundings(role, user))
        self.stage.children.append(child)
        return child, out

    def ended(self, role, arguments, child, out):
        self.stage.children.remove(child)
        out.seek(0)
        text = out.read().decode(errors="replace")
        out.close()
        self.output.append(f"--- {role}: belay {' '.join(map(str, arguments))}: exit {child.returncode}\n{text}")
        if child.returncode == -signal.SIGKILL:
            run = self.stage.newest_run()
            self.killed.append((role, fallen(self.stage.events(run)) if run > self.before else fallen([])))

    def drive(self, role, arguments):
        """One command to its end; people vote while it waits for them."""
        child, out = self.start(role, arguments)
        deadline = time.monotonic() + LONGEST
        while child.poll() is None:
            if time.monotonic() > deadline:
                child.kill()
                child.wait()
                self.ended(role, arguments, child, out)
                raise stages.Trouble(f"{role} was not over after {LONGEST} s\n{''.join(self.output)}")
            self.vote()
            time.sleep(0.02)
        self.ended(role, arguments, child, out)

    def vote(self):
        run = self.stage.newest_run()
        if run <= self.before:
            return
        events = self.stage.ask_journal(
            "SELECT kind, body FROM event WHERE run_id = ? AND (kind LIKE 'approval.%' OR kind = 'step.outcome')", run)
        votes = sum(1 for each in events if each["kind"] == "approval.vote")
        asked = any(each["kind"] == "approval.requested" for each in events)
        if not asked or votes >= self.scenario.votes:
            return
        name, role = stages.PEOPLE[votes], f"approve.{votes + 1}"
        arguments = ["approve", run, "--key", self.stage.key(name)]
        child, out = self.start(role, arguments, name)
        child.wait(LONGEST)
        self.ended(role, arguments, child, out)
        if child.returncode not in (0, -signal.SIGKILL):
            raise stages.Trouble(f"{name} cannot approve: exit {child.returncode}\n{self.output[-1]}")

    def first_command(self):
        if self.scenario.release:
            return "deploy", ["deploy", "--env", "production", "--ref",
                              self.stage.commits[self.scenario.release], "--yes"]
        if self.scenario.puts:
            return "put", ["salvage", "apply", self.discarded, "--env", "production", "--collection", "shop.orders", "--yes"]
        return "rollback", ["rollback", self.stage.tags[1], "--env", "production", "--yes"]

    def next_command(self):
        """What a person would type now; none when the run has ended."""
        self.run = self.stage.newest_run()
        if self.run <= self.before:
            return self.first_command()
        row = self.stage.run_row(self.run)
        if row["state"] != "open":
            self.ending = row["state"]
            return None
        stopped = [each for each in self.stage.events(self.run) if each["kind"] in ("run.stopped", "run.resumed")]
        if not stopped or stopped[-1]["kind"] == "run.resumed":
            return "resume", ["resume", self.run]
        because = stopped[-1]["body"]["because"]
        if self.scenario.asks and "a person's decision" in because:
            return "answer", ["resume", self.run, "--rewind"]
        self.ending = "stopped: " + because
        return None

    def play(self):
        self.stage.write_file(self.scenario.asks)
        self.orders_before = self.stage.contents()[0]["orders"]
        self.effects_before = self.stage.effects.read_text().splitlines()
        self.stage.customer.go()
        began = time.monotonic()
        for _ in range(COMMANDS):
            command = self.next_command()
            if command is None:
                break
            self.drive(*command)
        else:
            self.ending = self.ending or f"not over after {COMMANDS} commands"
        self.seconds = time.monotonic() - began
        self.stage.customer.pause()
        for tracer in self.tracers.values():
            tracer.close()
        return self

    # --- what must be true ----------------------------------------------------------------------

    def problems(self):
        self.found = []
        customer = self.stage.customer
        events = self.stage.events(self.run) if self.run > self.before else []
        if self.ending not in ("done", "rolled_back"):
            return [f"the run did not end well: {self.ending or 'there is no run'}"]
        shipped = self.ending == "done"
        scenario = self.scenario
        live = (scenario.release or scenario.live) if shipped else scenario.starts
        if shipped and scenario.ends != "done":
            self.found.append("the bad release was shipped")
        if shipped and scenario.release:
            self.stage.tags[scenario.release] = self.release(events)
        self.check_journal(events)
        self.check_live(live)
        self.check_effects(shipped)
        self.check_points()
        self.check_processes(shipped, events)
        self.check_data(live, events)
        if scenario.ends == "done" and scenario.starts and customer.failed and not turned_away(events, customer.failed):
            self.found.append(f"{len(customer.failed)} customers' requests failed, the first: {customer.failed[0][1]}")
        return self.found

    @staticmethod
    def release(events):
        return events[0]["body"]["plan"]["release"]

    def expect(self, holds, text):
        if not holds:
            self.found.append(text)

    def check_journal(self, events):
        self.expect(self.stage.newest_run() == self.before + 1,
                    f"{self.stage.newest_run() - self.before} runs instead of one")
        locks = self.stage.ask_journal("SELECT * FROM env_lock")
        self.expect(not locks, f"a lock is left: {locks}")
        begun, done = Counter(), Counter()
        for each in events:
            if each["kind"] == "step.intent":
                begun[each["body"]["step"], each["body"]["attempt"]] += 1
            if each["kind"] == "step.outcome":
                done[each["body"]["step"]] += each["body"]["ok"]
        twice = [step for step, count in done.items() if count > 1] + [str(k) for k, count in begun.items() if count > 1]
        self.expect(not twice, f"done or begun twice: {twice}")
        self.expect(self.stage.belay("audit", "verify", check=False).returncode == 0, "the journal does not verify")

    def check_live(self, live):
        status = json.loads(self.stage.belay("status", "--json").stdout)
        tag = self.stage.tags[live]
        shown = status["environments"][0]["live"]["release"]
        self.expect(shown == tag, f"status says that {shown} is live, and it should be {tag}")
        self.expect(not status["open_runs"], f"status shows open runs: {status['open_runs']}")
        for _ in range(3):
            with urllib.request.urlopen(f"http://127.0.0.1:{self.stage.site_port}/", timeout=30) as answer:
                found = json.load(answer)
            self.expect(found == {"release": tag, "api": tag}, f"customers are served by {found}, not by {tag}")
        tags = set(self.stage.git("tag", "-l").split())
        self.expect(tags == self.stage.every_tag | {tag}, f"git tags: {tags ^ (self.stage.every_tag | {tag})} too many or missing")
        self.stage.every_tag |= {tag}

    def check_effects(self, shipped):
        lines = Counter(self.stage.effects.read_text().splitlines()[len(self.effects_before):])
        good = "put_back" if self.scenario.puts else "shipped" if self.scenario.release else "rolled_back"
        once = ["announce " + (good if shipped else "rolled_back")]
        if self.scenario.release:
            once += ["test", "build backend", "build frontend", "migrate"]
        # Who votes, or answers, before anybody is told needs not be told.
        perhaps = ["announce waiting"] * bool(self.scenario.votes) + ["announce stopped"] * bool(self.scenario.asks)
        for line, count in lines.items():
            self.expect(line in once + perhaps, f"an effect that should not be: {line}")
            self.expect(count == 1, f"{line}: {count} times")
        for line in once if shipped or self.scenario.ends == "rolled_back" else once[:1]:
            self.expect(lines[line] == 1 or self.ending == "rolled_back" and line != once[0], f"{line}: did not happen")

    def check_points(self):
        text = self.stage.belay("backup", "list", "--json").stdout
        names = [json.loads(line)["name"] for line in text.splitlines() if line.startswith("{")]
        mine = [name for name in names if name == f"rp-{self.run}"]
        wanted = 1 if self.scenario.release else 0
        self.expect(len(mine) == wanted, f"{len(mine)} restore points of this run, not {wanted}: {names}")
        leases = list((self.stage.state / "vault").rglob("leases/*"))
        self.leases = [each.name for each in leases]

    def check_processes(self, shipped, events):
        running = self.stage.left_running()
        if not shipped:
            release = self.release(events)
            left = [words for _, words in running if f"@{release}" in words]
            self.expect(not left, f"still running: {left}")
        left = [words for _, words in running if "belay" in Path(words.split(" ")[0]).name]
        self.expect(not left, f"still running: {left}")
        work = sorted(each.name for each in (self.stage.state / "work").iterdir())
        self.expect(not work, f"left in the work folder: {work}")

    def check_data(self, live, events):
        customer = self.stage.customer
        documents, catalogue = self.stage.contents()
        wanted, wanted_catalogue = self.stage.states[live]
        stored = documents["orders"]
        if self.scenario.puts:
            self.check_put_back(stored)
        taken = Counter()
        for raw in stored.values():
            order = bson.decode(raw)
            taken[order["item"]] += order["quantity"]
        self.expect(catalogue == wanted_catalogue, f"collections, options, indexes: {difference(wanted_catalogue, catalogue)}")
        for name in wanted.keys() | documents.keys():
            if name == "orders":
                continue
            expected = wanted.get(name, {})
            if name == "items":
                expected = {key: with_stock(raw, taken) for key, raw in expected.items()}
            self.expect(expected == documents.get(name, {}), f"{name}: {difference(expected, documents.get(name, {}))}")
        acknowledged = {**self.orders_before,
                        **{bson.encode({"_id": key}): raw for key, raw in customer.acknowledged.items()}}
        saved = self.salvaged() if acknowledged.keys() - stored.keys() else {}
        self.counts = {"acknowledged": len(customer.acknowledged), "saved": len(saved)}
        for key, raw in acknowledged.items():
            name = bson.decode(key)["_id"]
            if key in stored:
                self.expect(stored[key] == raw, f"{name}: {stored[key].hex()} is stored, {raw.hex()} was acknowledged")
            else:
                self.expect(saved.get(key) == raw, f"{name} was acknowledged, and is neither stored nor saved as it was")
        unknown = [bson.decode(key)["_id"] for key in stored.keys() - self.orders_before.keys()]
        unknown = [name for name in unknown if name not in customer.sent]
        self.expect(not unknown, f"orders that nobody sent: {unknown[:3]}")

    def check_put_back(self, stored):
        """The rest is judged without them: their items were counted long ago."""
        for key, raw in self.salvaged(self.discarded).items():
            self.expect(stored.pop(key, None) == raw, f"{bson.decode(key)['_id']} did not come back as it was")

    def salvaged(self, name=None):
        text = self.stage.belay("salvage", "show", name or f"salvage-{self.run}", "--json", check=False).stdout
        found = {}
        for line in text.splitlines():
            collection, _, rest = line.partition(" ")
            if collection == "shop.orders" and not rest.endswith("was absent"):
                document = json_util.loads(rest, json_options=json_util.CANONICAL_JSON_OPTIONS)
                found[bson.encode({"_id": document["_id"]})] = bson.encode(document)
        return found


def turned_away(events, failed):
    """Customers waited for as long as belay.yaml lets them, and then got 503: a writer that is killed within a
    transaction leaves it to the server, which holds it for a minute."""
    at = {each["body"]["step"]: each["at"] for each in events if each["kind"] == "step.outcome"}
    held = at.get("lift", 0) - at.get("hold", at.get("lift", 0))
    return held > HOLD and all(": 503 " in text for _, text in failed)


def with_stock(raw, taken):
    item = bson.decode(raw)
    if "stock" not in item:
        return raw
    item["stock"] = STOCK - taken[item["_id"]]
    return bson.encode(item)


def difference(wanted, found):
    wrong = [key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key)]
    if not wrong:
        return "no difference"
    show = [bson.decode(value) if isinstance(value, bytes) else value
            for value in (wrong[0], wanted.get(wrong[0]), found.get(wrong[0]))]
    return f"{len(wrong)} differ, such as {show[0]}: {show[2]} instead of {show[1]}"
