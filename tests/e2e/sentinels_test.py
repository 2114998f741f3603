# SPDX-License-Identifier: Apache-2.0
"""The search for secrets finds what it is there to find."""
import base64
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from urllib.parse import quote

import sentinels

SECRET = 'a"b+c/d=%e~long enough'


class TheSearch(unittest.TestCase):
    search = sentinels.Search({"the secret": SECRET})

    def assert_found(self, data):
        self.assertEqual(self.search.found_in(data, "here"), ["the secret is in here"])

    def test_finds_it_plain_quoted_and_encoded_wherever_it_begins(self):
        for before in ("", "x", "xy", "xyz"):
            for after in ("", "1", "12"):
                text = before + SECRET + after
                for data in (text, json.dumps({"key": text}), quote(text, safe=""), text.encode().hex(),
                             base64.b64encode(text.encode()), base64.urlsafe_b64encode(text.encode())):
                    with self.subTest(data=data):
                        self.assert_found(data)

    def test_finds_nothing_where_nothing_is(self):
        self.assertEqual(self.search.found_in(SECRET[:-1] + json.dumps(SECRET[1:]), "here"), [])

    def test_looks_into_every_file_but_those_allowed(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("allowed", "deep/er"):
                Path(folder, name).mkdir(parents=True)
                Path(folder, name, "file").write_bytes(b"\xff\0" + SECRET.encode())
            found, files = self.search.found_below(folder, [Path(folder, "allowed")])
            self.assertEqual((found, files), ([f"the secret is in {folder}/deep/er/file"], 1))

    def test_sees_arguments_of_processes_and_those_that_are_left(self):
        arguments = sentinels.Arguments()
        with tempfile.TemporaryDirectory() as folder:
            child = subprocess.Popen([sys.executable, "-c", "input()", SECRET], cwd=folder, stdin=subprocess.PIPE)
            try:
                while SECRET.encode() not in b"".join(arguments.seen.copy()):
                    self.assertTrue(arguments.is_alive())
                self.assertEqual([pid for pid, _ in sentinels.unfinished(folder)], [child.pid])
            finally:
                child.communicate(b"\n")
            self.assertEqual(sentinels.unfinished(folder), [])
        self.assert_found(arguments.stop())


if __name__ == "__main__":
    unittest.main()
