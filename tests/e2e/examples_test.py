# SPDX-License-Identifier: Apache-2.0
"""The worked examples of the target `command`, as they are in examples/, with stand-ins for the platforms'
programs: there and back, a release that fails, lost answers, a killed Belay, a machine that goes down.

    examples_test.py --belay PROGRAM
"""
import argparse
import contextlib
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import unittest
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent / "tools")]
import sentinels  # noqa: E402
import stage as stages  # noqa: E402


class Healthy(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Example(stages.Stage):
    def __init__(self, belay, name):
        super().__init__(belay)
        self.bin = self.folder / "bin"
        shutil.copytree(TESTS / "fake/bin", self.bin)
        self.site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
        threading.Thread(target=self.site.serve_forever, daemon=True).start()
        self.make_repository()
        shutil.copytree(stages.ROOT / "examples" / name, self.repository, dirs_exist_ok=True)
        # Nobody of a test is asked elsewhere, or for a minute; and the state is ours.
        file = self.repository / "belay.yaml"
        text, count = re.subn(r'url: "https://[^"]*"', f'url: "http://127.0.0.1:{self.site.server_address[1]}/health"', file.read_text())
        assert count == 1
        text = text.replace("    checks:\n", "    watch: 500ms\n    first: true\n    checks:\n")
        file.write_text(f"state: {self.state}\n{text}")

    def environment(self, **more):
        path = f"{self.bin}:{stages.TOOLS}/venv/bin:/usr/local/bin:/usr/bin:/bin"
        return super().environment(**{"PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **more})

    def close(self):
        self.site.shutdown()
        self.site.server_close()
        super().close()

    def commit(self, text, broken=False):
        mark = self.repository / "backend/broken"
        mark.unlink(missing_ok=True)
        if broken:
            mark.touch()
        (self.repository / "backend/page").write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", text)

    def orders(self):
        path = self.bin / "orders"
        return path.read_text().split("\n")[:-1] if path.exists() else []

    def trouble(self, program, verb, what, times=1):
        (self.bin / "trouble.json").write_text(json.dumps({"program": program, "verb": verb, "what": what, "times": times}))


class Examples:
    """One class below for each platform: its `name`, and the program and verb that make a release live."""

    def setUp(self):
        self.stage = Example(options.belay, self.name)
        self.addCleanup(self.stage.close)
        self.ship("one")

    def belay(self, *arguments, code=0):
        done = self.stage.belay(*arguments, check=False)
        self.assertEqual(done.returncode, code, f"belay {arguments}\n{done.stdout}{done.stderr}\n{self.stage.orders()}")
        self.assertFalse((self.stage.bin / "complaints").exists() and (self.stage.bin / "complaints").read_text())
        return done.stdout + done.stderr

    def ship(self, text, code=0, broken=False):
        """The new release's tag."""
        self.stage.commit(text, broken)
        self.belay("deploy", "--yes", code=code)
        return [each for each in self.stage.orders() if each.startswith("build ")][-1].split()[1]

    def live(self):
        """As the platform's own program tells it."""
        told = subprocess.run([sys.executable, f"{self.stage.repository}/ops/{self.name}.py", "status", *self.words], text=True,
                              capture_output=True, env=self.stage.environment(BELAY_RELEASE="any"), check=False)
        return told.stdout.strip().removeprefix("live").strip()

    def made(self, tag):
        """How often it was made live."""
        return sum(each == f"{self.verb} {tag}" for each in self.stage.orders())

    def test_two_releases_go_out_and_one_comes_back_without_a_build(self):
        one, two = self.live(), self.ship("two")
        self.assertEqual(self.live(), two)
        before = len(self.stage.orders())
        self.belay("rollback", "--yes")
        self.assertEqual(self.live(), one)
        self.assertEqual(self.stage.orders()[before:], [f"{self.verb} {one}"])

    def test_a_release_that_does_not_come_up_is_taken_back(self):
        one = self.live()
        bad = self.ship("bad", code=1, broken=True)
        self.assertEqual(self.live(), one)
        self.assertEqual(self.made(bad), 1)
        good = self.ship("good")
        self.assertEqual(self.live(), good)

    def test_an_order_whose_answer_is_lost_is_not_given_twice(self):
        self.stage.trouble(self.program, self.verb, "lost")
        two = self.ship("two")
        self.assertEqual((self.live(), self.made(two)), (two, 1))

    def test_an_order_that_fails_goes_back(self):
        one = self.live()
        self.stage.trouble(self.program, self.verb, "fail")
        self.ship("two", code=1)
        self.assertEqual(self.live(), one)

    def test_where_what_is_live_cannot_be_told_nothing_is_changed(self):
        one = self.live()
        self.stage.trouble(self.program, self.looks, "fail", 99)
        self.stage.commit("two")
        done = self.stage.belay("deploy", "--yes", check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.stage.trouble(self.program, self.looks, "fail", 0)
        self.assertEqual(self.live(), one)

    def interrupted(self, machine_too):
        """Killed while the platform's program is at work and has had its effect; resumed later."""
        self.stage.trouble(self.program, self.verb, "hang")
        self.stage.commit("two")
        child = subprocess.Popen([self.stage.belay_program, "deploy", "--yes"], cwd=self.stage.repository, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=self.stage.environment())
        self.stage.children.append(child)
        stages.wait_until((self.stage.bin / "hangs").exists, 60, "the order is given")
        child.kill()
        child.wait()
        if machine_too:
            for pid, _ in sentinels.unfinished(self.stage.folder):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        else:
            (self.stage.bin / "go").touch()
        run = re.search(r"belay resume (\S+),", self.stage.belay("status", check=False).stderr).group(1)
        self.belay("resume", run)
        two = self.stage.git("tag", "-l").split()[-1]
        self.assertEqual((self.live(), self.made(two)), (two, 1))

    def test_a_killed_belay_takes_over_what_it_had_begun(self):
        self.interrupted(False)

    def test_after_a_machine_went_down_it_is_found_out_what_was_done(self):
        self.interrupted(True)


class Fly(Examples, unittest.TestCase):
    name, program, verb, looks, words = "fly", "fly", "deploy", "releases", ("shop-backend",)


class Kubernetes(Examples, unittest.TestCase):
    name, program, verb, looks, words = "kubernetes", "kubectl", "apply", "get", ("backend", "registry.example.org/shop/backend")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--belay", required=True)
    options, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
