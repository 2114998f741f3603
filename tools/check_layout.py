#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The laws of the house (docs/architecture.md), checked over the whole tree.

    tools/check_layout.py [ROOT]     prints each violation as FILE:LINE: text; exit 1 if there is one

Each law is a function that yields (path, line, law, text). To bend a law for one file, name the
file in EXCEPTIONS with the reason; an exception that is no longer needed is itself a violation, so
the list can only become shorter.
"""
import hashlib
import re
import subprocess
import sys
from pathlib import Path

FLOORS = {
    "base": 0,
    "net": 1, "pipeline": 1, "verdict": 1,
    "database": 2, "storage": 2, "target": 2, "traffic": 2, "source": 2, "notify": 2, "probe": 2,
    "journal": 2, "github": 2,
    "vault": 3, "engine": 4, "app": 5, "server": 6, "cli": 7,
}
OUTSIDE_WORLD = 2              # the floor whose rooms are entered by the front door only
WIRING = re.compile(r"src/app/wire(_\w+)?\.cpp")   # the files that open side doors

LIMITS = {"src .cpp": 400, "src .hpp": 300, "tests": 500}

# (path, law): for sizes the highest number of lines, else the reason.
EXCEPTIONS = {
    ("src/journal/schema.cpp", "world"): "real processes meet at the lock, also under a test's clock",
    ("src/database/mongodb/apply.cpp", "world"): "waits for the real server's locks",
    ("src/database/mongodb/log.cpp", "world"): "waits for the real server's log",
    ("src/vault/writer.cpp", "world"): "compresses beside the scan",
    ("src/vault/writer.hpp", "world"): "compresses beside the scan",
    ("src/app/shared_claims.cpp", "world"): "renews a lease beside a run's steps",
    ("src/cli/drive.cpp", "world"): "takes the process's signals",
    ("src/cli/screen.cpp", "world"): "a bar for people",
    ("src/cli/screen.hpp", "world"): "a bar for people",
    ("src/cli/agent.cpp", "world"): "one thread a run, over the engine",
}

# What only base/ may use: everybody else gets Clock, Random, Executor and Children handed in.
WORLD = re.compile(r"std::(?:jthread|thread)\b|std::this_thread|(?:system|steady)_clock::now"
                   r"|(?<![\w.>])::(?:sleep|usleep|nanosleep)\(|std::random_device")

SPDX = "SPDX-License-Identifier: Apache-2.0"
CODE = {".cpp", ".hpp"}
SCRIPTS = {".py", ".sh", ".js", ".mjs"}
HEAVY = re.compile(r"#include <(nlohmann/json\.hpp|bson|mongoc|sqlite3|curl/|yaml-cpp|CLI/|boost/)")
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
BAD_TYPE = re.compile(r"\b(?:class|struct|enum class|using)\s+(\w*(?:Manager|Helper|Utils?|Impl|Info))\b")
BAD_FUNCTION = re.compile(r"^(?!\s*(?:return|else|throw)\b)\s*[\w:<>,\[\] &*]+[\s&*]+(?:\w+::)*"
                          r"(process|handle)\s*\((?!::)[^;]*(?:\)(?: const)?(?: noexcept)?(?: override)?(?: = 0)?;|\{|,)$")
BAD_FOLDER = {"ports", "adapters", "domain", "core", "common", "utils", "helpers"}
BAD_FILE = re.compile(r"(?:^|_)(?:manager|helper|helpers|util|utils|impl|misc)(?:_|$)")

# Text that belongs to one machine or to one package registry, not to the project.
BAD_TEXT = [
    (re.compile(r"(?<![\w.)}])[/]work/"), "a path of one machine"),
    (re.compile(r"(?<![\w.)}])[/]root/"), "a path of one machine"),
    (re.compile(r"registry[.]npm|npmjs[.]|pypi[.]org|pythonhosted[.]|deb[.]debian[.]"),
     "a package registry's host; use what apt, pip and npm are configured to use"),
]
# Names of writing tools; kept as fingerprints, so that this file names none of them either.
BAD_WORDS = {
    "3ea125d0bff386e6", "57de4cf40144bdf7", "5d72436256ada538", "60965168ce762e94",
    "7d3194f79e645c42", "c70eca6b0f88f44d", "c857d09db23e6822", "fc5a1047f5919892",
}


def tracked(root):
    """Files git knows or would add; without git, every file outside build folders."""
    try:
        names = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True, capture_output=True).stdout.decode().split("\0")
        paths = [root / name for name in names if name]
    except (OSError, subprocess.CalledProcessError):
        paths = [p for p in root.rglob("*")
                 if not {".git", "node_modules", "build"} & set(p.relative_to(root).parts)]
    return sorted(p for p in paths if p.is_file() and not p.is_symlink())


def room_of(name):
    parts = name.split("/")
    return parts[1] if len(parts) > 2 and parts[0] == "src" else None


def floor_law(name, lines):
    if not name.startswith("src/") or Path(name).suffix not in CODE:
        return
    own = room_of(name)
    if own is not None and own not in FLOORS:
        yield name, 1, "floor", f"room {own} has no floor; add it to FLOORS and docs/architecture.md"
        return
    floor = FLOORS[own] if own else 8   # src/main.cpp is the roof
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match.group(1)
        other = target.split("/")[0]
        if other not in FLOORS or "/" not in target:
            yield name, number, "floor", f'"{target}": write includes from src, room first'
        elif other != own and FLOORS[other] >= floor:
            yield (name, number, "floor",
                   f'{own or "main"} (floor {floor}) includes {other} (floor {FLOORS[other]})')
        elif (other != own and FLOORS[other] == OUTSIDE_WORLD and not WIRING.fullmatch(name)
              and target != f"{other}/{other}.hpp"):
            yield (name, number, "front door",
                   f'"{target}": enter by {other}/{other}.hpp; only src/app/wire*.cpp open side doors')


def size_law(name, lines):
    suffix = Path(name).suffix
    if suffix not in CODE:
        return
    kind = f"src {suffix}" if name.startswith("src/") else "tests" if name.startswith("tests/") else None
    if kind and len(lines) > LIMITS[kind]:
        yield name, len(lines), "size", f"{len(lines)} lines, at most {LIMITS[kind]}"


def heading_law(name, lines):
    suffix = Path(name).suffix
    if suffix in CODE:
        if not lines or lines[0] != f"// {SPDX}":
            yield name, 1, "licence", f"the first line is not: // {SPDX}"
        if suffix == ".hpp" and "#pragma once" not in lines:
            yield name, 1, "pragma", "no #pragma once"
    elif suffix in SCRIPTS or (suffix == "" and lines and lines[0].startswith("#!")):
        if not any(SPDX in line for line in lines[:3]):
            yield name, 1, "licence", f"{SPDX} is not in the first three lines"


def heavy_law(name, lines):
    parts = name.split("/")
    if len(parts) == 3 and parts[0] == "src" and parts[2] == parts[1] + ".hpp":
        for number, line in enumerate(lines, 1):
            if HEAVY.match(line):
                yield name, number, "heavy", "a room's front door includes a heavy header"


def world_law(name, lines):
    if room_of(name) in (None, "base") or Path(name).suffix not in CODE:
        return
    for number, line in enumerate(lines, 1):
        match = WORLD.search(line.split("//")[0])
        if match:
            yield (name, number, "world",
                   f"{match.group(0)}: threads, sleeps, clocks and chance come from base/world.hpp")


def naming_law(name, lines):
    path = Path(name)
    if path.parts[0] not in ("src", "tests", "bench") or path.suffix not in CODE:
        return
    for part in path.parts[:-1]:
        if part in BAD_FOLDER:
            yield name, 1, "name", f"folder {part}: a room is named after what it does"
    if BAD_FILE.search(path.stem):
        yield name, 1, "name", f"file {path.name}: say what it does"
    for number, line in enumerate(lines, 1):
        code = line.split("//")[0]
        match = BAD_TYPE.search(code) or BAD_FUNCTION.match(code)
        if match:
            yield name, number, "name", f"{match.group(1)}: say what it does"


def word_law(name, lines):
    for number, line in enumerate(lines, 1):
        for pattern, why in BAD_TEXT:
            if pattern.search(line):
                yield name, number, "word", why
        for word in set(re.findall(r"[a-z]{4,}", line.lower())):
            if hashlib.sha256(word.encode()).hexdigest()[:16] in BAD_WORDS:
                yield name, number, "word", f"{word}: does not belong here"
    if Path(name).name == "package-lock.json":
        for number, line in enumerate(lines, 1):
            if '"resolved"' in line:
                yield name, number, "word", "a lock file without addresses: npm's omit-lockfile-registry-resolved"


def document_law(root, names):
    """Every room stands in docs/architecture.md, and nothing there is a room that is not."""
    document = root / "docs/architecture.md"
    text = document.read_text() if document.is_file() else ""
    for room in sorted({room_of(name) for name in names} - {None}):
        if f"`{room}/`" not in text:
            yield "docs/architecture.md", 1, "document", f"room `{room}/` is not named"


FILE_LAWS = [floor_law, size_law, heading_law, heavy_law, world_law, naming_law, word_law]


def violations(root, exceptions=None):
    exceptions = EXCEPTIONS if exceptions is None else exceptions
    used, found, names = set(), [], []
    for path in tracked(root):
        name = path.relative_to(root).as_posix()
        names.append(name)
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue               # a binary fixture has no lines
        lines = text.splitlines()
        for law in FILE_LAWS:
            found += law(name, lines)
    found += document_law(root, names)
    for name, line, law, text in found:
        allowed = exceptions.get((name, law))
        if allowed is not None:
            used.add((name, law))
            if not isinstance(allowed, int) or line <= allowed:
                continue
        yield name, line, law, text
    for name, law in sorted(set(exceptions) - used):
        yield name, 1, law, "is an exception in tools/check_layout.py but obeys the law; remove it there"


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    found = list(violations(root))
    for name, line, law, text in found:
        print(f"{name}:{line}: {law}: {text}")
    print(f"{len(found)} violations" if found else "the house is in order")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
