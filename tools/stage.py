# SPDX-License-Identifier: Apache-2.0
"""A stage for the shop: its own folder, database, git repository, people with keys, customers.

Used by the demonstration and by the end-to-end tests. Everything listens on loopback on free ports,
lives in one temporary folder, and is ended by process id.
"""
import json
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "build/tools"
SHOP = ROOT / "examples/shop"
PEOPLE = ("amina", "leo", "noor")
ME = pwd.getpwuid(os.geteuid()).pw_name   # whom the services of a stage run as


class Trouble(Exception):
    """What went wrong, for people."""


def free_port():
    """Below those that the kernel gives to whoever connects: while its server is away, a port is not taken."""
    while True:
        port = random.randrange(22_000, 32_000)
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_until(holds, seconds, what):
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise Trouble(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def listens(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Stage:
    DATABASE = "shop"
    DURABLE = ()         # more words for the database server

    def __init__(self, belay, keep=False):
        self.belay_program = str(Path(belay).resolve())
        self.keep = keep
        self.folder = Path(tempfile.mkdtemp(prefix="belay-shop-"))
        self.repository = self.folder / "shop"
        self.state = self.folder / "state"
        self.mark = str(self.folder)     # in the words or the place of each process of this stage
        self.children = []
        self.database_port = free_port()
        self.api_port, self.site_port = free_port(), free_port()
        self.passwords = {name: os.urandom(12).hex() for name in ("admin", "shop_app", "shop_migrator")}
        self.check_password = os.urandom(12).hex()

    # --- processes ----------------------------------------------------------------------------

    def environment(self, **more):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("BELAY_", "MONGODB_"))}
        return {**kept, "GIT_CONFIG_GLOBAL": str(self.folder / "gitconfig"), "GIT_CONFIG_NOSYSTEM": "1",
                "BELAY_USER": "dev@example.org", **more}

    def start(self, name, arguments, **options):
        log = open(self.folder / f"{name}.log", "ab")
        child = subprocess.Popen([str(each) for each in arguments], stdin=subprocess.DEVNULL,
                                 stdout=options.pop("stdout", log), stderr=log, start_new_session=True,
                                 env=self.environment(**options.pop("env", {})), **options)
        log.close()
        self.children.append(child)
        return child

    def run(self, arguments, cwd=None, env=None, timeout=120):
        done = subprocess.run([str(each) for each in arguments], cwd=cwd or self.repository, capture_output=True,
                              text=True, env=self.environment(**(env or {})), timeout=timeout, check=False)
        if done.returncode != 0:
            raise Trouble(f"{' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def finish(self, child, seconds=10):
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(seconds)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def left_running(self):
        """Processes that work in our folder or name it: services, their supervisors, the proxy."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace")
                if words and (self.mark in words or self.mark in os.readlink(entry / "cwd")):
                    found.append((int(entry.name), words.replace("\0", " ").strip()))
            except OSError:
                continue       # ended meanwhile, or somebody else's
        return found

    def close(self):
        if hasattr(self, "client"):
            self.client.close()
        for child in reversed(self.children):
            if not (self.keep and child is getattr(self, "server", None)):
                self.finish(child)
        if self.keep:
            return
        # Supervisors first: they would start again what they watch over.
        for number, seconds in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
            running = self.left_running()
            for pid, words in sorted(running, key=lambda each: "runsv" not in each[1]):
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
            deadline = time.monotonic() + seconds
            while self.left_running() and time.monotonic() < deadline:
                time.sleep(0.05)
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- the database -------------------------------------------------------------------------

    def uri(self, user):
        return (f"mongodb://{user}:{quote(self.passwords[user], safe='')}@127.0.0.1:{self.database_port}/{self.DATABASE}"
                "?authSource=admin&replicaSet=secantus")

    def serve_database(self, *more):
        program = TOOLS / "venv/bin/secantusd-py"
        if not program.exists():
            raise Trouble(f"the database server is missing ({program}); tools/setup installs it")
        self.server = self.start("database", [program, "--host", "127.0.0.1", "--port", self.database_port,
                                              "--storage-path", self.folder / "database", "--log-level", "WARNING",
                                              *self.DURABLE, *more])
        wait_until(lambda: listens(self.database_port), 20, "the database server starts")

    def start_database(self):
        import pymongo   # of build/tools/venv
        self.serve_database()      # its users are made before it asks for passwords
        client = pymongo.MongoClient("127.0.0.1", self.database_port, directConnection=True)
        # Belay works as the application's user: it needs its own small database for markers, the
        # change log, and the right to change collections' options when data goes back.
        app = [{"role": "readWrite", "db": self.DATABASE}, {"role": "dbAdmin", "db": self.DATABASE},
               {"role": "dbOwner", "db": "belay"}, {"role": "read", "db": "local"},
               {"role": "clusterMonitor", "db": "admin"}]
        for name, roles in (("admin", [{"role": "root", "db": "admin"}]), ("shop_app", app),
                            ("shop_migrator", [{"role": "dbOwner", "db": self.DATABASE}])):
            client.admin.command("createUser", name, pwd=self.passwords[name], roles=roles)
        client.close()
        self.finish(self.server)
        self.serve_database("--auth")
        self.client = pymongo.MongoClient(self.uri("admin"))
        self.database = self.client[self.DATABASE]

    # --- the repository and its people ----------------------------------------------------------

    def git(self, *arguments):
        return self.run(["git", *arguments]).strip()

    def secrets(self):
        """What the file named in belay.yaml under `secrets` holds."""
        return {"MONGODB_URI": self.uri("shop_app"), "MONGODB_MIGRATION_URI": self.uri("shop_migrator"),
                "CHECK_PASSWORD": self.check_password}

    def make_repository(self):
        (self.folder / "gitconfig").write_text("[user]\n  name = Dev\n  email = dev@example.org\n"
                                               "[init]\n  defaultBranch = main\n")
        self.repository.mkdir()
        (self.folder / "keys").mkdir(mode=0o700)
        for name in PEOPLE:
            self.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"{name}@laptop", "-f", self.key(name)])
        secrets = self.folder / "secrets"
        secrets.touch(mode=0o600)
        secrets.write_text("".join(f"{name}={value}\n" for name, value in self.secrets().items()))
        self.git("init", "-q")

    def key(self, name):
        return self.folder / "keys" / name

    def belay_yaml(self):
        text = (SHOP / "belay.yaml").read_text()
        for name in PEOPLE:
            public = (self.folder / "keys" / f"{name}.pub").read_text().strip()
            text, count = re.subn(rf"(?m)^(  {name}: )ssh-.*$", rf"\g<1>{public}", text)
            assert count == 1, name
        text = re.sub(r"(?m)^(    user: ).*$", rf"\g<1>{ME}", text)
        for old, new in (("/etc/belay/shop.env", f"{self.folder}/secrets"),
                         ("project: shop\n", f"project: shop\nstate: {self.state}\n"),
                         ("127.0.0.1:8080", f"127.0.0.1:{self.api_port}"),
                         ("127.0.0.1:8081", f"127.0.0.1:{self.site_port}")):
            assert old in text, old
            text = text.replace(old, new)
        return text

    def commit_release(self, number):
        """The shop as release `number` has it, as a commit on main; its message is the answer."""
        if number == 1:
            for part in ("backend", "frontend", ".gitignore"):
                source = SHOP / part
                if source.is_dir():
                    shutil.copytree(source, self.repository / part, ignore=shutil.ignore_patterns("node_modules", "dist"))
                else:
                    shutil.copy(source, self.repository / part)
            (self.repository / "belay.yaml").write_text(self.belay_yaml())
            # Builds take their packages from what set-up fetched, and need no network.
            registry = self.run(["npm", "config", "get", "registry"]).strip()
            for part in ("backend", "frontend"):
                (self.repository / part / ".npmrc").write_text(
                    f"cache={TOOLS}/npm-cache\noffline=true\nregistry={registry}\naudit=false\nfund=false\nupdate-notifier=false\n")
        overlay = SHOP / "releases" / str(number)
        for part in ("backend", "frontend"):
            if (overlay / part).is_dir():
                shutil.copytree(overlay / part, self.repository / part, dirs_exist_ok=True)
        message = (overlay / "MESSAGE").read_text().strip()
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return message

    def seed(self):
        """Fills the database, by the shop's own program."""
        folder = self.folder / "seed"
        shutil.copytree(self.repository / "backend", folder)
        self.run(["npm", "ci", "--omit=dev", "--loglevel=error"], cwd=folder)
        return self.run(["node", "src/seed.js"], cwd=folder,
                        env={"MONGODB_URI": self.uri("shop_app"), "CHECK_PASSWORD": self.check_password}).strip()

    # --- belay and the customers ------------------------------------------------------------------

    def belay(self, *arguments, env=None, check=True, timeout=120):
        done = subprocess.run([self.belay_program, *map(str, arguments)], cwd=self.repository, text=True,
                              capture_output=True, env=self.environment(**(env or {})), timeout=timeout, check=False)
        if check and done.returncode != 0:
            raise Trouble(f"belay {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def approve(self, run, name):
        return self.belay("approve", run, "--key", self.key(name), env={"BELAY_USER": name}).stdout.strip()

    def start_customers(self, rate=40):
        self.ledger = self.folder / "ledger"
        self.customers = self.start(
            "customers", ["node", SHOP / "customers.mjs", "--api", f"http://127.0.0.1:{self.api_port}",
                          "--site", f"http://127.0.0.1:{self.site_port}", "--ledger", self.ledger, "--rate", rate],
            stdout=open(self.folder / "customers.json", "wb"))

    def stop_customers(self):
        self.customers.terminate()
        self.customers.wait(60)
        return json.loads((self.folder / "customers.json").read_text())

    def ledger_lines(self):
        return [json.loads(line) for line in self.ledger.read_text().splitlines()]
