# SPDX-License-Identifier: Apache-2.0
"""A tiny application on a stage of its own, for everything that may go wrong."""
import argparse
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "tools"), str(HERE.parents[0] / "crash")]
import small_stage  # noqa: E402
import sentinels  # noqa: E402
import stage as stages  # noqa: E402

LONGEST = 120     # seconds; a command that takes longer hangs


class Visitor(threading.Thread):
    """Looks in every 30 ms, and remembers which releases answered, and what went wrong."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.answers, self.failed, self.over = port, [], [], threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(0.03):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=40)
                connection.request("GET", "/")
                answer = connection.getresponse()
                text = answer.read()
                connection.close()
                if answer.status == 200:
                    self.answers.append(json.loads(text)["release"])
                else:
                    self.failed.append(f"{answer.status} {text[:100]!r}")
            except (OSError, http.client.HTTPException) as error:
                self.failed.append(repr(error))

    def leave(self):
        self.over.set()
        self.join(60)


class Command:
    """A belay command under way, its output in a file."""

    def __init__(self, stage, arguments):
        self.arguments = arguments
        handle, self.path = tempfile.mkstemp(dir=stage.folder, prefix="said-")
        self.child = subprocess.Popen([stage.belay_program, *map(str, arguments)], cwd=stage.repository,
                                      stdin=subprocess.DEVNULL, stdout=handle, stderr=handle,
                                      start_new_session=True, env=stage.environment())
        os.close(handle)
        stage.children.append(self.child)

    def end(self):
        """(exit code, what it said)"""
        try:
            self.child.wait(LONGEST)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise stages.Trouble(f"belay {self.arguments} was not over after {LONGEST} s\n{self.text()}") from None
        return self.child.returncode, self.text()

    def text(self):
        return Path(self.path).read_text(errors="replace")


class HostileStage(small_stage.SmallStage):
    ITEMS = 300
    DURABLE = ("--sync-on-commit",)     # what was acknowledged is there after kill -9, as on a real server

    def __init__(self, belay, number):
        super().__init__(belay, number)
        self.flags = self.folder / "flags"
        self.flags.mkdir()
        self.count = 0

    def belay_yaml(self, busy="queue"):
        text = (HERE / "tiny/belay.yaml").read_text()
        words = {"STATE": self.state, "PORTS": self.ports, "SECRETS": self.folder / "secrets", "FLAGS": self.flags,
                 "PYTHON": stages.TOOLS / "venv/bin/python", "WHOEVER": stages.ME, "API_PORT": self.api_port, "BUSY": busy}
        for word in sorted(words, key=len, reverse=True):
            assert word in text, word
            text = text.replace(word, str(words[word]))
        return text

    def commit(self, behaviour):
        self.count += 1
        shutil.copytree(HERE / "tiny/app", self.repository / "app", dirs_exist_ok=True)
        (self.repository / "app/BEHAVIOUR").write_text(f"{behaviour}\n")
        (self.repository / "belay.yaml").write_text(self.belay_yaml())
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", f"{self.count}: {behaviour}")
        for flag in self.flags.iterdir():
            flag.unlink()

    def set_up(self):
        self.start_database()
        self.make_repository()
        self.database.items.insert_many({"_id": n, "name": f"Item {n}", "price": n + 0.99, "migrated": 0}
                                        for n in range(self.ITEMS))
        self.database.create_collection("empty")
        self.commit("good")
        code, text = self.start("deploy", "--yes").end()
        if code != 0:
            raise stages.Trouble(f"the first release: exit {code}\n{text}")

    def start(self, *arguments, **options):
        """`start(name, [program, ...])` is the stage's own: servers. Else a belay command."""
        if len(arguments) > 1 and isinstance(arguments[1], list):
            return super().start(*arguments, **options)
        return Command(self, arguments)

    def kill_database(self):
        os.kill(self.server.pid, signal.SIGKILL)
        self.server.wait()
        self.children.remove(self.server)

    def live(self):
        return json.loads(self.belay("status", "--json").stdout)["environments"][0]["live"]["release"]

    def wait_for_event(self, kind, step, after):
        """Until the newest run after `after` has this event of a step of this id."""
        def there():
            run = self.newest_run()
            return run > after and any(each["kind"] == kind and each["body"]["step"] == step for each in self.events(run)
                                       if each["kind"] == kind)
        stages.wait_until(there, 60, f"{kind} of {step}")


class Hostile(unittest.TestCase):
    """Each case begins and ends with a good release live, on one stage."""
    maxDiff = 2000
    NUMBER = 0
    STAGE = HostileStage

    @classmethod
    def setUpClass(cls):
        cls.stage = cls.STAGE(options().belay, cls.NUMBER)
        cls.addClassCleanup(cls.ended)
        cls.stage.set_up()

    @classmethod
    def ended(cls):
        cls.stage.close()
        left = sentinels.unfinished(cls.stage.folder)
        if left:
            raise stages.Trouble(f"left running: {left}")

    def setUp(self):
        self.resume()        # what a case that failed left behind would keep this one waiting
        self.live, self.before, self.run_before = self.stage.live(), self.stage.contents(), self.stage.newest_run()
        self.visitor = Visitor(self.stage.api_port)
        self.addCleanup(self.visitor.leave)
        stages.wait_until(lambda: self.visitor.answers, 10, "somebody is served")

    def ship(self, behaviour):
        self.stage.commit(behaviour)
        return self.stage.start("deploy", "--yes").end()

    def begin(self, behaviour):
        self.stage.commit(behaviour)
        command = self.under_way = self.stage.start("deploy", "--yes")
        # A case that fails must not keep the next ones waiting.
        self.addCleanup(command.child.wait, LONGEST)
        self.addCleanup(self.go_on)
        return command

    def go_on(self):
        (self.stage.flags / "go").touch()

    def migrating(self):
        try:
            stages.wait_until(lambda: (self.stage.flags / "migrating").exists(), 60, "the migration is halfway")
        except stages.Trouble as error:
            raise stages.Trouble(f"{error}\n{self.under_way.text()}") from None

    def resume(self):
        """What a person types while the newest run is not over."""
        said = []
        for _ in range(4):
            run = self.stage.newest_run()
            if self.stage.run_row(run)["state"] != "open":
                break
            said.append("%d\n%s" % self.stage.start("resume", run).end())
        return said

    def resume_to_the_end(self):
        """The newest run's state at last."""
        said = self.resume()
        state = self.stage.run_row(self.stage.newest_run())["state"]
        self.assertIn(state, ("done", "rolled_back", "failed"), "\n".join(said))
        return state

    def visited(self):
        """Which releases people saw from now on."""
        seen = len(self.visitor.answers)
        stages.wait_until(lambda: len(self.visitor.answers) > seen + 5, 20, "people are served")
        return set(self.visitor.answers[seen + 1:])

    def assert_as_before(self):
        """A failure that changed nothing, in the end: release, data, processes."""
        self.assertEqual(self.visited(), {self.live})
        self.assertEqual(self.stage.live(), self.live)
        self.assertEqual(self.stage.contents(), self.before)
        self.assert_at_rest()

    def assert_shipped(self, times=1):
        """A release that went through: seen by people, migrated once."""
        self.assertNotEqual(self.stage.live(), self.live)
        self.assertEqual(self.visited(), {self.stage.live()})
        counts = set(each["migrated"] for each in self.stage.database.items.find())
        was = small_stage.bson.decode(next(iter(self.before[0]["items"].values())))["migrated"]
        self.assertEqual(counts, {was + times})
        self.assert_at_rest()

    def assert_at_rest(self):
        status = json.loads(self.stage.belay("status", "--json").stdout)
        self.assertEqual(status["open_runs"], [])
        self.assertEqual(self.stage.ask_journal("SELECT * FROM env_lock"), [])
        self.assertEqual(self.stage.belay("audit", "verify", check=False).returncode, 0)


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--belay", required=True)
    return parser.parse_known_args()[0]


def main():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--belay")
    unittest.main(module="__main__", argv=[sys.argv[0], *parser.parse_known_args()[1]], verbosity=2)
