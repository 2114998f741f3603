# SPDX-License-Identifier: Apache-2.0
"""Every secret that belay.yaml can hold, in use at platforms, stores and a database that are well, that
refuse, and that say back what they were told: none is shown, told, kept or handed to a process.

    hosted_secrets_test.py --belay PROGRAM
"""
import argparse
import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import subprocess
import sys
import time
import unittest
from pathlib import Path
from urllib.parse import quote

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent / "tools")]
import echo  # noqa: E402
import sentinels  # noqa: E402
import stage as stages  # noqa: E402

AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
# What each is told, or knows, of whom.
TOLD = {("railway", "production"): ("RAILWAY_TOKEN",), ("vercel", "production"): ("VERCEL_TOKEN",),
        ("railway", "staging"): ("RAILWAY_ACCOUNT_TOKEN",), ("s3", "production"): ("S3_KEY", "S3_SECRET"),
        ("s3", "temporary"): ("S3_KEY", "S3_SECRET", "S3_SESSION"), ("azure", "staging"): ("AZURE_KEY",), ("azure", "signed"): ("AZURE_SAS",)}
ACCOUNT = "devstoreaccount1"
FILE = """project: shop
state: {state}
secrets: {{ file: {folder}/secrets }}
services:
  backend: {{ path: ., run: "true" }}
  frontend: {{ path: frontend, build: "true", run: "true", needs: [backend] }}
  mailer: {{ path: ., run: "true", env: {{ JWT: "${{JWT_SECRET}}" }} }}
database:
  uri: ${{MONGODB_URI}}
  migrate: {{ run: "echo migrates with $MONGODB_URI", in: mailer, uri: "${{MONGODB_MIGRATION_URI}}" }}
environments:
  production:
    tag: prod
    first: true
    watch: 0s
    services:
      backend: {{ target: railway, project: project-1, token: "${{RAILWAY_TOKEN}}", endpoint: {railway} }}
      frontend: {{ target: vercel, project: prj_frontend, team: team_shop, domains: [shop.example.org], token: "${{VERCEL_TOKEN}}", endpoint: {vercel} }}
      mailer: {{ target: command, prepare: "true", activate: "echo live with $JWT; echo $BELAY_RELEASE > {folder}/live", status: "echo live $(cat {folder}/live 2>/dev/null)" }}
    checks:
      - {{ name: Sign in, url: "{echo}/sign-in", method: POST, send: {{ body: "${{CHECK_PASSWORD}}", headers: {{ Authorization: "Bearer ${{CHECK_PASSWORD}}" }} }}, severity: warn, status: 200 }}
    vault:
      store: s3:shop-backups/production
      key: ${{VAULT_KEY}}
      s3: {{ key: "${{S3_KEY}}", secret: "${{S3_SECRET}}", region: eu-central-1, endpoint: {s3}, path_style: true }}
    notify: [{{ command: "cat >> {folder}/announced" }}]
  staging:
    tag: staging
    first: true
    services:
      backend: {{ target: railway, project: project-1, environment: production, service: backend, account_token: "${{RAILWAY_ACCOUNT_TOKEN}}", endpoint: {railway} }}
      frontend: {{ target: vercel, project: prj_frontend, domains: [shop.example.org], token: "${{VERCEL_TOKEN}}", endpoint: {vercel} }}
      mailer: {{ target: command, activate: "true" }}
    vault:
      store: azblob:backups/staging
      key: ${{VAULT_KEY}}
      azblob: {{ account: devstoreaccount1, key: "${{AZURE_KEY}}", endpoint: {azure}/devstoreaccount1 }}
    notify: [{{ command: "cat >> {folder}/announced" }}]
  signed:
    tag: signed
    services: {{ mailer: {{ target: command, activate: "true" }} }}
    vault:
      store: azblob:backups/signed
      key: ${{VAULT_KEY}}
      azblob: {{ account: devstoreaccount1, sas: "${{AZURE_SAS}}", endpoint: {azure}/devstoreaccount1 }}
  temporary:
    tag: temporary
    services: {{ mailer: {{ target: command, activate: "true" }} }}
    vault:
      store: s3:shop-backups/temporary
      key: ${{VAULT_KEY}}
      s3: {{ key: "${{S3_KEY}}", secret: "${{S3_SECRET}}", session: "${{S3_SESSION}}", region: eu-central-1, endpoint: {s3}, path_style: true }}
  astray:
    tag: astray
    services:
      backend: {{ target: railway, project: project-1, token: "${{RAILWAY_TOKEN}}", endpoint: "https://127.0.0.1:{plain}/graphql/v2" }}
      frontend: {{ target: vercel, project: prj_frontend, domains: [shop.example.org], token: "${{VERCEL_TOKEN}}", endpoint: "http://nowhere.invalid" }}
      mailer: {{ target: command, activate: "true" }}
    vault: {{ store: "file:{folder}/vault", key: "${{VAULT_KEY}}" }}
"""


def word():
    return f"Zq{os.urandom(14).hex()}~/+{os.urandom(3).hex()}"


def signed(text):
    return base64.b64encode(hmac.new(base64.b64decode(AZURITE_KEY), text.encode(), hashlib.sha256).digest()).decode()


class Hosted(stages.Stage):
    def __init__(self, belay):
        super().__init__(belay)
        self.echoes = {}
        self.given = {name: word() for name in ("RAILWAY_TOKEN", "RAILWAY_ACCOUNT_TOKEN", "VERCEL_TOKEN", "JWT_SECRET",
                                                "CHECK_PASSWORD", "S3_SESSION")}
        self.given["VAULT_KEY"] = os.urandom(32).hex()
        self.given["AZURE_KEY"] = AZURITE_KEY
        signature = signed(f"{ACCOUNT}\nrwdlac\nb\nsco\n\n2099-01-01T00:00:00Z\n\n\n2019-12-12\n")
        self.given["AZURE_SAS"] = "sv=2019-12-12&ss=b&srt=sco&sp=rwdlac&se=2099-01-01T00:00:00Z&sig=" + quote(signature, safe="")

    def close(self):
        for each in self.echoes.values():
            each.shutdown()
            each.server_close()
        for child in self.children:
            if child.stdin:
                child.stdin.close()
        super().close()

    def secrets(self):
        return {**super().secrets(), **self.given}

    def environment(self, **more):
        return super().environment(**{"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": str(self.folder / "github-output"),
                                      "GITHUB_STEP_SUMMARY": str(self.folder / "github-summary"), "NO_PROXY": "127.0.0.1", **more})

    def serve(self, script):
        """Its port; it ends with its standard input."""
        child = subprocess.Popen([sys.executable, "-B", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.children.append(child)
        with child.stdout:
            return json.loads(child.stdout.readline())

    def azurite(self):
        program = stages.TOOLS / "node/node_modules/.bin/azurite-blob"
        child = subprocess.Popen([str(program), "--silent", "--inMemoryPersistence", "--disableTelemetry", "--blobHost", "127.0.0.1",
                                  "--blobPort", "0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, cwd=self.folder)
        self.children.append(child)
        for line in child.stdout:
            if "successfully listen" in line:
                return int(line.rsplit(":", 1)[1])
        raise stages.Trouble("azurite did not start")

    def start_all(self):
        self.start_database()
        self.database.items.insert_many({"_id": n} for n in range(10))
        given = self.given
        s3 = self.serve(TESTS / "support/s3_server.py")
        given.update(S3_KEY=s3["id"], S3_SECRET=s3["secret"], CHECK_PASSWORD=self.check_password)
        tokens = {given["RAILWAY_TOKEN"]: "railway-token", given["VERCEL_TOKEN"]: "vercel-token"}
        ports = {"railway": self.serve(TESTS / "fake/railway_server.py")["port"],
                 "vercel": self.serve(TESTS / "fake/vercel_server.py")["port"],
                 "s3": s3["port"], "azure": self.azurite()}
        for name, port in ports.items():
            self.echoes[name] = echo.Echo(port, tokens, "xml" if name in ("s3", "azure") else "json")
        self.make_container(ports["azure"])
        self.make_repository()
        # What services answer is said back, too: a check's own password.
        self.echoes["check"] = echo.Echo(0)
        self.echoes["check"].status = 403
        self.echoes["check"].secrets = [given["CHECK_PASSWORD"]]

    def make_container(self, port):
        at = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
        headers = {"x-ms-date": at, "x-ms-version": "2021-12-02"}
        text = "PUT" + "\n" * 12 + f"x-ms-date:{at}\nx-ms-version:2021-12-02\n/{ACCOUNT}/{ACCOUNT}/backups\nrestype:container"
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("PUT", f"/{ACCOUNT}/backups?restype=container", headers={**headers, "Authorization": f"SharedKey {ACCOUNT}:{signed(text)}"})
        assert connection.getresponse().status == 201
        connection.close()

    def write_file(self):
        urls = {name: each.url() for name, each in self.echoes.items()}
        (self.repository / "belay.yaml").write_text(FILE.format(
            state=self.state, folder=self.folder, railway=urls["railway"], vercel=urls["vercel"], s3=urls["s3"],
            azure=urls["azure"], echo=urls["check"], plain=self.echoes["vercel"].server_address[1]))

    def commit(self, text, **files):
        (self.repository / "frontend").mkdir(exist_ok=True)
        (self.repository / "frontend/index.html").write_text(text)
        for name, content in files.items():
            (self.repository / "frontend" / name).write_text(content)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", text)


class NoSecretIsAnywhere(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.stage = Hosted(options.belay)
        self.addCleanup(self.stage.close)
        self.said = []

    def belay(self, *arguments, code=None, env=None):
        begun = time.monotonic()
        done = self.stage.belay(*arguments, check=False, env=env)
        if options.times:
            print(f"{time.monotonic() - begun:6.1f} s", *arguments, flush=True)
        # A job's runner is told what to hide by the values themselves, and shows none of these lines.
        text = re.sub(r"(?m)^::add-mask::.*\n", "", done.stdout + done.stderr)
        self.said.append((arguments, text))
        if code is not None:
            self.assertEqual(done.returncode, code, f"belay {arguments}\n{text}")
        return text

    def look(self, environment):
        """What people look at afterwards."""
        for words in (("history",), ("status",), ("status", "--json"), ("audit", "verify"), ("backup", "list", "--env", environment),
                      ("health", "--env", environment), ("plan", "--env", environment, "--json")):
            self.belay(*words)

    def look_at_runs(self):
        for run in range(1, 20):
            text = self.belay("show", str(run), "--json")
            if "no run" in text.lower():
                break
            self.belay("show", str(run))
            self.belay("logs", str(run))

    def in_trouble(self, name, environment, status, *commands):
        one = self.stage.echoes[name]
        one.secrets = [self.stage.given[each] for each in TOLD[name, environment]]
        before, one.status = one.echoed, status
        for words in commands:
            self.belay(*words, "--env", environment)
        one.status = None
        self.assertGreater(one.echoed, before, f"{name} was not asked")

    def test_whatever_is_said_back_is_neither_shown_nor_kept_nor_handed_on(self):
        stage = self.stage
        stage.start_all()
        arguments = sentinels.Arguments()
        stage.repository.joinpath("package.json").write_text('{"name": "shop", "scripts": {"start": "true"}}')
        self.belay("init")
        stage.write_file()
        stage.commit("one")

        # All is well.
        text = self.belay("doctor", "--env", "production")
        self.assertIn("Railway answers for project-1", text)
        self.assertIn("never writes over", text)
        self.belay("deploy", "--env", "production", "--yes", code=0)
        stage.commit("two")
        self.belay("deploy", "--env", "production", "--yes", code=0)
        self.belay("rollback", "--env", "production", "--code-only", "--yes", code=0)
        self.assertIn("exact", self.belay("backup", "create", "mine", "--env", "staging", code=0))
        stage.commit("three", broken="it is")
        self.belay("deploy", "--env", "production", "--yes", code=1)
        self.look("production")
        (stage.repository / "frontend/broken").unlink()
        stage.commit("four")

        # Each says back what it was told.
        looks, ships = ("doctor",), ("deploy", "--yes")
        back, takes, lists = ("rollback", "--dry-run", "--code-only"), ("backup", "create", "x"), ("backup", "list")
        for status in (200, 401, 429):
            self.in_trouble("railway", "production", status, looks, back, ships)
            self.in_trouble("vercel", "production", status, looks, back, ships)
        self.in_trouble("vercel", "production", 500, looks)
        self.in_trouble("railway", "staging", 403, looks, ships)
        for status in (403, 429):
            self.in_trouble("s3", "production", status, looks, takes, ships)
            self.in_trouble("s3", "temporary", status, looks, lists)
            self.in_trouble("azure", "staging", status, looks, takes)
            self.in_trouble("azure", "signed", status, looks, lists)

        # Tokens that nobody knows, a server that does not speak TLS, a name that nobody has.
        wrong = {"RAILWAY_TOKEN": word(), "VERCEL_TOKEN": word(), "S3_SECRET": word(), "AZURE_KEY": base64.b64encode(os.urandom(64)).decode(),
                 "MONGODB_URI": stage.uri("shop_app").replace(stage.passwords["shop_app"], os.urandom(12).hex())}
        for environment in ("production", "staging"):
            self.belay("doctor", "--env", environment, env=wrong)
            self.belay("deploy", "--env", environment, "--yes", env=wrong)
        self.belay("doctor", "--env", "astray")
        self.look_at_runs()
        self.search(sentinels.Search({**{f"wrong {name}": value for name, value in wrong.items()}, **stage.secrets(),
                                      "the password": stage.passwords["shop_app"], "the signature": stage.given["AZURE_SAS"].split("sig=")[1],
                                      "the migrator's": stage.passwords["shop_migrator"]}), arguments)

    def search(self, search, arguments):
        stage, found = self.stage, []
        for words, text in self.said:
            found += search.found_in(text, f"belay {' '.join(words)}")
        # A program's own environment and output, as it wrote it, lie in the state for as long as it lives.
        below, files = search.found_below(stage.state)
        self.assertGreater(files, 20)
        found += below
        found += search.found_below(stage.repository)[0]
        found += search.found_in(sentinels.git_objects(stage.repository), "the repository's objects")
        for name in ("announced", "github-output", "github-summary"):
            path = stage.folder / name
            found += search.found_in(path.read_bytes() if path.exists() else b"", name)
        self.assertTrue((stage.folder / "announced").exists())
        seen = arguments.stop()
        self.assertIn(b"belay", seen)
        found += search.found_in(seen, "the arguments of a process")
        self.assertEqual(sorted(set(found)), [])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--belay", required=True)
    parser.add_argument("--times", action="store_true", help="how long each command takes")
    options, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
