# SPDX-License-Identifier: Apache-2.0
"""docs/belay.schema.json against the program: an editor must not call wrong what Belay takes, and must
find what can be found from the shape alone.   schema_test.py PROGRAM"""
import copy
import json
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import jsonschema
import yaml

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs/belay.schema.json").read_text())
EXAMPLES = ("examples/belay.yaml", "examples/shop/belay.yaml")
VALUES = (None, {}, [], "zq", "", {"zq": 1}, ["zq"])


class Text(yaml.SafeLoader):
    """Belay reads scalars as they stand: no dates, and no `yes` and `on` that mean true."""


Text.yaml_implicit_resolvers = {
    first: [each for each in found if each[0] in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:null")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()}
Text.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf"))


def places(node, path=()):
    yield path
    for key, child in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        yield from places(child, (*path, key))


def changed(document, path, value):
    out = copy.deepcopy(document)
    at = out
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return out


class Schema(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="belay-schema-")
        self.addCleanup(self.folder.cleanup)
        self.validator = jsonschema.Draft202012Validator(SCHEMA)

    def complaints(self, document):
        """What the program says against the file's shape; what else it misses is no matter here."""
        file = Path(self.folder.name) / "belay.yaml"
        file.write_text(json.dumps(document))
        done = subprocess.run([PROGRAM, "--file", file, "status"], capture_output=True, text=True, timeout=60, check=False,
                              cwd=self.folder.name, env={"HOME": self.folder.name, "PATH": "/usr/bin:/bin"})
        return re.findall(r"belay\.yaml:\d+:\d+.*", done.stdout + done.stderr)

    @staticmethod
    def one_of_each_kind(document):
        """Of people, and of whatever else is a list, the first will do."""
        seen = set()
        for path in places(document):
            kind = tuple("*" if isinstance(each, int) or path[n - 1:n] == ("people",) else each
                         for n, each in enumerate(path))
            if path and kind not in seen:
                seen.add(kind)
                yield path

    def test_is_one_itself(self):
        jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def test_takes_every_example(self):
        for name in EXAMPLES:
            with self.subTest(name):
                document = yaml.load((ROOT / name).read_text(), Text)
                self.assertEqual([each.message for each in self.validator.iter_errors(document)], [])

    def test_agrees_with_the_program_on_what_is_wrong(self):
        wrong, missed, tried = [], [], 0
        document = yaml.load((ROOT / EXAMPLES[0]).read_text(), Text)
        document["state"] = f"{self.folder.name}/state"
        self.assertEqual(self.complaints(document), [])
        for path in self.one_of_each_kind(document):
            for value in VALUES:
                tried += 1
                broken = changed(document, path, value)
                refused, said = not self.validator.is_valid(broken), self.complaints(broken)
                if refused and not said:
                    wrong.append((path, value))
                elif said and not refused:
                    missed.append((path, value, said[0]))
        for each in wrong if "--wrong" in sys.argv else ():
            print("wrong", each)
        self.assertEqual(wrong, [], "the schema refuses what the program takes")
        print(f"{tried} changes; {len(missed)} only the program finds")
        for each in missed if "--missed" in sys.argv else ():
            print(each)


if __name__ == "__main__":
    PROGRAM = str(Path(sys.argv[1]).resolve())
    unittest.main(argv=[sys.argv[0]], verbosity=2)
