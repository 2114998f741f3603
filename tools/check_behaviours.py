#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/behaviours.md names only tests that are there.

    tools/check_behaviours.py BUILD_FOLDER...     prints each name that no test has; exit 1 if there is one

A test counts that is in one of the builds.

A name is anything in backticks of the form program.Suite.Name or program.Name; * stands for any text.
"""
import json
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[1] / "docs/behaviours.md"
NAME = re.compile(r"^[a-z_0-9]+\.[A-Z*]")
FEWEST = 50


def named(text):
    """Each name with the line where it first stands."""
    names = {}
    for number, line in enumerate(text.splitlines(), 1):
        for name in re.findall(r"`([^`]+)`", line):
            if NAME.match(name):
                names.setdefault(name, number)
    return names


def tests_of(build):
    if not (Path(build) / "CTestTestfile.cmake").is_file():
        sys.exit(f"{build} has no tests: configure and build it first")
    shown = subprocess.run(["ctest", "--show-only=json-v1"], cwd=build, check=True, stdout=subprocess.PIPE).stdout
    return {test["name"] for test in json.loads(shown)["tests"]}


def problems(names, tests):
    for name, number in names.items():
        if "*" not in name and name not in tests:
            yield f"docs/behaviours.md:{number}: there is no test {name}"
        elif "*" in name and not any(fnmatchcase(test, name) for test in tests):
            yield f"docs/behaviours.md:{number}: no test matches {name}"
    if len(names) < FEWEST:
        yield f"docs/behaviours.md:1: only {len(names)} tests are named, at least {FEWEST} are expected"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    names = named(DOCUMENT.read_text())
    tests = set().union(*(tests_of(build) for build in sys.argv[1:]))
    found = list(problems(names, tests))
    print(*found, f"{len(found)} problems" if found else f"{len(names)} names of tests, all there", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
