# SPDX-License-Identifier: Apache-2.0
"""The small shop's front: says its own release, and that of the API behind it."""
import http.server
import json
import os
import signal
import threading
import urllib.request


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with urllib.request.urlopen(os.environ["API_URL"], timeout=30) as answer:
            behind = json.load(answer)["release"]
        text = json.dumps({"release": os.environ["BELAY_RELEASE"], "api": behind}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever(poll_interval=0.05)
