# SPDX-License-Identifier: Apache-2.0
"""A shop window that behaves as the file BEHAVIOUR beside it says."""
import http.server
import json
import os
import signal
import threading
import time
from pathlib import Path

import pymongo

behaviour = Path(__file__).with_name("BEHAVIOUR").read_text().strip()
release = os.environ["BELAY_RELEASE"]
items = pymongo.MongoClient(os.environ["MONGODB_URI"]).get_default_database().items


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/health":
            self.reply(503 if behaviour == "never ready" else 200,
                       {"status": "starting" if behaviour == "never ready" else "ok"})
        elif self.path == "/count":
            if behaviour == "slow":
                time.sleep(1.5)
            self.reply(200, {"open": behaviour != "lies", "items": items.count_documents({})})
        else:
            if behaviour == "dies":
                os._exit(1)
            self.reply(200, {"release": release})

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
