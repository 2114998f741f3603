# SPDX-License-Identifier: Apache-2.0
"""Stands for Azure Blob Storage with version-level immutability, which Azurite does not have.

As the REST reference describes it (API version 2021-12-02): the container `locked` has it, `plain`
does not; each write and each removal leaves the former version; a version whose policy is Locked goes
before its date for nobody, and the date only moves forward. Signatures are not checked: Azurite does
that. Requests that the reference does not know are answered 400 and listed at /-/state.

Prints one line of JSON when it is ready, {"port"}, and serves until its standard input ends.
"""
import json
import sys
import threading
import time
from email.utils import formatdate, parsedate_to_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

ACCOUNT = "devstoreaccount1"
CONTAINERS = {"locked": True, "plain": False}
LOCK = threading.RLock()
BLOBS = {}  # (container, name): [version...], oldest first
COMPLAINTS = []
COUNT = [0]


class Refused(Exception):
    def __init__(self, status, code):
        self.status, self.code = status, code


def need(condition, message):
    if not condition:
        COMPLAINTS.append(message)
        raise Refused(400, "InvalidInput")


def date_of(headers):
    until, mode = headers.get("x-ms-immutability-policy-until-date"), headers.get("x-ms-immutability-policy-mode")
    need((until is None) == (mode is None), "a policy has both a date and a mode")
    if until is None:
        return None
    need(mode in ("Locked", "Unlocked"), f"no such mode: {mode}")
    at = parsedate_to_datetime(until).timestamp()
    need(at > time.time(), "the policy's date is past")
    return at, mode


def is_locked(version):
    return version["policy"] is not None and version["policy"][0] > time.time()


def current(place):
    return next((one for one in BLOBS.get(place, []) if one["current"]), None)


def found(place, query):
    if "versionid" in query:
        one = next((each for each in BLOBS.get(place, []) if each["id"] == query["versionid"]), None)
    else:
        one = current(place)
    if one is None:
        raise Refused(404, "BlobNotFound")
    return one


def retire(place):
    one = current(place)
    if one:
        one["current"] = False
        if not CONTAINERS[place[0]]:
            BLOBS[place].remove(one)


def put(place, headers, body):
    need(headers.get("x-ms-blob-type") == "BlockBlob", "a blob has a type")
    policy = date_of(headers)
    if policy and not CONTAINERS[place[0]]:
        raise Refused(409, "ImmutableStorageWithVersioningNotEnabled")
    if headers.get("if-none-match") == "*" and current(place):
        raise Refused(409, "BlobAlreadyExists")
    retire(place)
    COUNT[0] += 1
    BLOBS.setdefault(place, []).append(
        {"id": f"2026-01-01T00:00:00.{COUNT[0]:07}Z", "current": True, "body": body, "policy": policy})
    return 201, {}, b""


def set_policy(place, query, headers):
    one, policy = found(place, query), date_of(headers)
    need(policy, "there is no policy to set")
    if not CONTAINERS[place[0]]:
        raise Refused(409, "ImmutableStorageWithVersioningNotEnabled")
    was = one["policy"]
    if is_locked(one) and was[1] == "Locked" and (policy[0] < was[0] or policy[1] != "Locked"):
        raise Refused(409, "BlobImmutableDueToPolicy")
    one["policy"] = policy
    return 200, {}, b""


def remove(place, query):
    one = found(place, query)
    if "versionid" not in query:
        retire(place)
        return 202, {}, b""
    if one["current"]:
        raise Refused(403, "OperationNotAllowedOnRootBlob")
    if is_locked(one):
        raise Refused(409, "BlobImmutableDueToPolicy")
    BLOBS[place].remove(one)
    return 202, {}, b""


def facts(version):
    headers = {"x-ms-version-id": version["id"], "etag": '"' + version["id"] + '"'}
    if version["policy"]:
        headers["x-ms-immutability-policy-until-date"] = formatdate(version["policy"][0], usegmt=True)
        headers["x-ms-immutability-policy-mode"] = version["policy"][1].lower()
    return headers


def listing(container, query):
    include = set(query.get("include", "").split(",")) - {""}
    need(include <= {"versions", "immutabilitypolicy"}, f"include is not known: {include}")
    xml = '<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>'
    for place in sorted(BLOBS):
        if place[0] != container or not place[1].startswith(query.get("prefix", "")):
            continue
        for one in BLOBS[place]:
            if not one["current"] and "versions" not in include:
                continue
            xml += f"<Blob><Name>{escape(place[1])}</Name>"
            if "versions" in include:
                xml += f"<VersionId>{one['id']}</VersionId>" + ("<IsCurrentVersion>true</IsCurrentVersion>" if one["current"] else "")
            xml += f"<Properties><Content-Length>{len(one['body'])}</Content-Length>"
            if one["policy"] and "immutabilitypolicy" in include:
                xml += f"<ImmutabilityPolicyUntilDate>{formatdate(one['policy'][0], usegmt=True)}</ImmutabilityPolicyUntilDate>"
                xml += f"<ImmutabilityPolicyMode>{one['policy'][1].lower()}</ImmutabilityPolicyMode>"
            xml += "</Properties></Blob>"
    return 200, {}, (xml + "</Blobs><NextMarker/></EnumerationResults>").encode()


def answer(method, target, headers, body):
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.path == "/-/state":
        return 200, {}, json.dumps({"complaints": COMPLAINTS}).encode()
    words = parts.path.split("/", 3)
    need(len(words) >= 3 and words[1] == ACCOUNT and "x-ms-version" in headers, f"no such request: {method} {target}")
    container, comp = words[2], query.get("comp")
    if container not in CONTAINERS:
        raise Refused(404, "ContainerNotFound")
    if len(words) == 3:
        if method == "HEAD" and query == {"restype": "container"}:
            return 200, {"x-ms-immutable-storage-with-versioning-enabled": str(CONTAINERS[container]).lower()}, b""
        need(method == "GET" and query.get("restype") == "container" and comp == "list", f"no such request: {method} {target}")
        return listing(container, query)
    place = (container, unquote(words[3]))
    if method == "PUT" and comp == "immutabilityPolicies":
        return set_policy(place, query, headers)
    need(comp is None, f"no such request: {method} {target}")
    if method == "PUT":
        return put(place, headers, body)
    if method == "DELETE":
        return remove(place, query)
    one = found(place, query)
    return 200, facts(one), one["body"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            with LOCK:
                status, headers, data = answer(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        except Refused as no:
            status, headers = no.status, {"x-ms-error-code": no.code}
            data = f"<Error><Code>{no.code}</Code><Message>{no.code}</Message></Error>".encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_HEAD = do_PUT = do_DELETE = do_GET

    def log_message(self, *_):
        pass


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
