# SPDX-License-Identifier: Apache-2.0
"""What the stand-ins for programs of platforms have in common. They are copied into a folder that is on
PATH, and keep there what the platform knows (platform.json), the orders that it took (orders), and the
trouble that a test wants (trouble.json: {"program", "verb", "what", "times"}; what: fail, lost, hang).

An argument that the real program does not know ends with status 2 and is noted in `complaints`.
"""
import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from pathlib import Path

HERE = Path(sys.argv[0]).resolve().parent


def complain(text):
    with (HERE / "complaints").open("a") as file:
        file.write(f"{Path(sys.argv[0]).name} {' '.join(sys.argv[1:])}: {text}\n")
    print(f"Error: {text}", file=sys.stderr)
    sys.exit(2)


def words_and_options(words, known):
    """known: an option's name -> whether it has a value. Both ways to write that are known."""
    plain, options = [], {}
    words = list(words)
    while words:
        word = words.pop(0)
        if not word.startswith("--"):
            plain.append(word)
            continue
        name, _, value = word[2:].partition("=")
        if name not in known:
            complain(f"unknown flag: --{name}")
        if known[name] and not value:
            if not words:
                complain(f"flag needs an argument: --{name}")
            value = words.pop(0)
        options[name] = value or True
    return plain, options


@contextlib.contextmanager
def platform():
    """What the platform knows; nobody else changes it meanwhile."""
    with (HERE / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = HERE / "platform.json"
        found = json.loads(path.read_text()) if path.exists() else {}
        yield found
        path.write_text(json.dumps(found, indent=1))


def order(text):
    with (HERE / "orders").open("a") as file:
        file.write(text + "\n")


def trouble(verb):
    """What is to go wrong with this one: fail (before anything is done), lost (after), hang; or nothing."""
    path = HERE / "trouble.json"
    wanted = json.loads(path.read_text()) if path.exists() else {}
    if (wanted.get("program"), wanted.get("verb")) != (Path(sys.argv[0]).name, verb) or wanted["times"] < 1:
        return ""
    path.write_text(json.dumps({**wanted, "times": wanted["times"] - 1}))
    if wanted["what"] == "fail":
        print("Error: the platform has a bad day", file=sys.stderr)
        sys.exit(1)
    return wanted["what"]


def after(what):
    """The effect is there; how the program ends."""
    if what == "lost":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "hang":
        (HERE / "hangs").touch()
        while not (HERE / "go").exists():
            time.sleep(0.05)
