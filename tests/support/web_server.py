#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small web server for tests. Answers on HOST:PORT with the release's name; each answer takes
5 to 200 ms ($SLOW_MS: exactly so long). $STUBBORN: SIGTERM is ignored. $LATE_MS: listens so much
later. POST: the answer holds the number of bytes of the body and its SHA-256."""
import asyncio
import hashlib
import os
import random
import signal
import sys
import time

RELEASE = os.environ.get("BELAY_RELEASE", "none")
SLOW_MS = os.environ.get("SLOW_MS")


def pause():
    return float(SLOW_MS) / 1000 if SLOW_MS else random.choice((5, 5, 10, 20, 50, 200)) / 1000


async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = head[0].split(" ")
            fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
            body = await reader.readexactly(int(fields.get("content-length", 0)))
            if path.startswith("/env/"):
                text = os.environ.get(path[5:], "")
            else:
                await asyncio.sleep(pause())
                text = f"{RELEASE} {len(body)} {hashlib.sha256(body).hexdigest()}"
            close = fields.get("connection", "").lower() == "close"
            answer = text.encode()
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\n"
                         f"{'Connection: close' if close else 'Connection: keep-alive'}\r\n\r\n".encode() + answer)
            await writer.drain()
            if path == "/crash":
                os._exit(3)
            if close:
                break
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    if os.environ.get("STUBBORN"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        loop.add_signal_handler(signal.SIGTERM, stopped.set)
    time.sleep(float(os.environ.get("LATE_MS", "0")) / 1000)
    server = await asyncio.start_server(serve, os.environ.get("HOST", "127.0.0.1"),
                                        int(os.environ["PORT"]), backlog=1024)
    print(f"{RELEASE} listens", flush=True)
    await stopped.wait()
    server.close()


sys.exit(asyncio.run(main()))
