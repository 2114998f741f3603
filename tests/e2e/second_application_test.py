# SPDX-License-Identifier: Apache-2.0
"""An application of another stack, through README's commands: from `belay init` to a rollback, its undo,
and a rollback of the code alone. Of belay.yaml only what README names is edited.

    second_application_test.py --belay PROGRAM
"""
import argparse
import json
import os
import re
import shutil
import sys
import unittest
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import demonstration  # noqa: E402
import sentinels  # noqa: E402
import stage as stages  # noqa: E402

GUESTBOOK = stages.ROOT / "examples/guestbook"
SHOUT = """# SPDX-License-Identifier: Apache-2.0
def up(database):
    for entry in list(database.entries.find()):
        database.entries.update_one({"_id": entry["_id"]}, {"$set": {"line": entry["line"].upper()}})
    database.entries.create_index("line", name="entries_by_line")
"""


class Guestbook(stages.Stage):
    DATABASE = "guestbook"

    def __init__(self, belay):
        super().__init__(belay)
        # The project is called after its folder, and root's state is outside of ours.
        self.mark = f"guestbook-{os.urandom(4).hex()}"
        self.repository = self.folder / self.mark
        home = Path("/var/lib/belay") if os.geteuid() == 0 else self.folder / "home/.local/state/belay"
        self.state = home / self.mark
        # Root's services run as somebody else, who must come by here.
        self.folder.chmod(0o711)
        shutil.copytree(stages.TOOLS / "wheels", self.folder / "wheels")

    def environment(self, **more):
        found = super().environment(**more)
        found.pop("XDG_STATE_HOME", None)
        return {**{name: value for name, value in found.items() if not name.startswith("PIP_")},
                "HOME": str(self.folder / "home"), "MONGODB_URI": self.uri("shop_app"), **more}

    def close(self):
        super().close()
        shutil.rmtree(self.state, ignore_errors=True)

    def ask(self, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.api_port}{path}",
                                         data=json.dumps(body).encode() if body else None)
        with urllib.request.urlopen(request, timeout=40) as answer:
            return answer.read().decode()

    def live(self):
        return json.loads(self.ask("/health"))["release"]

    def sign(self, *names):
        for name in names:
            self.ask("/entries", {"id": name, "name": name.title(), "line": f"{name} was here"})

    def contents(self):
        database = self.database
        return {"entries": sorted((each["_id"], each["name"], each["line"]) for each in database.entries.find()),
                "migrations": sorted(each["_id"] for each in database.migrations.find()),
                "indexes": sorted(database.entries.index_information()),
                "collections": sorted(database.list_collection_names())}


class ASecondApplication(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.stage = Guestbook(options.belay)
        self.addCleanup(self.stage.close)

    def edit(self):
        """The three things that README says `belay init` cannot know; the third is in our environment."""
        path = self.stage.repository / "belay.yaml"
        text = path.read_text()
        people = ", ".join(f"{name}: {{ keys: [{self.public(name)}] }}" for name in ("amina", "leo"))
        for pattern, new in ((r"(?m)^# people: .*$", f"people: {{ {people} }}"),
                             (r"listen: 127\.0\.0\.1:8080", f"listen: 127.0.0.1:{self.stage.api_port}")):
            text, count = re.subn(pattern, new, text)
            self.assertEqual(count, 1, pattern)
        path.write_text(text)

    def public(self, name):
        return " ".join(self.stage.key(name).with_suffix(".pub").read_text().split()[:2])

    def belay(self, code, *arguments):
        done = self.stage.belay(*arguments, check=False)
        self.assertEqual(done.returncode, code, f"belay {arguments}\n{done.stdout}{done.stderr}")
        return done.stdout

    def follow(self, code, *arguments):
        followed = demonstration.Followed(self.stage, arguments)
        self.assertEqual(followed.code, code, followed.text())
        return followed

    def users_of_services(self):
        """The numbers of those whose programs work in a release."""
        found = set()
        for pid, _ in self.stage.left_running():
            place = Path(f"/proc/{pid}")
            if "/releases/" in os.readlink(place / "cwd"):
                found.add(place.stat().st_uid)
        self.assertTrue(found, "no service is running")
        return found

    def commit(self, message):
        self.stage.git("add", "-A")
        self.stage.git("commit", "-q", "-m", message)

    def ship(self):
        followed = self.follow(0, "deploy", "--yes")
        self.assertTrue(followed.asked, "nobody was asked")
        tag = re.search(r"Customers are on (\S+)", followed.text()).group(1)
        self.assertEqual(self.stage.live(), tag)
        return tag

    def test_goes_from_init_to_a_rollback_and_back_again(self):
        stage = self.stage
        stage.start_database()
        stage.make_repository()
        shutil.copytree(GUESTBOOK, stage.repository, dirs_exist_ok=True)
        (stage.repository / ".gitignore").write_text(".venv/\n__pycache__/\n")
        # Builds take their packages from what set-up fetched, and need no network.
        with (stage.repository / "requirements.txt").open("a") as requirements:
            requirements.write(f"--no-index\n--find-links {stage.folder}/wheels\n")

        self.belay(0, "init")
        self.edit()
        self.commit("The guestbook")
        self.assertNotIn("✗", self.belay(0, "doctor"))
        plan = self.belay(10, "plan")
        self.assertIn("amina", plan)
        self.assertFalse(stages.listens(stage.api_port), "a plan started something")

        first = self.ship()
        self.assertNotIn(0, self.users_of_services(), "a service runs as root")
        stage.sign("ada", "grace")
        before = stage.contents()
        self.assertEqual(before["migrations"], ["001_by_name.py"])
        kept = json.loads(next((stage.state / "backups").glob("rp-*-metadata.json")).read_text())
        self.assertIn(f"{kept['backup_name']}  ", self.belay(0, "backup", "list"))

        (stage.repository / "migrations/002_shout.py").write_text(SHOUT)
        page = stage.repository / "guestbook.py"
        page.write_text(page.read_text().replace("<h1>Guestbook</h1>", "<h1>GUESTBOOK</h1>"))
        self.commit("Louder")
        second = self.ship()
        self.assertIn("GUESTBOOK", stage.ask("/"))
        stage.sign("linus")
        louder = stage.contents()
        self.assertEqual([line for _, _, line in louder["entries"]], ["ADA WAS HERE", "GRACE WAS HERE", "linus was here"])
        self.assertIn("entries_by_line", louder["indexes"])

        preview = self.belay(10, "rollback", "--dry-run")
        self.assertIn(first, preview)
        self.assertRegex(preview, r"2 reverted, 1 taken back")
        self.assertEqual((stage.live(), stage.contents()), (second, louder), "a dry run changed something")

        back = self.follow(0, "rollback", "--yes")
        self.assertEqual((stage.live(), stage.contents()), (first, before))
        self.assertNotIn("GUESTBOOK", stage.ask("/"))
        self.assertIn("linus", self.belay(0, "salvage", "show", f"salvage-{back.run}"))

        self.assertIn(f"to go forward again:       belay rollback {second}\n", back.text() + "\n")
        undone = self.follow(0, "rollback", "--undo", back.run, "--yes")
        self.assertEqual((stage.live(), stage.contents()), (first, louder), "--undo is for the data")
        again = self.follow(0, "rollback", "--undo", undone.run, "--yes")
        self.assertEqual((stage.live(), stage.contents()), (first, before))
        stage.sign("alan")

        self.follow(0, "rollback", second, "--yes")
        # What was written since is nobody's to take back: the salvage has only what was there before.
        louder["entries"] = sorted([*louder["entries"], ("alan", "Alan", "alan was here")])
        self.assertEqual((stage.live(), stage.contents()), (second, louder), "a rollback is rolled back")
        self.assertIn("GUESTBOOK", stage.ask("/"))

        code = self.follow(0, "rollback", "--code-only", "--yes")
        self.assertEqual((stage.live(), stage.contents()), (first, louder))
        self.assertIn(f"belay rollback {second} --code-only", code.text())
        stage.sign("barbara")
        self.follow(0, "rollback", second, "--code-only", "--yes")
        self.assertEqual(stage.live(), second)
        self.assertEqual(len(stage.contents()["entries"]), 5)

        self.assertEqual(stage.git("tag", "-l").split(), sorted([first, second]))
        for tag in (first, second):
            self.assertEqual(stage.git("cat-file", "-t", tag), "tag")
        self.assertIn("HEALTHY", self.belay(0, "health"))
        self.belay(0, "audit", "verify")
        self.belay(0, "backup", "verify")
        self.assertIn(f"{again.run}  ", self.belay(0, "history"))
        stage.close()
        self.assertEqual(sentinels.unfinished(stage.mark), [])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--belay", required=True)
    options, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
