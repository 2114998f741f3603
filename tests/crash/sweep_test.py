# SPDX-License-Identifier: Apache-2.0
"""The sweep's own judgement: what it chooses, what it misses, what it takes for a difference."""
import collections
import contextlib
import io
import random
import unittest

import bson

import played
import sweep
from played import Point


def points(*labels, kind="journal"):
    whens = ("unwritten", "torn", "written") if kind == "journal" else ("before",)
    return [Point("ship", "deploy", f"{kind}:{number}:{when}", tuple(some))
            for number, some in enumerate(labels, 1) for when in whens]


class TheSweep(unittest.TestCase):
    def test_the_engines_kinds_are_read_from_its_table_and_its_gates(self):
        self.assertLessEqual({"migrate", "rewind", "switch", "approve", "lock", "ask"}, sweep.known_kinds())

    def test_a_kind_of_step_without_places_is_named(self):
        some = points(["intent test"], ["outcome test"], ["intent back rewind"], ["outcome back rewind"])
        self.assertEqual(sweep.unreached({"test", "rewind"}, some), [])
        self.assertEqual(sweep.unreached({"test", "rewind", "new_kind"}, some), ["new_kind"])

    def test_the_selection_has_a_place_before_and_after_each_effect_there_and_back(self):
        some = points(*[[f"{end} {back}{kind}"] for kind in ("start", "switch") for back in ("", "back ")
                        for end in ("intent", "outcome")])
        some += points(["during start"], kind="act")
        chosen, must = sweep.sample(some, random.Random(1))
        found = {(each.labels[0], each.at.split(":")[2]) for each in chosen}
        for kind in ("start", "back start", "switch", "back switch"):
            self.assertIn((f"intent {kind}", "written"), found)
            self.assertIn((f"outcome {kind}", "unwritten"), found)
        self.assertIn(("during start", "before"), found)
        self.assertEqual(must, 4)

    def test_where_a_kill_fell_is_read_from_the_journal(self):
        plan = {"steps": [{"id": "migrate", "kind": "migrate"}], "back": [{"id": "back:rewind", "kind": "rewind"}]}
        events = [{"kind": "run.created", "body": {"plan": plan}}, {"kind": "step.intent", "body": {"step": "migrate"}}]
        self.assertEqual(played.fallen(events), {"during migrate", "after intent migrate"})
        events += [{"kind": "step.outcome", "body": {"step": "migrate"}},
                   {"kind": "step.intent", "body": {"step": "back:rewind"}}]
        self.assertEqual(played.fallen(events), {"during back rewind", "after intent back rewind"})
        self.assertEqual(played.fallen([]), {"before the run"})

    def test_a_point_knows_whether_the_kill_fell_on_it(self):
        before = Point("bad", "deploy", "journal:9:written", ("intent migrate",))
        after = Point("bad", "deploy", "journal:10:unwritten", ("outcome migrate",))
        self.assertEqual(before.wants(), {"during migrate"})
        self.assertEqual(after.wants(), {"during migrate"})
        self.assertEqual(Point("bad", "deploy", "journal:1:written", ("run.created",)).wants(), {"after run.created"})

    def test_where_a_kill_did_not_fall_another_point_takes_its_turn(self):
        class Options:
            sample, workers, point, verbose = 1, 0, None, False
        some = points(["outcome announce"], ["outcome announce"], ["outcome tag"])
        asked, others = some[0], some[3:]
        running = sweep.Sweep(Options)
        running.order, running.instead, waiting = {asked: 0}, others, collections.deque()
        missed = {"point": asked, "ending": "done", "fell": {"after intent tag"}, "problems": [],
                  "kills": 1, "seconds": 0, "evidence": ""}
        for turn in range(len(sweep.NEAR)):
            running.take(dict(missed), asked, turn, waiting)
        self.assertEqual([point.labels for point, _ in waiting], [("outcome announce",)] + [asked.labels] * (len(sweep.NEAR) - 1))
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(running.table([asked]), ["announce"])

    def test_customers_are_turned_away_only_after_the_longest_wait_and_only_with_503(self):
        def events(held):
            return [{"kind": "step.outcome", "at": 1000, "body": {"step": "hold"}},
                    {"kind": "step.outcome", "at": 1000 + held, "body": {"step": "lift"}}]
        away, lost = (0, "order-1: 503 b'Back in a moment'"), (0, "order-2: ConnectionResetError()")
        self.assertTrue(played.turned_away(events(61_000), [away]))
        self.assertFalse(played.turned_away(events(3_000), [away]))
        self.assertFalse(played.turned_away(events(61_000), [away, lost]))
        self.assertFalse(played.turned_away([], [away]))

    def test_a_difference_is_told_with_both_sides(self):
        key, one, two = (bson.encode(each) for each in ({"_id": 1}, {"_id": 1, "a": 1}, {"_id": 1, "a": 1.0}))
        self.assertEqual(played.difference({key: one}, {key: one}), "no difference")
        self.assertIn("1 differ", played.difference({key: one}, {key: two}))
        self.assertIn("1 differ", played.difference({key: one}, {}))


if __name__ == "__main__":
    unittest.main()
