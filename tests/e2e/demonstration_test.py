# SPDX-License-Identifier: Apache-2.0
"""The demonstration as a test: its own figures, what it leaves behind, and where no secret may be.

    demonstration_test.py --belay PROGRAM
"""
import argparse
import json
import os
import re
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import demonstration  # noqa: E402
import sentinels  # noqa: E402
import stage as stages  # noqa: E402

ODD = """/+=%&"'$~ é"""      # what quoting and encoding stumble over


class Recorded(stages.Stage):
    """The demonstration's stage with secrets worth looking for, in every place that takes one."""

    def __init__(self, belay):
        super().__init__(belay)
        self.passwords = {name: f"{value}{ODD}" for name, value in self.passwords.items()}
        self.check_password += ODD
        self.token = "eyJhbGciOiJIUzI1NiJ9." + os.urandom(16).hex() + ODD
        self.vault_key = os.urandom(32).hex()
        self.announced = self.folder / "announced"
        self.said = []

    def secrets(self):
        return {**super().secrets(), "JWT_SECRET": self.token, "BELAY_VAULT_KEY": self.vault_key}

    def sentinels(self):
        keys = {f"{name}'s private key": line for name in stages.PEOPLE
                for line in self.key(name).read_text().splitlines()[2:3]}
        return {**{f"{name}'s password": value for name, value in self.passwords.items()}, **keys,
                "the password of the check": self.check_password, "the token": self.token,
                "the vault's key": self.vault_key}

    def belay_yaml(self):
        text = super().belay_yaml()
        for old, new in (
                # A migration that blurts out what it was given, as some do.
                ("run: npm run db:migrate,", 'run: "printenv MONGODB_URI; npm run db:migrate",'),
                ("    run: exec node src/server.js\n",
                 '    run: exec node src/server.js\n    env: { JWT_SECRET: "${JWT_SECRET}" }\n'),
                ("environments:\n", 'vault: { key: "${BELAY_VAULT_KEY}" }\n\nenvironments:\n'),
                ("    first: true ", f"    notify: [{{ command: cat >> {self.announced} }}]\n    first: true ")):
            assert old in text, old
            text = text.replace(old, new, 1)
        return text

    def belay(self, *arguments, **options):
        done = super().belay(*arguments, **options)
        self.said += [done.stdout, done.stderr]
        return done


class TheDemonstration(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.demonstration = demonstration.Demonstration(options.belay, keep=False)
        cls.demonstration.stage.close()      # it had only its folder
        cls.stage = cls.demonstration.stage = Recorded(options.belay)
        cls.addClassCleanup(cls.stage.close)
        cls.arguments = sentinels.Arguments()
        cls.addClassCleanup(cls.arguments.stop)
        cls.demonstration.play()

    maxDiff = 2000

    def text(self, number):
        return "\n".join(each.text() for each in self.demonstration.followed if each.run == str(number))

    def test_1_two_releases_are_shipped_and_the_third_is_brought_back(self):
        self.assertEqual([each.code for each in self.demonstration.followed], [0, 0, 1])
        self.assertRegex(self.text(1), r"Shipped\. Customers are on prod-")
        self.assertRegex(self.text(2), r"to go back: belay rollback prod-")
        second = re.search(r"Shipped\. Customers are on (\S+)", self.text(2)).group(1)
        self.assertRegex(self.text(3), rf"Rolled back\. Customers are on {second}")
        self.assertIn("belay rollback --undo 3", self.text(3))
        status = json.loads(self.stage.belay("status", "--json").stdout)
        self.assertEqual(status["environments"][0]["live"]["release"], second)
        self.assertEqual(status["open_runs"], [])
        self.assertEqual(self.stage.git("tag", "-l").split(), sorted(
            re.search(r"Customers are on (\S+)", self.text(number)).group(1) for number in (1, 2)))

    def test_2_all_that_was_damaged_is_reverted_and_no_order_is_lost(self):
        figures = self.demonstration.figures
        self.assertGreater(figures["damaged"], 1000)
        self.assertEqual(figures["reverted"], figures["damaged"])
        self.assertGreater(figures["acknowledged"], 50)
        self.assertEqual(figures["lost"], 0)
        self.assertEqual(figures["acknowledged"], figures["kept"] + figures["saved"])
        self.assertEqual(figures["unanswered"], 0)

    def test_3_it_notices_and_is_back_within_seconds(self):
        figures = self.demonstration.figures
        self.assertLess(figures["noticed"], 10)
        self.assertLess(figures["back"], 30)
        # Those under way when the bad release was taken away may still hear its errors; none later.
        self.assertLess(figures["failed_after_notice"], 20)
        self.assertLess(figures["milliseconds"]["longest"], 25_000)

    def test_4_two_people_approved_each_release_and_the_journal_proves_it(self):
        for run in (1, 2, 3):
            events = map(json.loads, self.stage.belay("show", run, "--json").stdout.splitlines())
            votes = [each["body"] for each in events if each["event"] == "approval.vote"]
            self.assertEqual(sorted(each["person"] for each in votes), ["amina", "leo"])
        self.assertIn("6 signatures repeated", self.stage.belay("audit", "verify").stdout)

    def test_5_restore_points_and_salvage_are_whole(self):
        names = [json.loads(line)["name"] for line in self.stage.belay("backup", "list", "--json").stdout.splitlines()]
        self.assertLessEqual({"rp-1", "rp-2", "rp-3"}, set(names))
        self.assertEqual(self.stage.belay("backup", "verify").returncode, 0)
        self.assertEqual(self.stage.belay("health", "--report", self.stage.folder / "health.json").returncode, 0)

    def test_6_no_secret_is_anywhere_but_where_services_need_it(self):
        stage = self.stage
        for words in (["status"], ["history"], ["plan"], ["audit"], ["doctor"], ["backup", "show", "rp-3"],
                      ["salvage", "show", "salvage-3"], *([word, run] for word in ("show", "logs") for run in (1, 2, 3))):
            stage.belay(*words, check=False)
            stage.belay(*words, "--json", check=False)
        stage.said += [each.text() for each in self.demonstration.followed]
        self.assertIn("== migrate\n***\n", "".join(stage.said), "the migration did not say its URI")
        search = sentinels.Search(stage.sentinels())
        found = search.found_in("\n".join(stage.said), "what belay said")
        found += search.found_in(self.arguments.stop(), "the arguments of a process")
        found += search.found_in(sentinels.git_objects(stage.repository), "the git repository")
        allowed = [stage.folder / "secrets", stage.folder / "keys", stage.folder / "database",
                   *stage.state.glob("**/env")]
        self.assertGreater(self.arguments.rounds, 100)
        self.assertTrue(stage.announced.stat().st_size, "nothing was announced")
        self.assertTrue(list(stage.state.glob("**/env")), "no folder holds what services need")
        below, files = search.found_below(stage.folder, allowed)
        self.assertGreater(files, 500)
        self.assertEqual(found + below, [])
        for folder in stage.state.glob("**/env"):
            self.assertEqual(folder.stat().st_mode & 0o077, 0, folder)

    def test_7_what_belay_leaves_is_what_serves_and_the_demonstration_ends_that_too(self):
        stage = self.stage
        left = [words for _, words in sentinels.unfinished(stage.folder, {each.pid for each in stage.children})]
        strange = [words for words in left if not re.match(r"(runsv|svlogd|haproxy|node|/\S*/(runsv|svlogd|haproxy|node)) ", words)]
        self.assertEqual(strange, [])
        self.assertTrue(left)
        stage.close()
        self.assertEqual(sentinels.unfinished(stage.folder), [])
        self.assertFalse(stage.folder.exists())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--belay", required=True)
    options, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
