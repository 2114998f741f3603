# SPDX-License-Identifier: Apache-2.0
"""Releases, neighbours and people that misbehave.   bad_application_test.py --belay PROGRAM"""
import os
import signal
import socket

import hostile_stage as hostile
from hostile_stage import stages


class ABadApplication(hostile.Hostile):
    NUMBER = 20

    def test_a_migration_that_fails_halfway_is_taken_back(self):
        code, text = self.ship("halfway")
        self.assertEqual(code, 1, text)
        self.assertIn("could not go on with ***", text)
        self.assert_as_before()
        search = hostile.sentinels.Search({"a password": self.stage.passwords["shop_migrator"]})
        self.assertEqual(search.found_below(self.stage.state, self.stage.state.glob("**/env"))[0], [])

    def test_a_release_that_dies_when_people_come_is_taken_back(self):
        code, text = self.ship("dies")
        self.assertEqual(code, 1, text)
        self.assertIn("Rolled back", text)
        self.assert_as_before()

    def test_a_release_that_answers_slowly_is_never_seen(self):
        code, text = self.ship("slow")
        self.assertEqual(code, 1, text)
        self.assertIn("Count", text)
        self.assert_as_before()
        self.assertEqual(set(self.visitor.answers), {self.live})

    def test_a_release_that_lies_is_never_seen(self):
        code, text = self.ship("lies")
        self.assertEqual(code, 1, text)
        self.assertRegex(text, r"expected json open = true, got false")
        self.assert_as_before()
        self.assertEqual(set(self.visitor.answers), {self.live})

    def test_a_release_that_never_gets_ready_is_never_seen(self):
        code, text = self.ship("never ready")
        self.assertEqual(code, 1, text)
        self.assertIn("was not ready within", text)
        self.assert_as_before()
        self.assertEqual((set(self.visitor.answers), self.visitor.failed), ({self.live}, []))

    def test_ports_that_are_taken_are_stepped_over(self):
        first, last = map(int, self.stage.ports.split("-"))
        given = int((self.stage.state / "environments/production/last_port").read_text())
        taken = []
        for n in range(1, 41):
            port = first + (given + n - first) % (last - first + 1)
            listener = socket.socket()
            self.addCleanup(listener.close)
            try:
                listener.bind(("127.0.0.1", port))
                listener.listen()
                taken.append(port)
            except OSError:
                pass        # a version of ours
        self.assertGreater(len(taken), 10)
        code, text = self.ship("good")
        self.assertEqual(code, 0, text)
        self.assert_shipped()

    def test_an_address_that_another_program_has_is_named_and_nothing_is_changed(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = listener.getsockname()[1]
            self.stage.commit("good")
            path = self.stage.repository / "belay.yaml"
            text = self.stage.belay_yaml()
            text = text.replace("\ndatabase:\n", f"  second: {{ path: app, run: exec sleep 1000, check: /, user: {stages.ME} }}\n\ndatabase:\n", 1)
            text = text.replace("    checks:\n", f'      second: {{ target: host, listen: "127.0.0.1:{port}" }}\n    checks:\n', 1)
            path.write_text(text)
            self.stage.git("commit", "-q", "-a", "-m", "a second service")
            self.addCleanup(self.stage.commit, "good")
            code, said = self.stage.start("deploy", "--yes").end()
        self.assertIn(code, (1, 2), said)
        self.assertIn(f"{port}", said)
        self.assert_as_before()

    def proxy(self):
        found = [pid for pid, words in self.stage.left_running() if words.split()[0].endswith("haproxy")]
        self.assertTrue(found, "no proxy is running")
        return found

    def kill_proxy(self):
        killed = 0
        for pid in self.proxy():
            try:
                os.kill(pid, signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                pass        # one that only looked at a configuration
        self.assertGreater(killed, 0)

    def assert_one_release_serves(self, deploy):
        """Shipped whole, or as before: nothing between."""
        code, text = deploy.end()
        self.assertIn(code, (0, 1), text)
        if code == 0:
            self.assert_shipped()
        else:
            self.assert_as_before()

    def test_the_proxy_killed_in_the_middle_of_a_switch_serves_one_release_afterwards(self):
        deploy = self.begin("good")
        self.stage.wait_for_event("step.intent", "switch", self.run_before)
        self.kill_proxy()
        self.assert_one_release_serves(deploy)

    def test_the_proxy_killed_while_a_release_is_watched_comes_back_with_what_is_live(self):
        deploy = self.begin("good")
        self.stage.wait_for_event("step.outcome", "switch", self.run_before)
        self.kill_proxy()
        self.assert_one_release_serves(deploy)

    def test_a_second_deploy_is_refused_where_the_file_says_so(self):
        deploy = self.begin("waits")
        self.migrating()
        path = self.stage.repository / "belay.yaml"
        path.write_text(self.stage.belay_yaml("refuse"))
        code, text = self.stage.start("deploy", "--yes").end()
        self.assertEqual(code, 3, text)
        self.assertIn("Busy; nothing was changed", text)
        path.write_text(self.stage.belay_yaml())
        self.go_on()
        code, text = deploy.end()
        self.assertEqual(code, 0, text)
        self.assert_shipped()

    def test_a_second_deploy_waits_its_turn(self):
        first = self.begin("waits")
        self.migrating()
        self.stage.git("commit", "-q", "--allow-empty", "-m", "and another")
        second = self.stage.start("deploy", "--yes")
        stages.wait_until(lambda: self.stage.newest_run() == self.run_before + 2, 60, "the second is asked for")
        self.go_on()
        code, text = first.end()
        self.assertEqual(code, 0, text)
        code, text = second.end()
        # What was planned against another live release must not simply go on.
        self.assertIn(code, (0, 1), text)
        self.assert_shipped(times=2 if code == 0 else 1)

    def test_a_belay_yaml_that_changes_during_a_run_changes_nothing_in_it(self):
        deploy = self.begin("waits")
        self.migrating()
        path = self.stage.repository / "belay.yaml"
        text = path.read_text()
        path.write_text("project: [broken\n")
        broken = self.stage.belay("status", check=False)
        self.assertEqual(broken.returncode, 2, broken.stdout + broken.stderr)
        self.assertRegex(broken.stderr, r"belay\.yaml:\d+:\d+")
        self.go_on()
        code, said = deploy.end()
        path.write_text(text)
        self.assertEqual(code, 0, said)
        self.assert_shipped()

    def test_ctrl_c_leaves_a_run_that_is_finished_by_resume(self):
        deploy = self.begin("waits")
        self.migrating()
        deploy.child.send_signal(signal.SIGINT)
        self.go_on()        # what is in progress may end first
        code, text = deploy.end()
        self.assertEqual(code, 6, text)
        run = self.stage.newest_run()
        self.assertIn(f"belay resume {run}", text)
        self.assertEqual(self.stage.run_row(run)["state"], "open")
        self.assertEqual(self.visited(), {self.live})
        code, text = self.stage.start("resume", run).end()
        self.assertEqual(code, 0, text)
        self.assert_shipped()


del hostile.Hostile     # it has no cases of its own
if __name__ == "__main__":
    hostile.main()
