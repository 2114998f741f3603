#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Code only, back to the version that was kept warm: from the keypress to the last answer of the bad one.

    build/tools/venv/bin/python -B bench/rollback_bench.py BELAY

A customer asks the shop without a pause, each time on a new connection. The floor is starting the
program: the best that any command can do.
"""
import argparse
import http.client
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tools"))
import stage as stages  # noqa: E402

GOAL = 1.0


class Stage(stages.Stage):
    """The shop, of which nobody has to approve anything."""

    def belay_yaml(self):
        lines = [line for line in super().belay_yaml().splitlines() if "approvals:" not in line]
        text = "\n".join(lines) + "\n"
        assert "watch: 8s" in text
        return text.replace("watch: 8s", "watch: 0s")


class Customer(threading.Thread):
    """Which release answered, and when."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.answers, self.failed, self.over = port, [], 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
                connection.request("GET", "/api/health")
                answer = connection.getresponse()
                answer.read()
                self.answers.append((time.monotonic(), answer.getheader("x-release")))
                self.failed += answer.status >= 500
                connection.close()
            except OSError:
                self.failed += 1


def measure(stage):
    stage.start_database()
    stage.make_repository()
    stage.commit_release(1)
    stage.seed()
    for number in (1, 2):
        if number > 1:
            stage.commit_release(number)
        stage.belay("deploy", "--env", "production", "--ref", "main", "--yes", timeout=300)
    customer = Customer(stage.api_port)
    stages.wait_until(lambda: len(customer.answers) > 50, 30, "the shop answers")
    bad = customer.answers[-1][1]
    pressed = time.monotonic()
    stage.belay("rollback", "--env", "production", "--code-only", "--yes", timeout=120)
    ended = time.monotonic()
    before = len(customer.answers)
    stages.wait_until(lambda: len(customer.answers) > before + 50, 30, "the shop answers")
    customer.over.set()
    customer.join()
    last_bad = max(at for at, release in customer.answers if release == bad)
    if customer.answers[-1][1] == bad:
        raise stages.Trouble("the bad release still answers after the rollback")
    return last_bad - pressed, ended - pressed, customer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("belay")
    stage = Stage(parser.parse_args().belay)
    try:
        begun = time.monotonic()
        subprocess.run([stage.belay_program, "--version"], check=True, stdout=subprocess.DEVNULL)
        start = time.monotonic() - begun
        took, all_of_it, customer = measure(stage)
    except stages.Trouble as trouble:
        print(f"failed: {trouble}")
        return 2
    finally:
        stage.close()
    passed = took <= GOAL and customer.failed == 0
    print(f"{'keypress to the last answer of the bad version':<58} {took:8.2f} s    goal: at most {GOAL:.2f}  "
          f"{'PASS' if passed else 'FAIL'}")
    print(f"    the whole command: {all_of_it:.2f} s; starting belay alone: {start:.2f} s, ratio {took / start:.0f}; "
          f"{len(customer.answers):,} requests meanwhile, {customer.failed} failed")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
