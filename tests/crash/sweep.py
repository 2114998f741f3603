# SPDX-License-Identifier: Apache-2.0
"""The kill sweep: kill -9 wherever a crash may fall in a deploy, and on its way back.

The places are taken from a trace of undisturbed runs. At each, the program is killed; then what a
person would type is typed until the run has ended; then the journal, the customers, the data, the
restore points and the effects are looked at.

    sweep.py --belay PROGRAM --library kill_at.so             every place
    sweep.py ... --sample SECONDS [--seed N]                  some: every kind of step, there and back
    sweep.py ... --point "ship deploy journal:12:written"     this one, and all that was seen
"""
import argparse
import collections
import multiprocessing
import multiprocessing.connection
import random
import re
import signal
import sys
import time
import traceback
from dataclasses import replace
from pathlib import Path

import small_stage
from played import SCENARIOS, Play, Point, fallen, label_of, step_kinds, with_stock
from small_stage import stages

FRESH = 20                    # plays on one stage: the test server reads its whole log each time
NEAR = (0, 1, -1, 2, -2, 3, -3)      # a place that moved, because two writes became one, is looked for here


def known_kinds():
    """The kinds of steps that the engine knows: its table, and its gates."""
    engine = stages.ROOT / "src/engine"
    table = re.findall(r'table\["(\w+)"\]', (engine / "steps/steps.cpp").read_text())
    gates = re.findall(r'step\.kind == "(\w+)"', (engine / "step.cpp").read_text())
    assert table and gates, "the engine's table of kinds has another form now"
    # Never in a plan: GitHub is told and asked between steps (tests/engine/follow_test.cpp).
    return (set(table) | set(gates)) - {"follow", "reviews"}


# --- the trace ------------------------------------------------------------------------------------

def only_step(said):
    return len(said) == 1 and said[0]["kind"] in ("step.intent", "step.outcome")


def journal_points(scenario, role, heard, events, kinds):
    """Three places for each durable write, with what the write says."""
    begun = [(at.split(":")[1], known) for at, known in heard if at.startswith("journal") and "unwritten" in at]
    own = [each for each in events if (each["kind"] == "approval.vote") == role.startswith("approve")
           and (each["kind"] == "run.resumed" or role != "answer" or each["id"] > begun[0][1])]
    for place, (number, known) in enumerate(begun):
        until = begun[place + 1][1] if place + 1 < len(begun) else float("inf")
        said = [each for each in own if known < each["id"] <= until]
        if role == "deploy" and place + 1 == len(begun):
            said = said[:1]
        labels = tuple(label_of(each, kinds) for each in said)
        step = said[0]["kind"][5:] + " " + said[0]["body"]["step"] if only_step(said) else ""
        for when in ("unwritten", "torn", "written"):
            yield Point(scenario, role, f"journal:{number}:{when}", labels, step=step)


def act_points(scenario, role, heard, events, most):
    """What the world could see of each step, a few places of each."""
    within = collections.defaultdict(list)
    for at, known in heard:
        if not at.startswith("act"):
            continue
        under_way = [each for each in fallen([e for e in events if e["id"] <= known]) if each.startswith("during")]
        if under_way:
            within[tuple(sorted(under_way))].append(at)
    for labels, found in within.items():
        step = max(1, len(found) // most)
        for at in found[step // 2::step]:
            yield Point(scenario, role, at, labels)


def points_of(play, acts):
    events = play.stage.events(play.run)
    kinds = step_kinds(events)
    for role, tracer in play.tracers.items():
        yield from journal_points(play.scenario.name, role, tracer.heard, events, kinds)
        yield from act_points(play.scenario.name, role, tracer.heard, events, acts)


# --- a worker: a stage of its own -----------------------------------------------------------------

class Worker:
    def __init__(self, options, number):
        self.options, self.number, self.stage, self.stages, self.plays, self.live = options, number, None, 0, 0, 0

    def play(self, name, **how):
        self.live = 0       # not known until it went well
        self.plays += 1
        play = Play(self.stage, self.options.library, SCENARIOS[name], **how).play()
        if name == "ship" and 2 not in self.stage.states:
            documents, catalogue = self.stage.contents()
            documents["items"] = {key: with_stock(raw, collections.Counter()) for key, raw in documents["items"].items()}
            self.stage.states[2] = documents, catalogue
        problems = play.problems()
        if play.scenario.puts:
            self.stage.clear_orders()
        if not problems:
            self.live = play.scenario.starts if play.ending == "rolled_back" else play.scenario.live
        return play, problems

    def undisturbed(self, name, **how):
        play, problems = self.play(name, **how)
        if play.ending != play.scenario.ends:
            problems.append(f"it ended {play.ending}, not {play.scenario.ends}")
        if problems:
            raise stages.Trouble(f"{name}, undisturbed: {problems}\n{self.evidence(play)}")
        return play

    def set_up(self):
        if self.stage is not None:
            self.stage.close()
        self.stage = small_stage.SmallStage(self.options.belay, self.stages % 6 * 4 + self.number)
        self.stages, self.plays = self.stages + 1, 0
        self.stage.tags, self.stage.every_tag = {}, set()
        self.stage.set_up()
        self.stage.states = {1: self.stage.contents()}
        self.undisturbed("first")

    def go_to(self, live):
        """To where a scenario starts."""
        if self.stage is None or self.live == 0 or self.plays > FRESH:
            self.set_up()
        if 2 not in self.stage.states or live == 2 and self.live == 1:
            self.undisturbed("ship")
        if live == 1 and self.live == 2:
            self.undisturbed("back")
        if live == 1:
            self.stage.clear_orders()

    def ready_for(self, name):
        self.go_to(SCENARIOS[name].starts)
        while SCENARIOS[name].puts and self.stage.salvage_of_orders() is None:
            self.go_to(2)
            self.go_to(1)

    def trace(self):
        points = []
        for name in ("ship", "back", "put", "bad", "asked"):
            self.ready_for(name)
            points += points_of(self.undisturbed(name, traced=True), self.options.acts)
        return points

    def one(self, point):
        self.ready_for(point.scenario)
        began = time.monotonic()
        play, problems = self.play(point.scenario, kill=point)
        fell = next((where for role, where in play.killed if role == point.role), None)
        return {"point": point, "ending": play.ending, "fell": fell, "problems": problems,
                "kills": len(play.killed), "seconds": time.monotonic() - began, "evidence": self.evidence(play)
                if problems or self.options.point else ""}

    def evidence(self, play):
        events = self.stage.events(play.run) if play.run else []
        lines = [f"{each['at'] - events[0]['at']:7} {label_of(each, step_kinds(events))} "
                 f"{each['body'].get('error', '')[:300]}" for each in events]
        return "".join(play.output) + "\n".join(lines)


def work(options, number, pipe):
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: sys.exit(1))
    worker = Worker(options, number)
    try:
        for task in iter(pipe.recv, None):
            try:
                answer = worker.trace() if task == "trace" else worker.one(task)
            except Exception as error:      # told, and the next point gets a new stage
                worker.live = 0
                answer = {"point": task, "ending": "", "fell": None, "problems": [f"{type(error).__name__}: {error}"],
                          "kills": 0, "seconds": 0, "evidence": traceback.format_exc()}
            pipe.send((answer, worker.live))
    finally:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)
        if worker.stage is not None:
            worker.stage.close()


# --- the sweep ------------------------------------------------------------------------------------

def places_of(point):
    """A place is a kind of step or of event, there or on the way back."""
    return [re.sub(r"^(intent|outcome|during) ", "", label) for label in point.labels]


def places(points):
    found = collections.defaultdict(list)
    for point in points:
        for place in places_of(point):
            found[place].append(point)
    return found


def kinds_of(points):
    kinds = {place.removeprefix("back ").removeprefix("approval.requested ") for place in places(points)}
    return kinds | ({"ask"} if any("run.stopped" in point.labels for point in points) else set())


def unreached(known, points):
    return sorted(known - kinds_of(points))


def sample(points, chance):
    """For each kind of step, there and back, a place before its effect, one after, one within."""
    chosen = []
    for place, here in sorted(places(points).items()):
        before = [each for each in here if f"intent {place}" in each.labels and each.at.endswith(":written")]
        after = [each for each in here if f"outcome {place}" in each.labels and each.at.endswith(":unwritten")]
        within = [each for each in here if each.at.startswith("act")]
        others = [] if before or after else [each for each in here if not each.at.startswith("act")]
        chosen.append([chance.choice(some) for some in (after, before, within, others) if some])
    chance.shuffle(chosen)
    # The first of each place come first, so that a slow machine still sees each.
    rows = [[some[turn] for some in chosen if turn < len(some)] for turn in range(3)]
    unique = list(dict.fromkeys(point for row in rows for point in row))
    return unique, len(set(rows[0]))


def by_number(points):
    """All places one after the other: each journal write has its turn, whatever it says this time."""
    return [replace(each, step="") for each in points]


def with_seconds(points, chance):
    """Those within effects: the process that goes on is killed as well."""
    return [replace(each, second=f"journal:{chance.randint(1, 12)}:written") if each.at.startswith("act") else each
            for each in points]


class Sweep:
    def __init__(self, options):
        self.options, self.answers, self.moved = options, [], 0
        self.workers = []
        for number in range(options.workers):
            here, there = multiprocessing.Pipe()
            child = multiprocessing.Process(target=work, args=(options, number, there))
            child.start()
            self.workers.append((child, here))

    def close(self):
        for child, pipe in self.workers:
            try:
                pipe.send(None)
            except OSError:
                pass
        for child, _ in self.workers:
            child.join(60)

    def trace(self):
        pipe = self.workers[0][1]
        pipe.send("trace")
        points, _ = pipe.recv()
        if isinstance(points, dict):
            raise stages.Trouble(f"the trace: {points['problems'][0]}\n{points['evidence']}")
        return points

    def run(self, points, must, until, others):
        """The first `must` points in any case; the others as long as there is time. Where a kill of those
        did not fall, another point of the same place takes its turn."""
        self.instead = sorted((each for each in others if each not in set(points)), key=lambda each: not each.wants())
        waiting = collections.deque((point, 0) for point in points)
        self.order = {point: place for place, point in enumerate(points)}
        busy, live = {}, {number: 0 for number in range(len(self.workers))}
        while waiting or busy:
            for number, (_, pipe) in enumerate(self.workers):
                task = None if number in busy else self.next(waiting, live[number], must, until)
                if task is not None:
                    busy[number] = task
                    pipe.send(self.shifted(*task))
            if not busy:
                break
            for pipe in multiprocessing.connection.wait([self.workers[number][1] for number in busy]):
                number = next(n for n, (_, each) in enumerate(self.workers) if each is pipe)
                answer, live[number] = pipe.recv()
                self.take(answer, *busy.pop(number), waiting)
        return len(waiting)

    @staticmethod
    def shifted(point, turn):
        kind, number, when = point.at.split(":")
        return point if point.step else replace(point, at=f"{kind}:{max(1, int(number) + NEAR[turn])}:{when}")

    def next(self, waiting, live, must, until):
        late = time.monotonic() > until
        for place, (point, turn) in enumerate(waiting):
            if late and self.order[point] >= must:
                continue
            if live in (0, SCENARIOS[point.scenario].starts):
                del waiting[place]
                return point, turn
        for place, (point, turn) in enumerate(waiting):
            if not late or self.order[point] < must:
                del waiting[place]
                return point, turn
        return None

    def take(self, answer, point, turn, waiting):
        missed = answer["fell"] is None or point.wants() and not point.wants() & answer["fell"]
        if missed and not answer["problems"] and turn + 1 < len(NEAR) and point.at.startswith("journal"):
            self.moved += 1
            waiting.appendleft((point, turn + 1))
        elif missed and not answer["problems"] and self.options.sample:
            self.take_turns(point, waiting)
        answer["missed"] = missed
        answer["asked"] = point
        self.answers.append(answer)
        if answer["problems"] or self.options.point or self.options.verbose:
            print(f"{answer['point']}: {answer['ending']}, {answer['kills']} kills, {answer['seconds']:.1f} s"
                  f"{', missed: ' + str(answer['fell']) if missed else ''}", flush=True)
        for problem in answer["problems"]:
            print(f"  WRONG: {problem}", flush=True)
        if answer["evidence"]:
            print("    | " + answer["evidence"].replace("\n", "\n    | "), flush=True)

    def take_turns(self, point, waiting):
        seen = {place for each in self.answers if not each["missed"] for place in places_of(each["asked"])}
        for place in set(places_of(point)) - seen:
            other = next((each for each in self.instead if place in places_of(each)), None)
            if other is not None:
                self.instead.remove(other)
                self.order[other] = self.order[point]
                waiting.appendleft((other, 0))

    def table(self, points):
        print(f"\n{'':<22}{'points':>7}{'kills':>7}{'done':>7}{'rolled back':>13}{'a person':>10}{'wrong':>7}{'s each':>8}")
        rows = collections.defaultdict(list)
        for each in self.answers:
            kind, _, when = each["point"].at.split(":")
            rows[each["point"].scenario, f"{each['point'].scenario}: {kind} {when}"].append(each)
        rows["", "all"] = self.answers
        for (_, name), some in sorted(rows.items(), key=lambda row: (row[0][0] == "", row[0])):
            endings = collections.Counter(each["ending"].split(":")[0] for each in some)
            print(f"{name:<22}{len(some):>7}{sum(each['kills'] for each in some):>7}{endings['done']:>7}"
                  f"{endings['rolled_back']:>13}{endings['stopped']:>10}{sum(bool(e['problems']) for e in some):>7}"
                  f"{sum(e['seconds'] for e in some) / max(1, len(some)):>8.1f}")
        seen = {place for each in self.answers if not each["missed"] for place in places_of(each["asked"])}
        return sorted(places(points).keys() - seen)


def chosen_points(options, points, chance):
    if options.point:
        scenario, role, at, *second = options.point.split()
        return [Point(scenario, role, at, (), *second)], 1
    if options.sample:
        some, must = sample(points, chance)
        both = with_seconds(some, chance)
        return both, must
    some = [each for each in with_seconds(by_number(points), chance) if options.only in str(each)]
    return some, len(some)


def sweep(options):
    began = time.monotonic()
    seed = options.seed if options.seed is not None else random.randrange(1 << 32)
    chance = random.Random(seed)
    running = Sweep(options)
    try:
        traced = running.trace()
        missing = unreached(known_kinds(), traced)
        if missing:
            print(f"WRONG: kinds of steps that the sweep does not reach: {', '.join(missing)}; "
                  "give tests/crash a scenario with them")
        points, must = chosen_points(options, traced, chance)
        writes = sum(1 for each in traced if each.at.startswith("journal") and each.at.endswith(":written"))
        print(f"{len(traced)} places in {len(SCENARIOS) - 1} runs: {writes} journal writes, each before, torn and after; "
              f"the others are within effects. {len(points)} are killed, seed {seed}", flush=True)
        others = chance.sample(traced, len(traced))
        left = running.run(points, must, began + (options.sample or 1e9), others)
        unseen = running.table(points[:must] if options.sample else points)
        wrong = sum(bool(each["problems"]) for each in running.answers)
        print(f"\n{len(running.answers)} points, {wrong} wrong, {running.moved} looked for nearby, {left} left out, "
              f"seed {seed}, {time.monotonic() - began:.0f} s")
        if unseen and not options.only and not options.point:
            print(f"WRONG: no kill fell on: {', '.join(unseen)}")
        return 1 if wrong or missing or (unseen and not options.only and not options.point) else 0
    finally:
        running.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--belay", default=stages.ROOT / "build/release/belay", type=Path, help="the program")
    parser.add_argument("--library", default=stages.ROOT / "build/release/tests/crash/kill_at.so", type=Path)
    parser.add_argument("--sample", type=float, metavar="SECONDS", help="a selection, about so long")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--only", default="", help="only points whose text has this")
    parser.add_argument("--point", help="one point: SCENARIO ROLE AT [SECOND]")
    parser.add_argument("--acts", type=int, default=6, help="places within each effect, of all that there are")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--verbose", action="store_true", help="a line for each point")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    for needed in (options.belay, options.library):
        if not needed.exists():
            parser.error(f"{needed} is missing: build it first (targets belay and kill_at)")
    options.belay, options.library = options.belay.resolve(), options.library.resolve()
    return sweep(options)


if __name__ == "__main__":
    sys.exit(main())
