# SPDX-License-Identifier: Apache-2.0
"""The stage of the kill sweep: a small shop of two services, its data, and a customer with a ledger.

A run of it takes seconds, so that it can be killed at every place where a crash may fall.
"""
import datetime
import http.client
import json
import shutil
import sqlite3
import sys
import threading
import time
import uuid
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tools"))
import stage as stages  # noqa: E402

import bson  # noqa: E402
from bson.codec_options import CodecOptions  # noqa: E402
from bson.raw_bson import RawBSONDocument  # noqa: E402

RAW = CodecOptions(document_class=RawBSONDocument)
STOCK = 1_000_000
ON_SALE = 40


class Customer(threading.Thread):
    """Places an order every 50 ms, and writes down which were acknowledged, byte for byte."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port, self.count = port, 0
        self.sent, self.acknowledged, self.failed = set(), {}, []
        self.open, self.over, self.idle = threading.Event(), threading.Event(), threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            if not self.open.is_set():
                self.idle.set()
                self.open.wait(0.1)
                continue
            self.idle.clear()
            self.place()
            self.over.wait(0.05)
        self.idle.set()

    def place(self):
        self.count += 1
        name = f"order-{self.count}-{uuid.uuid4().hex[:6]}"
        body = json.dumps({"id": name, "item": self.count % ON_SALE, "quantity": 1 + self.count % 3})
        self.sent.add(name)
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=40)
            connection.request("POST", "/orders", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            connection.close()
            if answer.status == 201:
                self.acknowledged[name] = bytes.fromhex(json.loads(text)["document"])
            else:
                self.failed.append((time.time(), f"{name}: {answer.status} {text[:200]!r}"))
        except (OSError, http.client.HTTPException) as error:
            self.failed.append((time.time(), f"{name}: {error!r}"))

    def go(self):
        self.sent, self.acknowledged, self.failed = set(), {}, []
        self.idle.clear()
        self.open.set()

    def pause(self):
        self.open.clear()
        if not self.idle.wait(60):
            raise stages.Trouble("a customer's request was not answered within 60 s")


class SmallStage(stages.Stage):
    def __init__(self, belay, number=0, keep=False):
        super().__init__(belay, keep)
        self.repository = self.folder / "small"
        self.effects = self.folder / "effects"
        self.effects.touch()
        first = 24000 + 300 * number
        self.ports = f"{first}-{first + 299}"
        self.commits = {}

    def environment(self, **more):
        # The driver's counters lie in shared memory, and a killed process would leave them there.
        return super().environment(MONGOC_DISABLE_SHM="1", **more)

    # --- the project ----------------------------------------------------------------------------

    def belay_yaml(self, asks=False):
        lines = (HERE / "small/belay.yaml").read_text().splitlines(keepends=True)
        text = "".join(line for line in lines if asks or not line.endswith("# WORKER\n"))
        words = {"STATE": self.state, "PORTS": self.ports, "SECRETS": self.folder / "secrets",
                 "EFFECTS": self.effects, "PYTHON": stages.TOOLS / "venv/bin/python", "WHOEVER": stages.ME,
                 "API_PORT": self.api_port, "SITE_PORT": self.site_port, "DATA_RETURN": "ask" if asks else "auto"}
        for name in stages.PEOPLE:
            words[f"KEY_{name}"] = (self.folder / "keys" / f"{name}.pub").read_text().strip()
        for word in sorted(words, key=len, reverse=True):
            assert word in text, word
            text = text.replace(word, str(words[word]))
        return text

    def commit_release(self, number):
        if number == 1:
            shutil.copytree(HERE / "small/backend", self.repository / "backend")
            shutil.copytree(HERE / "small/frontend", self.repository / "frontend")
        self.write_file(number == 4)
        (self.repository / "backend/RELEASE").write_text(f"{number}\n")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", f"Release {number}")
        self.commits[number] = self.git("rev-parse", "HEAD")

    def write_file(self, asks):
        (self.repository / "belay.yaml").write_text(self.belay_yaml(asks))

    def fill(self):
        """Documents of many types: each must come back byte for byte."""
        database = self.database
        when = datetime.datetime(2026, 1, 2, 3, 4, 5, 678000)
        database.items.insert_many(
            [{"_id": n, "name": f"Item {n}", "price": n + 1 if n % 3 == 0 else n + 0.99, "stock": STOCK}
             for n in range(ON_SALE)] +
            [{"_id": f"old-{n}", "name": f"Old {n}", "price": 9.9, "weight": bson.Decimal128("9.90"), "old": True,
              "bytes": bytes(range(n))} for n in range(10)])
        database.past.insert_many(
            {"_id": bson.ObjectId(bytes([n]) * 12), "customer": f"c{n % 7}", "at": when, "total": n * 3.5,
             "number": bson.Int64(n), "lines": [{"item": n, "note": None}]} for n in range(40))
        database.past.create_index("customer", name="past_by_customer")
        database.create_collection("notes", validator={"$expr": True})
        database.notes.insert_many([{"_id": 1, "text": "first"}, {"_id": {"b": 1, "a": 2}, "text": "second"}])
        database.create_collection("orders")

    def set_up(self):
        self.start_database()
        self.make_repository()
        self.fill()
        for number in (1, 2, 3, 4):
            self.commit_release(number)
        self.customer = Customer(self.api_port)

    def clear_orders(self):
        self.database.orders.delete_many({})
        self.database.items.update_many({"stock": {"$exists": True}}, {"$set": {"stock": STOCK}})

    def close(self):
        if hasattr(self, "customer"):
            self.customer.over.set()
            self.customer.join(60)
        super().close()

    # --- the data -------------------------------------------------------------------------------

    def contents(self):
        """Everything in the application's database: (raw documents, catalogue)."""
        documents, catalogue = {}, {}
        for each in self.database.list_collections():
            name = each["name"]
            indexes = sorted(json.dumps(dict(index), default=str, sort_keys=True)
                             for index in self.database[name].list_indexes())
            catalogue[name] = (json.dumps(each.get("options", {}), default=str, sort_keys=True), indexes)
            documents[name] = {bytes(bson.encode({"_id": raw["_id"]})): bytes(raw.raw) for raw in
                               self.database.get_collection(name, codec_options=RAW).find()}
        return documents, catalogue

    def salvage_of_orders(self):
        """The newest that keeps orders; none: no way back has discarded any."""
        listed = self.belay("salvage", "list", "--json").stdout.splitlines()
        for name in reversed([json.loads(line)["name"] for line in listed if line.startswith("{")]):
            lines = self.belay("salvage", "show", name, "--json").stdout.splitlines()
            if any(line.startswith("shop.orders ") and not line.endswith("was absent") for line in lines):
                return name
        return None

    # --- the journal ----------------------------------------------------------------------------

    def journal(self):
        """Only reads: a connection that could write would fold the log at its end."""
        connection = sqlite3.connect(f"file:{self.state}/journal/journal.db?mode=ro", uri=True, timeout=10)
        connection.row_factory = sqlite3.Row
        return connection

    def ask_journal(self, sql, *values):
        if not (self.state / "journal/journal.db").exists():
            return []
        connection = self.journal()
        try:
            return [dict(row) for row in connection.execute(sql, values)]
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise
        finally:
            connection.close()

    def newest_run(self):
        found = self.ask_journal("SELECT max(id) AS id FROM run")
        return (found[0]["id"] or 0) if found else 0

    def run_row(self, run):
        return self.ask_journal("SELECT * FROM run WHERE id = ?", run)[0]

    def events(self, run):
        rows = self.ask_journal("SELECT id, seq, at, kind, key, body FROM event WHERE run_id = ? ORDER BY seq", run)
        return [{**row, "body": json.loads(row["body"])} for row in rows]
