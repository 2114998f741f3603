# SPDX-License-Identifier: Apache-2.0
"""A database that goes away, and a vault that is damaged.   bad_database_test.py --belay PROGRAM"""
import os
import time

import hostile_stage as hostile
from hostile_stage import stages


class BigStage(hostile.HostileStage):
    ITEMS = 4000          # so that each reading and each rewind takes long enough to be cut off


class ABadDatabase(hostile.Hostile):
    NUMBER = 21
    STAGE = BigStage

    def away(self, seconds=2):
        """Killed, gone for a while, and there again."""
        self.stage.kill_database()
        time.sleep(seconds)
        self.stage.serve_database("--auth")

    def end_well(self, command):
        """Whatever the command said, the run's end and the data belong together."""
        code, text = command.end()
        run = self.stage.newest_run()
        state = self.resume_to_the_end()
        self.assertTrue(code != 0 or state == "done", f"exit {code}, and the run is {state}\n{text}")
        return code, text, run, state

    def test_gone_while_a_restore_point_is_taken(self):
        deploy = self.begin("good")
        self.stage.wait_for_event("step.intent", "restore_point", self.run_before)
        self.away()
        _, _, run, state = self.end_well(deploy)
        if state == "done":
            self.assert_shipped()
            self.assertEqual(self.stage.belay("backup", "verify", f"rp-{run}").returncode, 0)
        else:
            self.assert_as_before()

    def test_gone_while_it_is_migrated(self):
        deploy = self.begin("waits")
        self.migrating()
        self.away()
        self.go_on()
        _, _, _, state = self.end_well(deploy)
        if state == "done":
            self.assert_shipped()
        else:
            self.assert_as_before()

    def test_gone_while_it_goes_back(self):
        code, text = self.ship("good")
        self.assertEqual(code, 0, text)
        ahead_live, ahead = self.stage.live(), self.stage.contents()
        back = self.stage.start("rollback", self.live, "--yes")
        self.stage.wait_for_event("step.intent", "rewind", self.run_before + 1)
        self.away()
        _, text, _, state = self.end_well(back)
        if state == "done":
            self.assert_as_before()
        else:
            self.assertEqual((self.stage.live(), self.stage.contents()), (ahead_live, ahead), text)
            self.assert_at_rest()

    def test_the_data_alone_goes_back_where_that_is_asked(self):
        code, text = self.ship("good")
        self.assertEqual(code, 0, text)
        shipped, ahead = self.stage.live(), self.stage.contents()
        self.assertNotEqual(ahead, self.before)
        code, text = self.stage.start("rollback", self.live, "--database-only", "--yes").end()
        self.assertEqual(code, 0, text)
        self.assertEqual((self.stage.live(), self.visited()), (shipped, {shipped}), text)
        self.assertEqual(self.stage.contents(), self.before)
        code, text = self.stage.start("rollback", "--undo", self.stage.newest_run(), "--yes").end()
        self.assertEqual((code, self.stage.live(), self.stage.contents()), (0, shipped, ahead), text)
        self.assert_at_rest()

    # --- the vault --------------------------------------------------------------------------------

    def blocks(self, point):
        """Files of the vault's store that hold blocks, largest first."""
        store = self.stage.state / "vault"
        found = [each for each in store.rglob("*") if each.is_file() and "blocks" in each.relative_to(store).parts[0]]
        self.assertTrue(found, sorted(each.relative_to(store) for each in store.rglob("*"))[:20])
        return sorted(found, key=lambda each: (-each.stat().st_mtime, -each.stat().st_size))

    def assert_named_and_refused(self, point, *words):
        done = self.stage.belay("backup", "verify", point, check=False)
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, 1, said)
        for word in (point, *words):
            self.assertIn(word, said)
        done = self.stage.belay("rewind", point, "--yes", check=False)
        self.assertIn(done.returncode, (1, 2, 5), done.stdout + done.stderr)
        self.assertNotIn("Done.", done.stdout)
        self.resume_to_the_end()
        self.assert_as_before()

    def point(self):
        self.stage.database.items.update_one({"_id": 1}, {"$set": {"note": os.urandom(8)}})
        self.before = self.stage.contents()
        name = f"by-hand-{time.monotonic_ns()}"
        self.stage.belay("backup", "create", name)
        return name

    def test_a_flipped_bit_is_named_and_nothing_goes_back_to_it(self):
        point = self.point()
        block = self.blocks(point)[0]
        whole = block.read_bytes()
        damaged = bytearray(whole)
        damaged[len(damaged) // 2] ^= 1
        block.chmod(0o600)
        block.write_bytes(damaged)
        try:
            self.assert_named_and_refused(point)
        finally:
            block.write_bytes(whole)
        self.assertEqual(self.stage.belay("backup", "verify", point).returncode, 0)

    def test_a_missing_block_is_named_and_nothing_goes_back_to_it(self):
        point = self.point()
        block = self.blocks(point)[0]
        away = self.stage.folder / "block-kept-away"
        block.rename(away)
        try:
            self.assert_named_and_refused(point)
        finally:
            away.rename(block)
        self.assertEqual(self.stage.belay("backup", "verify", point).returncode, 0)

    def test_another_key_opens_nothing_and_nothing_goes_back(self):
        point = self.point()
        path = self.stage.state / "vault.key"
        key = path.read_text()
        path.write_text(os.urandom(32).hex() + "\n")
        try:
            for words in (("backup", "verify", point), ("backup", "create"), ("rewind", point, "--yes")):
                done = self.stage.belay(*words, check=False)
                self.assertNotEqual(done.returncode, 0, done.stdout)
                self.assertIn("key", done.stderr + done.stdout)
        finally:
            path.write_text(key)
        self.assert_as_before()
        self.assertEqual(self.stage.belay("backup", "verify", point).returncode, 0)

    # --- a full restore ---------------------------------------------------------------------------

    def copy(self, name):
        return self.stage.uri("shop_app").replace("/shop?", f"/{name}?")

    def contents_of(self, name):
        database, self.stage.database = self.stage.database, self.stage.client[name]
        try:
            return self.stage.contents()
        finally:
            self.stage.database = database

    def test_a_restore_fills_an_empty_database_and_refuses_another(self):
        point = self.point()
        self.addCleanup(self.stage.client.drop_database, "shop_copy")
        self.stage.client.admin.command("grantRolesToUser", "shop_app", roles=[
            {"role": role, "db": "shop_copy"} for role in ("readWrite", "dbAdmin")])
        env = {"COPY": self.copy("shop_copy")}
        to = ("--to", "${COPY}")
        done = self.stage.belay("restore", point, *to, env=env, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.contents_of("shop_copy"), self.before)

        self.stage.client.shop_copy.items.delete_many({"_id": {"$lt": 10}})
        self.stage.client.shop_copy.mine.insert_one({"_id": "mine"})
        altered = self.contents_of("shop_copy")
        done = self.stage.belay("restore", point, *to, env=env, check=False)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("not empty", done.stdout + done.stderr)
        self.assertEqual(self.contents_of("shop_copy"), altered)

        done = self.stage.belay("restore", point, *to, "--overwrite", "--yes", env=env, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.contents_of("shop_copy"), self.before)
        self.assert_as_before()


del hostile.Hostile
if __name__ == "__main__":
    hostile.main()
