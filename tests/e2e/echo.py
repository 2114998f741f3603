# SPDX-License-Identifier: Apache-2.0
"""Stands before a server that asks who is there, and can answer in its place with all that it was told."""
import base64
import http.client
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote
from xml.sax.saxutils import escape

BEFORE = 260     # a message is cut somewhere after 300 characters: within the secret, that is


class Echo(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port, known=None, shape="json"):
        """known: what our secrets are called at the server behind."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.port, self.known, self.shape, self.status, self.echoed = port, known or {}, shape, None, 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def told(self, head, secrets):
        """The request's own words, and each secret as it is and as programs write it."""
        texts = [f"{name}: {value}" for name, value in head.items()]
        for secret in secrets:
            raw = secret.encode()
            texts += [secret, raw.hex(), quote(secret, safe=""), *(base64.b64encode(b"\0" * n + raw).decode() for n in range(3))]
        return texts


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body_of(self, text):
        if self.server.shape == "xml":
            return f'<?xml version="1.0"?><Error><Code>Echo</Code><Message>{escape(text)}</Message></Error>'.encode()
        return json.dumps({"error": {"code": text, "message": text}, "errors": [{"message": text}], "data": None}).encode()

    def serve(self):
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status = self.server.status
        if status:
            self.server.echoed += 1
            texts = self.server.told(self.headers, self.server.secrets)
            text = texts[self.server.echoed % len(texts)]
            if self.server.echoed % 2:
                text = "x" * (BEFORE + self.server.echoed % 40) + " " + text
            answer = (status, [("Content-Type", "application/json"), ("Retry-After", "999")], self.body_of(text))
        else:
            answer = self.forward(data)
        self.send_response(answer[0])
        for name, value in answer[1]:
            if name.lower() not in ("connection", "transfer-encoding", "content-length", "server", "date"):
                self.send_header(name, value)
        if self.command != "HEAD" or not status:
            length = dict((name.lower(), value) for name, value in answer[1]).get("content-length", len(answer[2]))
            self.send_header("Content-Length", str(length if self.command == "HEAD" else len(answer[2])))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer[2])

    def forward(self, data):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            for ours, theirs in self.server.known.items():
                value = value.replace(ours, theirs)
            if name.lower() != "connection":
                connection.putheader(name, value)
        connection.endheaders(data)
        answer = connection.getresponse()
        found = answer.status, answer.getheaders(), answer.read()
        connection.close()
        return found

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = serve
