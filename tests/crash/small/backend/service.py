# SPDX-License-Identifier: Apache-2.0
"""The small shop's API. An order and its stock change together; the answer holds the stored bytes."""
import http.server
import json
import os
import signal
import threading
from pathlib import Path

import bson
import pymongo
from pymongo.errors import DuplicateKeyError

client = pymongo.MongoClient(os.environ["MONGODB_URI"])
database = client.get_default_database()
release = os.environ["BELAY_RELEASE"]
number = int(Path(__file__).with_name("RELEASE").read_text())
refused = threading.Event()      # an order failed; release 3 says so, the others do not know it


def place(order):
    def together(session):
        item = database.items.find_one_and_update(
            {"_id": order["item"]}, {"$inc": {"stock": -order["quantity"]}}, session=session)
        if not isinstance(item["price"], (int, float)):
            raise ValueError("price is not a number")
        document = {"_id": order["id"], "item": order["item"], "quantity": order["quantity"],
                    "total": round(item["price"] * order["quantity"], 2), "release": release}
        database.orders.insert_one(document, session=session)
        return document
    with client.start_session() as session:
        try:
            return session.with_transaction(together)
        except DuplicateKeyError:
            return database.orders.find_one({"_id": order["id"]})


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/health":
            database.command("ping")
            bad = number >= 3 and refused.is_set()
            self.reply(200, {"status": "degraded" if bad else "ok"})
        else:
            self.reply(200, {"release": release})

    def do_POST(self):
        order = json.loads(self.rfile.read(int(self.headers["content-length"])))
        try:
            self.reply(201, {"document": bson.encode(place(order)).hex()})
        except ValueError as error:
            refused.set()
            self.reply(500, {"error": str(error)})

    def reply(self, status, body):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = False


server = Server((os.environ["HOST"], int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(poll_interval=0.05)
server.server_close()
