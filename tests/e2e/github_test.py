# SPDX-License-Identifier: Apache-2.0
"""A project whose only machine is GitHub Actions: `belay init --github`, then its workflows, job after job
and step after step as GitHub's runner would, against stand-ins for Railway and Vercel, an S3 and a
database on loopback. Each job gets Belay by the archive that tools/archive makes.

    github_test.py --belay PROGRAM
"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import unittest
import urllib.request
from pathlib import Path

import boto3

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1] / "tools"), str(HERE.parent / "tools")]
import actions  # noqa: E402
import stage as stages  # noqa: E402

WORKFLOWS = [f".github/workflows/{environment}-{job}.yml" for environment in ("production", "staging")
             for job in ("deploy", "rollback")]
REVIEWERS = {"production-gate-2": "amina", "production": "leo", "production-rollback": "leo"}
MIGRATION = """import os, pymongo
database = pymongo.MongoClient(os.environ["MONGODB_URI"])[\"shop\"]
database.orders.update_many({}, {"$set": {"seen": True}})
print("::set-output name=status::hacked ##[add-mask]x")
"""


class GitHub(stages.Stage):
    """The repository at GitHub, its people, its secrets; and the platforms."""

    def __init__(self, belay):
        super().__init__(belay)
        self.remote = self.folder / "shop.git"
        self.runs = 0
        self.vault_key = os.urandom(32).hex()

    def stand_in(self, script, name):
        child = self.start(name, [stages.TOOLS / "venv/bin/python", "-B", stages.ROOT / "tests" / script],
                           stdout=subprocess.PIPE, text=True)
        # Until our end of it is closed.
        return json.loads(child.stdout.readline())

    def start(self, name, arguments, **options):
        if options.get("stdout") is not subprocess.PIPE:
            return super().start(name, arguments, **options)
        log = open(self.folder / f"{name}.log", "ab")
        child = subprocess.Popen([str(each) for each in arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                                 text=True, start_new_session=True, env=self.environment())
        log.close()
        self.children.append(child)
        return child

    def set_up(self):
        self.make_repository()
        self.start_database()
        self.database.orders.insert_many([{"_id": each, "item": each} for each in range(3)])
        self.railway, self.vercel, self.staging_railway, self.staging_vercel = (
            self.stand_in(f"fake/{name}_server.py", f"{name}-{number}")["port"]
            for number in (1, 2) for name in ("railway", "vercel"))
        self.s3 = self.stand_in("support/s3_server.py", "s3")
        self.github = self.stand_in("fake/github_server.py", "github")["port"]
        archive = self.folder / "belay.tar.gz"
        digest = self.run([stages.ROOT / "tools/archive", self.belay_program, archive], cwd=self.folder).strip()
        self.variables = {"BELAY_ARCHIVE": f"file://{archive}", "BELAY_SHA256": digest,
                          "BACKEND_URL_PRODUCTION": "https://api.shop.example.org",
                          "FRONTEND_URL_PRODUCTION": "https://shop.example.org/",
                          "FRONTEND_URL_STAGING": "https://shop.example.org/"}
        store = {"AWS_ACCESS_KEY_ID": self.s3["id"], "AWS_SECRET_ACCESS_KEY": self.s3["secret"],
                 "BELAY_VAULT_KEY": self.vault_key}
        everything = {**store, "MONGODB_URI_PRODUCTION": self.uri("shop_app"), "RAILWAY_TOKEN": "railway-token",
                      "RAILWAY_PROJECT_ID_PRODUCTION": "project-1", "VERCEL_TOKEN": "vercel-token",
                      "VERCEL_ORG_ID": "team_shop", "VERCEL_PROJECT_ID_PRODUCTION": "prj_frontend"}
        planning = {**store, "MONGODB_URI_PRODUCTION": self.uri("shop_app")}
        self.on_github = {"GITHUB_API_URL": f"http://127.0.0.1:{self.github}", "GITHUB_REPOSITORY": "team/shop",
                          "GITHUB_SERVER_URL": "https://github.com", "GITHUB_RUN_ATTEMPT": "1", "GITHUB_ACTOR": "rita"}
        self.secret_sets = {"production-plan": planning, "production": everything, "production-rollback": everything,
                            # An address that is kept as a secret works too, but is hidden from the page.
                            "staging": {"BACKEND_URL_STAGING": "https://api.shop.example.org"} | {name.replace("_PRODUCTION", "_STAGING"): value for name, value in everything.items()}}

    def application(self):
        quiet = "offline=true\naudit=false\nfund=false\nupdate-notifier=false\n"
        python = stages.TOOLS / "venv/bin/python"
        scripts = {"backend": {"start": "node server.js", "test": "node -e 0", "db:migrate": f"{python} -B migrate.py"},
                   "frontend": {"start": "node server.js", "build": "true"}}
        for part, lines in scripts.items():
            folder = self.repository / part
            folder.mkdir()
            (folder / "package.json").write_text(json.dumps({"name": part, "version": "1.0.0", "scripts": lines}))
            (folder / ".npmrc").write_text(quiet)
        (self.repository / "backend/migrate.py").write_text(MIGRATION)
        (self.repository / "frontend/index.html").write_text("one")

    def edit(self):
        """What a person puts in, and what points at the stand-ins: nothing answers at the customers' addresses."""
        path = self.repository / "belay.yaml"
        text = path.read_text()
        for old, new in (("project: shop\n", "project: shop\nstate: ../state\n"),
                         ("token: ${RAILWAY_TOKEN}\n", f"token: ${{RAILWAY_TOKEN}}\n        endpoint: http://127.0.0.1:{self.railway}\n"),
                         ("token: ${VERCEL_TOKEN}\n", f"token: ${{VERCEL_TOKEN}}\n        endpoint: http://127.0.0.1:{self.vercel}\n"),
                         ("    region: eu-central-1\n",
                          f"    region: eu-central-1\n    endpoint: http://127.0.0.1:{self.s3['port']}\n    path_style: true\n"),
                         ("region: eu-central-1 }",
                          f"region: eu-central-1, endpoint: 'http://127.0.0.1:{self.s3['port']}', path_style: true }}"),
                         ("${RAILWAY_PROJECT_ID_STAGING}\n", "${RAILWAY_PROJECT_ID_STAGING}\n        environment: production\n"),
                         ('github: { token: "${GITHUB_TOKEN}" }',
                          f'github: {{ token: "${{GITHUB_TOKEN}}", endpoint: "http://127.0.0.1:{self.github}" }}'),
                         # A job on GitHub is not root.
                         ("    path: backend\n", "    path: backend\n" + ("    user: root\n" if os.geteuid() == 0 else "")),
                         ("# people: { amina: { github: LOGIN }, leo: { github: LOGIN } }\n",
                          "people: { amina: { github: amina }, leo: { github: leo }, rita: { github: rita } }\n"),
                         ("watch: 60s", "watch: 0s"), ("database: ask", "database: auto")):
            assert old in text, old
            text = text.replace(old, new)
        production, staging, rest = text.partition("  staging:\n")
        for own, other in ((self.railway, self.staging_railway), (self.vercel, self.staging_vercel)):
            rest = rest.replace(f"endpoint: http://127.0.0.1:{own}\n", f"endpoint: http://127.0.0.1:{other}\n")
        text = production + staging + rest
        path.write_text(re.sub(r"(?m)^      - \{ .*service: .*\n", "", text))

    def push(self, message, bad=False):
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        if bad:
            self.as_bad_commit(message)
        self.git("push", "-q", "origin", "main")

    def as_bad_commit(self, message):
        """Railway's stand-in fails the build of a commit whose hash begins with `bad`."""
        import hashlib
        text = self.git("cat-file", "commit", "HEAD")
        for number in range(1_000_000):
            body = f"{text} {number}\n".encode()
            if hashlib.sha1(b"commit %d\0" % len(body) + body).hexdigest().startswith("bad"):
                break
        made = subprocess.run(["git", "hash-object", "-t", "commit", "-w", "--stdin"], input=body, cwd=self.repository,
                              capture_output=True, check=True).stdout.decode().strip()
        self.git("reset", "-q", "--hard", made)

    def tell_github(self, what):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.github}/-/{what}", timeout=10) as answer:
            return json.loads(answer.read())

    def lose(self, prefix):
        """What the store has under it, gone; how many objects."""
        store = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{self.s3['port']}", region_name="eu-central-1",
                             aws_access_key_id=self.s3["id"], aws_secret_access_key=self.s3["secret"])
        bucket = "shop-backups"
        found = store.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        for each in found:
            store.delete_object(Bucket=bucket, Key=each["Key"])
        return len(found)

    def machine_is_gone(self):
        """Its lease would be looked at for a minute and a half: plays that they have gone by."""
        self.lose("production/claims/")

    def workflow(self, name, inputs=None, approve=lambda environment: True, **options):
        self.runs += 1
        self.tell_github(f"run?run={self.runs}&actor=rita")

        def review(environment):
            passed = approve(environment)
            if passed and environment in REVIEWERS:
                self.tell_github(f"review?user={REVIEWERS[environment]}&environments={environment}")
            return passed
        return actions.Run(self.folder, self.remote, f".github/workflows/{name}.yml", inputs, secrets=self.secret_sets,
                           variables=self.variables, run_id=self.runs,
                           environment={"GIT_CONFIG_GLOBAL": str(self.folder / "gitconfig"), "GIT_CONFIG_NOSYSTEM": "1",
                                                                       **self.on_github},
                           approve=review,
                           kept=lambda name, path: self.tell_github(f"artifact?name={name}&path={path}"), **options).go()

    def ask(self, port):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/state", timeout=10) as answer:
            return json.loads(answer.read())

    def live(self, staging=False):
        """The release that customers get at Vercel, and the commit that they get on Railway."""
        ports = (self.staging_vercel, self.staging_railway) if staging else (self.vercel, self.railway)
        vercel, railway = (self.ask(port) for port in ports)
        for state in (vercel, railway):
            assert state["complaints"] == [], state["complaints"]
        release = [each["meta"]["belayRelease"] for each in vercel["deployments"] if each["id"] == vercel["alias"]["to"]]
        commit = [each["meta"]["commitHash"] for each in railway["deployments"] if each["status"] == "SUCCESS"]
        return release[0] if release else None, commit[-1] if commit else None

    def sentinels(self):
        return {value for each in self.secret_sets.values() for name, value in each.items()
                if not name.endswith(("_ID", "_ID_PRODUCTION", "_ID_STAGING"))} | {self.passwords["shop_app"]}


class AProjectOnGitHub(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.stage = GitHub(options.belay)
        cls.addClassCleanup(cls.stage.close)
        cls.stage.set_up()
        cls.stage.application()
        cls.said = cls.stage.run([options.belay, "init", "--github"])
        cls.written = {each: (cls.stage.repository / each).read_text() for each in WORKFLOWS}
        cls.stage.edit()
        cls.stage.git("init", "-q", "--bare", cls.stage.remote)
        cls.stage.git("remote", "add", "origin", cls.stage.remote)
        cls.stage.push("One")

    def ended(self, run, **results):
        found = {name: job.result for name, job in run.jobs.items()}
        said = "\n".join(f"== {name}\n{job.log}" for name, job in run.jobs.items())
        self.assertEqual(found, results, said)
        self.tells_no_secret(run)
        return run

    def tells_no_secret(self, run):
        for job in run.jobs.values():
            # The runner hides what it was told to hide; what is left must hold none before it does.
            log = re.sub(r"(?m)^::add-mask::.*\n", "", job.log)
            kept = [each.read_text(errors="replace") for folder, _ in run.artifacts.values()
                    for each in folder.rglob("*") if each.is_file()]
            for text in (log, job.summary, json.dumps(job.outputs), job.url, json.dumps(job.errors), *kept):
                for secret in self.stage.sentinels():
                    self.assertNotIn(secret, text)

    def deploy(self, **options):
        return self.stage.workflow("production-deploy", **options)

    def shipped(self, **options):
        return self.ended(self.deploy(**options), plan="success", **{"gate-2": "success"}, deploy="success", look="skipped",
                          settle="skipped")

    def assert_nothing_left(self):
        """Nothing is held, nothing waits."""
        status = json.loads(subprocess.run(
            [options.belay, "status", "--json"], cwd=self.stage.repository, capture_output=True, text=True, check=True,
            env=self.stage.environment(**self.stage.secret_sets["production"])).stdout)
        self.assertEqual((status["locks"], status["open_runs"]), ([], []))

    # In the order of their names: each goes on where the one before it has left production.

    def test_1_what_init_writes_is_sound_and_nothing_is_written_over(self):
        for name, text in self.written.items():
            self.assertEqual(actions.complaints(text), [], name)
        again = subprocess.run([options.belay, "init", "--github"], cwd=self.stage.repository, capture_output=True, text=True,
                               check=False, env=self.stage.environment())
        self.assertEqual(again.returncode, 2)
        for name in ("belay.yaml", *WORKFLOWS, ".github/actions/belay/action.yml"):
            self.assertIn(name, again.stderr)

    def test_2_a_fault_in_a_workflow_is_found(self):
        text = self.written[WORKFLOWS[0]]
        for old, new in ((" # v7.0.1", ""), ("@3d3c42e5aac5", "@v7"), ("permissions: {}", "permissions: write-all"),
                         ("needs: [plan, gate-2]", "needs: [plan]"), ('"$RUN"', "${{ inputs.reason }}"),
                         ("steps.plan.outputs", "steps.plans.outputs"), ("inputs.skip_tests", "inputs.skip_test"),
                         ("timeout-minutes: 350", ""), ("cancel-in-progress: false", "cancel-in-progress: true"),
                         ("runs-on", "run-on")):
            self.assertIn(old, text)
            # One of several needs that nobody uses is no fault: look and settle name it.
            changed = text.replace(old, new) if old != "needs: [plan, gate-2]" else text.replace("  gate-2:", "  gate-3:")
            self.assertNotEqual(actions.complaints(changed), [], old)

    def test_3_actionlint_finds_nothing(self):
        linter = stages.TOOLS / "actionlint"
        self.assertTrue(linter.exists(), "actionlint is missing; tools/setup builds it")
        done = subprocess.run([linter, *WORKFLOWS], cwd=self.stage.repository, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_4_doctor_finds_nothing_bad_but_what_is_not_yet_made_on_github(self):
        looked = subprocess.run([options.belay, "doctor", "--env", "production"], cwd=self.stage.repository, text=True,
                                capture_output=True, check=False,
                                env=self.stage.environment(**self.stage.secret_sets["production"], **self.stage.variables, **self.stage.on_github,
                                                           GITHUB_TOKEN="github-token"))
        self.assertIn("Railway answers", looked.stdout)
        self.assertIn("Vercel answers", looked.stdout)
        self.assertIn("never writes over", looked.stdout)
        bad = re.findall(r"(?m)^ ✗  (.*)$", looked.stdout)
        self.assertEqual([re.sub("  +", " ", each) for each in bad],
                         [f"production: GitHub {environment} there is no such environment"
                          for environment in ("production", "production-rollback", "production-gate-2")], looked.stdout)

    def test_5_two_releases_go_out_after_two_people_each(self):
        run = self.shipped()
        self.assertEqual(run.asked, ["production-plan", "production-gate-2", "production"])
        release, commit = self.stage.live()
        job = run.jobs["deploy"]
        self.assertEqual((job.outputs["status"], job.outputs["release_tag"], job.url),
                         ("done", release, "https://shop.example.org"))
        self.assertEqual(commit, run.sha)
        self.assertIn("digest", run.jobs["plan"].summary.lower())
        self.assertIn("| switch |", job.summary)
        self.assertIn("hacked", job.log)          # the migration's words are shown, and are no command
        # The first release's point is of no release: nothing was live.
        self.assertEqual([(days, re.sub(r"\d+", "N", name)) for name, (_, days) in run.artifacts.items()],
                         [(30, "rp-N.backup"), (30, "production-deploy-N-N")])
        self.assertIn(release, self.stage.git("ls-remote", "--tags", "origin"))
        (self.stage.repository / "frontend/index.html").write_text("two")
        self.stage.push("Two")
        # What people type is given on as it is, and run by nobody.
        hostile = 'because"; touch pwned; $(touch pwned) `touch pwned` ::error::x'
        run = self.shipped(inputs={"tag": "origin/main", "skip_tests": True, "reason": hostile})
        self.assertIn("touch pwned", run.jobs["plan"].log)
        self.assertEqual(self.stage.live()[1], run.sha)
        self.assertTrue([each for each in run.artifacts if each.startswith(release + ".rp-")], run.artifacts)
        self.assertEqual(list(self.stage.folder.rglob("pwned")), [])

    def test_6_a_release_that_fails_comes_back(self):
        before = self.stage.live()
        (self.stage.repository / "frontend/index.html").write_text("bad")
        self.stage.push("Bad", bad=True)
        run = self.ended(self.deploy(), plan="success", **{"gate-2": "success"}, deploy="failure", look="skipped",
                         settle="skipped")
        outputs = run.jobs["deploy"].outputs
        self.assertEqual((outputs["status"], outputs["rolled_back"]), ("rolled_back", "true"))
        self.assertEqual(self.stage.live()[0], before[0])
        self.assertTrue(any("title=" in properties for properties, _ in run.jobs["deploy"].errors))
        self.stage.git("reset", "-q", "--hard", "HEAD~1")
        self.stage.git("push", "-q", "--force", "origin", "main")

    def test_7_code_and_data_go_back_by_the_rollback_workflow(self):
        now = self.stage.live()
        self.stage.database.orders.insert_one({"_id": 99, "item": 99})
        # The vault has lost all restore points and their blocks: the release's own is at GitHub.
        self.assertGreater(self.stage.lose("production/points/"), 1)
        self.assertGreater(self.stage.lose("production/blocks/"), 0)
        run = self.ended(self.stage.workflow("production-rollback"), plan="success", **{"gate-2": "success"},
                         rollback="success", look="skipped", settle="skipped")
        self.assertEqual(run.asked, ["production-plan", "production-gate-2", "production-rollback"])
        self.assertEqual(run.jobs["rollback"].outputs["status"], "done")
        self.assertEqual(run.jobs["rollback"].outputs["rolled_back"], "true")
        self.assertNotEqual(self.stage.live()[0], now[0])
        self.assertIsNone(self.stage.database.orders.find_one({"_id": 99}))
        self.assertIn("shop.orders", run.jobs["plan"].summary)         # what would be lost, for whoever approves
        self.assertRegex(run.jobs["plan"].summary, r"taken from the artifact prod-\d+-\d+\.rp-\d+\.backup of GitHub's, SHA-256 [0-9a-f]{64}")
        self.assertEqual(self.stage.tell_github("state")["complaints"], [])
        self.assertEqual([days for _, days in run.artifacts.values()], [90])

    def test_8_what_nobody_approves_is_ended_and_changes_nothing(self):
        before = self.stage.live()
        for refused in ("production-gate-2", "production"):
            run = self.deploy(approve=lambda environment, no=refused: environment != no)
            self.assertEqual(run.jobs["plan"].result, "success", run.jobs["plan"].log)
            self.assertEqual(run.jobs["look"].result, "success", run.jobs["look"].log)
            self.assertEqual(run.jobs["settle"].result, "skipped")
            self.assertNotIn("production-rollback", run.asked)
            self.assertEqual(self.stage.live(), before)
            self.assert_nothing_left()

    def in_the_middle(self, what):
        """Ends the deploying job while Railway is at work on its order: "cancel" as GitHub does, or "lose"."""
        count = len(self.stage.ask(self.stage.railway)["deployments"])

        def watch(job, step, process):
            if (job, step) != ("deploy", "Deploy"):
                return None
            stages.wait_until(lambda: process.poll() is not None or
                              len(self.stage.ask(self.stage.railway)["deployments"]) > count, 60, "an order")
            self.assertIsNone(process.poll(), "it was over before it could be ended")
            process.send_signal(signal.SIGKILL)
            process.wait()
            self.stage.machine_is_gone()
            return what
        return watch

    def test_9a_a_cancelled_job_is_brought_back_by_the_next_one(self):
        before = self.stage.live()
        (self.stage.repository / "frontend/index.html").write_text("three")
        self.stage.push("Three")
        run = self.ended(self.deploy(watch=self.in_the_middle("cancel")), plan="success", **{"gate-2": "success"},
                         deploy="cancelled", look="success", settle="failure")
        self.assertIn("production-rollback", run.asked)
        self.assertEqual(self.stage.live()[0], before[0])
        self.assert_nothing_left()

    def test_9b_a_lost_machines_run_goes_on_in_the_next_job(self):
        run = self.ended(self.deploy(watch=self.in_the_middle("lose")), plan="success", **{"gate-2": "success"},
                         deploy="failure", look="success", settle="success")
        self.assertEqual(self.stage.live()[1], run.sha)
        self.assert_nothing_left()

    def test_9c_what_nobody_settled_goes_on_before_the_next_deploy(self):
        (self.stage.repository / "frontend/index.html").write_text("four")
        self.stage.push("Four")
        run = self.deploy(watch=self.in_the_middle("lose"), approve=lambda environment: environment != "production-rollback")
        self.assertEqual(run.jobs["settle"].result, "failure")
        (self.stage.repository / "frontend/index.html").write_text("five")
        self.stage.push("Five")
        run = self.deploy()
        self.assertIn("was left in the middle", run.jobs["deploy"].log)
        # The plan was made while another release was live: it says so, and changes nothing.
        self.assertEqual(run.jobs["deploy"].outputs["status"], "superseded", run.jobs["deploy"].log)
        self.assert_nothing_left()

    def test_9d_an_archive_that_is_another_one_is_not_used(self):
        kept = dict(self.stage.variables)
        try:
            self.stage.variables["BELAY_SHA256"] = "0" * 64
            run = self.deploy()
        finally:
            self.stage.variables = kept
        self.assertEqual(run.jobs["plan"].result, "failure")
        self.assertIn("nothing of it was used", run.jobs["plan"].log)
        self.assertEqual(run.jobs["deploy"].result, "skipped")


    def test_9e_staging_asks_nobody(self):
        run = self.ended(self.stage.workflow("staging-deploy"), deploy="success", settle="skipped")
        self.assertEqual(run.asked, ["staging"])
        first = self.stage.live(staging=True)
        self.assertEqual(run.jobs["deploy"].outputs["release_tag"], first[0])
        (self.stage.repository / "frontend/index.html").write_text("six")
        self.stage.push("Six")

        def lose(job, step, process):
            if (job, step) != ("deploy", "Deploy"):
                return None
            stages.wait_until(lambda: process.poll() is not None or
                              len(self.stage.ask(self.stage.staging_railway)["deployments"]) > 1, 60, "an order")
            process.send_signal(signal.SIGKILL)
            process.wait()
            self.stage.machine_is_gone()
            return "lose"
        self.ended(self.stage.workflow("staging-deploy", watch=lose), deploy="failure", settle="success")
        self.assertNotEqual(self.stage.live(staging=True)[0], first[0])
        run = self.ended(self.stage.workflow("staging-rollback", {"skip_database": True, "tag": first[0]}), rollback="success",
                         settle="skipped")
        self.assertEqual(self.stage.live(staging=True)[0], first[0])
        # The data that it left as it is, kept for whoever wants it.
        self.assertEqual([days for name, (_, days) in run.artifacts.items() if re.fullmatch(r".+-\d{8}-\d{6}\.safety-\d+\.backup", name)], [90],
                         run.artifacts)
        self.assert_nothing_left()


def main():
    global options
    parser = argparse.ArgumentParser()
    parser.add_argument("--belay", required=True)
    options, rest = parser.parse_known_args()
    options.belay = str(Path(options.belay).resolve())
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2, failfast=True)


if __name__ == "__main__":
    main()
