# SPDX-License-Identifier: Apache-2.0
"""Each law of tools/check_layout.py catches what it forbids, and lets the honest file pass."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import check_layout  # noqa: E402

HEAD = "// SPDX-License-Identifier: Apache-2.0\n"
HEADER = HEAD + "#pragma once\n"
DOCUMENT = "".join(f"`{room}/` " for room in check_layout.FLOORS)


class Layout(unittest.TestCase):
    def found(self, files, exceptions=None):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for name, text in {"docs/architecture.md": DOCUMENT, **files}.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return [(name, law) for name, _, law, _ in check_layout.violations(root, exceptions or {})]

    def test_an_honest_tree_passes(self):
        self.assertEqual([], self.found({
            "src/engine/run.cpp": HEAD + '#include "target/target.hpp"\n#include "engine/run.hpp"\n',
            "src/engine/run.hpp": HEADER + '#include "base/result.hpp"\n',
            "src/app/wire.cpp": HEAD + '#include "target/host.hpp"\n',
            "src/main.cpp": HEAD + '#include "cli/cli.hpp"\nint main() { return handle(1); }\n',
            "tools/go": "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\n"}))

    def test_a_lower_floor_may_not_include_a_higher_one(self):
        self.assertEqual([("src/base/a.cpp", "floor")],
                         self.found({"src/base/a.cpp": HEAD + '#include "net/http.hpp"\n'}))

    def test_rooms_of_one_floor_may_not_include_each_other(self):
        self.assertEqual([("src/probe/a.cpp", "floor")],
                         self.found({"src/probe/a.cpp": HEAD + '#include "database/database.hpp"\n'}))

    def test_a_path_that_does_not_start_at_src_is_found(self):
        name = "src/probe/a.cpp"
        self.assertEqual([(name, "floor")], self.found({name: HEAD + '#include "../net/http.hpp"\n'}))
        self.assertEqual([(name, "floor")], self.found({name: HEAD + '#include "probe.hpp"\n'}))

    def test_a_room_without_a_floor_is_found(self):
        self.assertEqual([("src/attic/a.cpp", "floor"), ("docs/architecture.md", "document")],
                         self.found({"src/attic/a.cpp": HEAD}))

    def test_side_doors_are_for_the_wiring_only(self):
        line = HEAD + '#include "target/host.hpp"\n'
        self.assertEqual([("src/engine/a.cpp", "front door")], self.found({"src/engine/a.cpp": line}))
        self.assertEqual([("src/app/other.cpp", "front door")], self.found({"src/app/other.cpp": line}))

    def test_threads_sleeps_clocks_and_chance_are_base_s_alone(self):
        for line in ["std::jthread t;", "std::thread t;", "std::this_thread::sleep_for(nap);",
                     "auto t = std::chrono::system_clock::now();",
                     "auto t = std::chrono::steady_clock::now();", "::sleep(1);",
                     "std::random_device chance;"]:
            text = HEAD + line + "\n"
            self.assertEqual([("src/engine/a.cpp", "world")], self.found({"src/engine/a.cpp": text}), line)
            self.assertEqual([], self.found({"src/base/a.cpp": text, "tests/base/a.cpp": text}), line)
        self.assertEqual([], self.found({"src/engine/a.cpp": HEAD + "world.clock.sleep(nap, stop);\n"}))

    def test_files_have_a_size(self):
        for name, limit in [("src/base/a.cpp", 400), ("tests/base/a.cpp", 500)]:
            self.assertEqual([], self.found({name: HEAD + "\n" * (limit - 1)}))
            self.assertEqual([(name, "size")], self.found({name: HEAD + "\n" * limit}))
        self.assertEqual([("src/base/a.hpp", "size")], self.found({"src/base/a.hpp": HEADER + "\n" * 299}))

    def test_licence_and_pragma_are_asked_for(self):
        self.assertEqual([("src/base/a.cpp", "licence")], self.found({"src/base/a.cpp": "int x;\n"}))
        self.assertEqual([("src/base/a.cpp", "licence")], self.found({"src/base/a.cpp": ""}))
        self.assertEqual([("src/base/a.hpp", "pragma")], self.found({"src/base/a.hpp": HEAD}))
        self.assertEqual([("tools/go", "licence")], self.found({"tools/go": "#!/bin/sh\n"}))

    def test_empty_names_are_found(self):
        for line in ["class RunManager {", "struct PlanHelper;", "using RunImpl = int;",
                     "Status process(const Plan& plan);", "void Engine::handle(int x) {",
                     "Result<int> handle(int x);"]:
            self.assertEqual([("src/base/a.cpp", "name")], self.found({"src/base/a.cpp": HEAD + line}), line)
        self.assertEqual([("src/base/run_util.cpp", "name")], self.found({"src/base/run_util.cpp": HEAD}))
        self.assertEqual([("src/base/utils/a.cpp", "name")], self.found({"src/base/utils/a.cpp": HEAD}))

    def test_heavy_headers_stay_out_of_front_doors(self):
        line = HEADER + "#include <bson/bson.h>\n"
        self.assertEqual([("src/vault/vault.hpp", "heavy")], self.found({"src/vault/vault.hpp": line}))
        self.assertEqual([], self.found({"src/vault/blocks.hpp": line}))

    def test_paths_of_one_machine_and_registry_hosts_are_found(self):
        for text in ["cd /" + "work/main", "https://registry." + "npm" + "js.org/x", "pypi" + ".org"]:
            self.assertEqual([("docs/a.md", "word")], self.found({"docs/a.md": text}), text)
        self.assertEqual([], self.found({"docs/a.md": "see docs/work/plan and ${HOME}/work/"}))

    def test_lock_files_have_no_addresses(self):
        self.assertEqual([("a/package-lock.json", "word")],
                         self.found({"a/package-lock.json": '{\n "resolved": "x"\n}'}))

    def test_a_room_must_stand_in_the_document(self):
        self.assertEqual([("docs/architecture.md", "document")],
                         self.found({"docs/architecture.md": "", "src/base/a.cpp": HEAD}))

    def test_an_exception_holds_up_to_its_number_and_goes_when_not_needed(self):
        name = "src/base/a.cpp"
        self.assertEqual([], self.found({name: HEAD + "\n" * 410}, {(name, "size"): 411}))
        self.assertEqual([(name, "size")], self.found({name: HEAD + "\n" * 411}, {(name, "size"): 411}))
        self.assertEqual([(name, "size")], self.found({name: HEAD}, {(name, "size"): 411}))


if __name__ == "__main__":
    unittest.main()
