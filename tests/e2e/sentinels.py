# SPDX-License-Identifier: Apache-2.0
"""Looks for secrets where none may be: in files as raw bytes, in texts, in the arguments of processes."""
import base64
import json
import os
import subprocess
import threading
from pathlib import Path
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape


def forms(secret):
    """What a secret looks like when it is not hidden: as it is, and as programs write it."""
    raw = secret.encode()
    found = {raw, escape(secret).encode(), raw.hex().encode(), quote(secret, safe="").encode(), quote(secret).encode(), quote_plus(secret).encode(),
             json.dumps(secret)[1:-1].encode(), json.dumps(secret, ensure_ascii=False)[1:-1].encode()}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for before in range(3):      # wherever it begins within three bytes
            text = encode(b"\0" * before + raw)
            first = (before * 8 + 5) // 6            # characters that hold bits of what is before
            last = (before + len(raw)) * 8 // 6      # and of nothing after
            found.add(text[first:last])
    return found


class Search:
    def __init__(self, secrets):
        """secrets: name -> value."""
        short = [name for name, value in secrets.items() if len(value) < 12]
        assert not short, f"too short to be searched for: {short}"
        self.forms = {name: forms(value) for name, value in secrets.items()}

    def found_in(self, data, where):
        data = data.encode(errors="surrogateescape") if isinstance(data, str) else data
        return [f"{name} is in {where}" for name, each in self.forms.items() if any(form in data for form in each)]

    def found_below(self, folder, allowed=()):
        """Every file below, its name too, but those below `allowed`."""
        found, seen, files = [], set(), 0
        for here, folders, names in os.walk(folder):
            folders[:] = [each for each in folders if not any(Path(here, each) == Path(one) for one in allowed)]
            for path in (Path(here, name) for name in names):
                if path in map(Path, allowed) or not path.is_file() or path.is_symlink():
                    continue
                facts = path.stat()
                if (facts.st_dev, facts.st_ino) in seen:
                    continue
                seen.add((facts.st_dev, facts.st_ino))
                files += 1
                found += self.found_in(os.fsencode(path) + b"\n" + path.read_bytes(), path)
        return found, files


def git_objects(repository):
    """All that a repository holds, as it is: its files are compressed."""
    return subprocess.run(["git", "cat-file", "--batch-all-objects", "--batch"], cwd=repository, check=True,
                          capture_output=True).stdout


def unfinished(mark, but=()):
    """Processes that have to do with a folder: by arguments, place, environment, or open files."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in {os.getpid(), *but}:
            continue
        try:
            facts = [(entry / name).read_bytes().decode(errors="replace") for name in ("cmdline", "environ")]
            links = [entry / "cwd", entry / "exe", *(entry / "fd").iterdir()]
            facts += [os.readlink(each) for each in links if each.is_symlink()]
        except OSError:
            continue         # ended meanwhile, or somebody else's
        if any(str(mark) in each for each in facts):
            found.append((int(entry.name), facts[0].replace("\0", " ").strip()))
    return found


class Arguments(threading.Thread):
    """Remembers what every process of this machine was started with, as anybody here could read it."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seen, self.rounds, self.over = set(), 0, threading.Event()
        self.start()

    def run(self):
        known = {}
        while not self.over.wait(0.02):
            self.rounds += 1
            for name in os.listdir("/proc"):
                if not name.isdigit():
                    continue
                try:
                    words = Path("/proc", name, "cmdline").read_bytes()
                except OSError:
                    continue
                if known.get(name) != words:      # exec gives a process new ones
                    known[name] = words
                    self.seen.add(words)

    def stop(self):
        self.over.set()
        self.join()
        return b"\n".join(self.seen)
