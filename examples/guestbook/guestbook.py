# SPDX-License-Identifier: Apache-2.0
"""A guestbook: people leave a line. HOST, PORT and MONGODB_URI come from outside."""
import html
import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pymongo

RELEASE = os.environ.get("BELAY_RELEASE", "unreleased")
ENTRIES = pymongo.MongoClient(os.environ["MONGODB_URI"], serverSelectionTimeoutMS=5000).get_default_database().entries


def shown(entry):
    """Names are text; anything else is a mistake of ours, not of the guest."""
    if not isinstance(entry["name"], str):
        raise TypeError("name is not a text")
    return {"id": entry["_id"], "name": entry["name"], "line": entry["line"]}


def newest():
    return [shown(entry) for entry in ENTRIES.find().sort("_id", -1).limit(20)]


class Guestbook(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"      # connections are kept

    def reply(self, status, body, kind="application/json"):
        text = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("X-Release", RELEASE)
        if stopping.is_set():
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(text)

    def answer(self, serve):
        try:
            self.reply(*serve())
        except Exception as error:     # pylint: disable=broad-except
            print(f"{self.command} {self.path} 500 {error}", file=sys.stderr, flush=True)
            self.reply(500, {"error": str(error)})

    def do_GET(self):
        pages = {"/": self.page, "/health": self.health, "/entries": lambda: (200, {"entries": newest()})}
        self.answer(pages.get(self.path, lambda: (404, {"error": "no such page"})))

    def do_POST(self):
        self.answer(self.add if self.path == "/entries" else lambda: (404, {"error": "no such page"}))

    def health(self):
        ENTRIES.database.command("ping")
        newest()
        return 200, {"status": "ok", "release": RELEASE, "database": "ok"}

    def page(self):
        lines = "\n".join(f"<p>{html.escape(each['line'])} <i>{html.escape(each['name'])}</i></p>" for each in newest())
        return 200, f"<!doctype html><title>Guestbook</title><h1>Guestbook</h1>{lines}<footer>{RELEASE}</footer>", "text/html"

    def add(self):
        try:
            entry = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            document = {"_id": str(entry["id"]), "name": str(entry["name"]), "line": str(entry["line"])[:500]}
        except (ValueError, KeyError, TypeError):
            return 400, {"error": "send id, name and line"}
        ENTRIES.replace_one({"_id": document["_id"]}, document, upsert=True)
        return 201, shown(document)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False             # what is being answered is answered
    block_on_close = True
    request_queue_size = 128


stopping = threading.Event()


def main():
    address = os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000"))
    server = Server(address, Guestbook)

    def stop(_number, _frame):
        stopping.set()
        threading.Thread(target=server.shutdown).start()
        threading.Timer(5, lambda: os._exit(0)).start()    # kept connections that say nothing more
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"guestbook {RELEASE} on {address[0]}:{address[1]}", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    os._exit(0)


if __name__ == "__main__":
    main()
