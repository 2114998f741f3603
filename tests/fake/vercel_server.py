# SPDX-License-Identifier: Apache-2.0
"""Stands for Vercel's REST API on loopback, as its reference and its client describe it (August 2026).

What a request must have is checked: a wrong one is answered 400 with what is wrong, and is listed
under "complaints" at /-/state, where a test also reads what there is; /-/reset forgets everything. A deployment is QUEUED,
BUILDING and then READY, a state each time it is looked at; ERROR when its files have one named
`broken`. Domains follow an order only after they were asked for twice. A deployment has the project's
variables for production as they were when it was made, and answers at its own address: 500 when its
files have one named `sick`, and Vercel's own 401 where the project is protected.

The vercel program deploys, promotes and rolls back here: tests/fake/vercel_program.sh.

/-/set?protection=on and &bypass=SECRET protect it; &shows_keys=no hides the secret from who asks for
the project. /-/set?key=K&value=V&type=T&target=A,B makes a variable.

Prints one line of JSON when it is ready, {"port"}, and serves until its standard input ends.
"""
import base64
import hashlib
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN, TEAM, PROJECT, DOMAIN = "vercel-token", "team_shop", "prj_frontend", "shop.example.org"
PROGRAMS_TOKEN = "verceltoken"  # the vercel program takes none with a hyphen
LOCK = threading.Lock()
FILES, DEPLOYMENTS, COMPLAINTS, VARIABLES = {}, [], [], []
PROTECTION, PORT = {}, []
VARIABLE_TYPES, TARGETS = ("system", "encrypted", "plain", "sensitive"), ("production", "preview", "development")
ALIAS = {"to": None, "order": None, "looks": 0, "pinned": False}
WORK = {"looks": 2}     # how often one has to look before the domains follow


class Refused(Exception):
    def __init__(self, status, code, message, **more):
        self.status, self.body = status, {"error": {"code": code, "message": message, **more}}


def complain(message):
    COMPLAINTS.append(message)
    raise Refused(400, "bad_request", message)


def need(condition, message):
    if not condition:
        complain(message)


def found(name):
    if name == DOMAIN:
        name = ALIAS["to"]
    for each in DEPLOYMENTS:
        if name in (each["id"], each["url"]) and each["readyState"] != "DELETED":
            return each
    raise Refused(404, "not_found", "The deployment could not be found.")


def step(deployment):
    deployment["aliasAssigned"] = deployment["readyState"] == "READY"  # a look later
    after = {"QUEUED": "BUILDING", "BUILDING": "ERROR" if deployment["-broken"] else "READY"}
    deployment["readyState"] = after.get(deployment["readyState"], deployment["readyState"])
    if deployment["readyState"] == "ERROR":
        deployment["errorMessage"] = 'Command "npm run build" exited with 1'


def move_domain():
    """Told READY is not live: the domains move a little after the order."""
    order = ALIAS["order"]
    if not order or order["jobStatus"] != "in-progress":
        return
    ALIAS["looks"] += 1
    if ALIAS["looks"] > WORK["looks"]:
        ALIAS["to"], order["jobStatus"] = order["toDeploymentId"], "succeeded"


def shown(deployment, single):
    names = {"id": "uid", "readyState": "state"} if not single else {}
    out = {names.get(key, key): value for key, value in deployment.items() if not key.startswith("-")}
    if not single:
        out["readyState"] = deployment["readyState"]
    return out


def create(body):
    need(isinstance(body.get("name"), str) and body["name"], "`name` is missing")
    need(body.get("project") == PROJECT, "`project` is not known")
    need(body.get("target") in ("production", "staging", None), "`target` should be production or staging")
    need(isinstance(body.get("meta", {}), dict), "`meta` should be an object")
    need(all(isinstance(value, str) for value in body.get("meta", {}).values()), "values of `meta` should be strings")
    need(isinstance(body.get("files"), list), "`files` should be an array")
    known = {"name", "project", "target", "meta", "files", "autoAssignCustomDomains", "version", "source", "env", "build",
             "projectSettings", "gitMetadata"}
    need(set(body) <= known, f"should NOT have additional properties: {sorted(set(body) - known)}")
    for each in body["files"]:
        if "data" in each:
            need(set(each) == {"file", "data", "encoding", "mode"}, "a file has file, data, encoding and mode")
            data = base64.b64decode(each["data"]) if each["encoding"] == "base64" else each["data"].encode()
            each.update(sha=hashlib.sha1(data).hexdigest(), size=len(data))
            FILES[each["sha"]] = data
            continue
        need(set(each) == {"file", "sha", "size", "mode"}, "a file has file, sha, size and mode")
        need(isinstance(each["size"], int) and len(each["sha"]) == 40, "`sha` or `size` is wrong")
    missing = sorted({each["sha"] for each in body["files"]} - set(FILES))
    if missing:
        raise Refused(400, "missing_files", "Missing files", missing=missing)
    number = len(DEPLOYMENTS) + 1
    made = {"id": f"dpl_{number}", "url": f"frontend-{number}.localhost:{PORT[0]}", "name": body["name"], "projectId": PROJECT, "ownerId": TEAM, "team": {"id": TEAM, "name": "Shop", "slug": "shop"},
            "target": body.get("target"), "readyState": "QUEUED", "aliasAssigned": False, "alias": [],
            "meta": body.get("meta", {}), "createdAt": int(time.time() * 1000) + number,
            "-broken": any(each["file"].split("/")[-1] == "broken" for each in body["files"]),
            "-sick": any(each["file"].split("/")[-1] == "sick" for each in body["files"]),
            "-variables": {each["key"]: each["value"] for each in VARIABLES if "production" in each["target"]},
            "-auto": body.get("autoAssignCustomDomains", True)}
    need(not made["-auto"], "the stand-in's domains are never assigned unasked")
    DEPLOYMENTS.append(made)
    return shown(made, True)


def variable(key, value, kind, target):
    VARIABLES.append({"id": f"env_{len(VARIABLES) + 1}", "key": key, "value": value, "type": kind, "target": target,
                      "customEnvironmentIds": []})
    return VARIABLES[-1]


def shown_variable(each, decrypted):
    """A list shows values of plain ones only; a sensitive one's is never shown again."""
    readable = each["type"] == "plain" or (decrypted and each["type"] == "encrypted")
    return {**each, "value": each["value"] if readable else "" if each["type"] == "sensitive" else "eyJ2IjoidjIi",
            "decrypted": decrypted and readable}


def need_variable(body, required):
    # `visibility` is what Vercel's own program sends and the reference does not have yet.
    known = {"key", "value", "type", "target", "gitBranch", "comment", "customEnvironmentIds", "visibility"}
    need(isinstance(body, dict) and set(body) <= known, "should NOT have additional properties")
    need(required <= set(body), f"should have required properties {sorted(required)}")
    need(isinstance(body.get("value", ""), str) and isinstance(body.get("key", ""), str), "`key` or `value` is no string")
    need(body.get("type", "plain") in VARIABLE_TYPES, "`type` should be equal to one of the allowed values")
    need(isinstance(body.get("target", []), list) and set(body.get("target", [])) <= set(TARGETS), "`target` is wrong")


def add_variables(bodies, upsert):
    created, failed = [], []
    for body in bodies:
        need_variable(body, {"key", "value", "type", "target"})
        there = [each for each in VARIABLES if each["key"] == body["key"] and set(each["target"]) & set(body["target"])]
        if there and not upsert:
            failed.append({"error": {"code": "ENV_CONFLICT", "message": "already exists", "key": body["key"]}})
        elif there:
            need(not (there[0]["type"] == "sensitive" and body["type"] != "sensitive"), "cannot change a sensitive type")
            there[0].update(value=body["value"], type=body["type"])
            created.append(there[0])
        else:
            created.append(variable(body["key"], body["value"], body["type"], body["target"]))
    return {"created": [shown_variable(each, False) for each in created], "failed": failed}


def project_variables(method, words, query, data):
    if method == "GET" and words[0] == "v10" and len(words) == 4:
        return 200, {"envs": [shown_variable(each, False) for each in VARIABLES]}
    if method == "POST" and words[0] == "v10" and len(words) == 4:
        bodies = json.loads(data)
        return 201, add_variables(bodies if isinstance(bodies, list) else [bodies], query.get("upsert") == "true")
    for each in VARIABLES:
        if words[4:] != [each["id"]]:
            continue
        if method == "GET" and words[0] == "v1":
            return 200, shown_variable(each, True)
        if method == "PATCH" and words[0] == "v9":
            body = json.loads(data)
            need_variable(body, set())
            each.update({name: body[name] for name in body})
            return 200, shown_variable(each, False)
    raise Refused(404, "not_found", "The environment variable was not found.")


def told(query):
    """A test's own word, at /-/set."""
    if "key" in query:
        variable(query["key"], query["value"], query["type"], query["target"].split(","))
    else:
        PROTECTION.update(query)
    return {}


def order(kind, name):
    deployment = found(name)
    if deployment["readyState"] != "READY":
        raise Refused(409, "conflict", "The deployment is not ready.")
    if kind == "rollback" and not deployment.get("-was_live"):
        raise Refused(422, "unprocessable", "The deployment was never assigned to a production domain.")
    deployment["-was_live"] = True
    ALIAS.update(order={"fromDeploymentId": ALIAS["to"], "toDeploymentId": deployment["id"], "type": kind,
                        "jobStatus": "in-progress", "requestedAt": int(time.time() * 1000)}, looks=0,
                 pinned=kind == "rollback")


def page(query):
    need(query.get("projectId") == PROJECT, "`projectId` is wrong")
    until, since = int(query.get("until", 1 << 60)), int(query.get("since", 0))
    some = [each for each in reversed(DEPLOYMENTS) if since < each["createdAt"] < until and each["readyState"] != "DELETED"
            and query.get("target") in (None, each["target"])]
    limit = int(query.get("limit", 20))
    need(1 <= limit <= 100, "`limit` should be <= 100")
    shown_now = some[:limit]
    rest = len(some) > limit
    return {"deployments": [shown(each, False) for each in shown_now],
            "pagination": {"count": len(shown_now), "next": shown_now[-1]["createdAt"] if rest else None, "prev": None}}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, cookie=None):
        data = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        if cookie:
            self.send_header("Set-Cookie", cookie)
        if data:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def serve(self):
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with LOCK:
            try:
                if ".localhost" in self.headers.get("Host", ""):
                    return self.answer(*self.application())
                self.answer(*self.route(parts.path, query, data))
            except Refused as refused:
                self.answer(refused.status, refused.body)

    do_GET = do_POST = do_DELETE = do_PATCH = serve

    def application(self):
        """What answers at a deployment's own address."""
        deployment = found(self.headers["Host"])
        past = self.headers.get("x-vercel-protection-bypass") == PROTECTION.get("bypass", "")
        if PROTECTION.get("protection") == "on" and not past:
            return 401, {"error": "Authentication Required"}, "_vercel_sso_nonce=abc; Max-Age=3600; Path=/"
        if deployment["readyState"] != "READY":
            return 404, {"error": "DEPLOYMENT_NOT_FOUND"}
        return 500 if deployment["-sick"] else 200, {"status": "ok", "variables": deployment["-variables"]}

    def route(self, path, query, data):
        if path == "/-/state":
            return 200, {"deployments": DEPLOYMENTS, "alias": ALIAS, "complaints": COMPLAINTS, "variables": VARIABLES}
        if path == "/-/set":
            return 200, told(query)
        if path.startswith("/-/pace/"):
            WORK.update(looks=int(path.rsplit("/", 1)[1]))
            return 200, {}
        if path == "/-/reset":
            FILES.clear(), DEPLOYMENTS.clear(), COMPLAINTS.clear(), VARIABLES.clear(), PROTECTION.clear()
            ALIAS.update(to=None, order=None, looks=0, pinned=False)
            return 200, {}
        if self.headers.get("Authorization") not in (f"Bearer {TOKEN}", f"Bearer {PROGRAMS_TOKEN}"):
            raise Refused(403, "forbidden", "Not authorized")
        if path == "/v2/user":
            return 200, {"user": {"id": "user_1", "email": "leo@example.org", "username": "leo", "name": "Leo",
                                  "version": "northstar", "defaultTeamId": TEAM}}
        if path == f"/teams/{TEAM}":
            return 200, {"id": TEAM, "slug": "shop", "name": "Shop", "membership": {"role": "OWNER", "uid": "user_1"}}
        if query.get("teamId") != TEAM:
            raise Refused(404, "not_found", "The project could not be found.")
        words = [unquote(word) for word in path.strip("/").split("/")]
        move_domain()
        return self.routes(words, query, data)

    def routes(self, words, query, data):
        if self.command == "POST" and words == ["v2", "files"]:
            digest = hashlib.sha1(data).hexdigest()
            need(self.headers.get("x-vercel-digest") == digest, "x-vercel-digest is not the SHA-1 of the body")
            need(self.headers.get("Content-Type") == "application/octet-stream", "Content-Type is wrong")
            FILES[digest] = data
            return 200, {"urls": []}
        if self.command == "POST" and words == ["v13", "deployments"]:
            return 200, create(json.loads(data))
        if self.command == "GET" and words == ["v7", "deployments"]:
            return 200, page(query)
        if words[:2] == ["v13", "deployments"] and len(words) == 3:
            deployment = found(words[2])
            if self.command == "DELETE":
                deployment["readyState"] = "DELETED"
                return 200, {"uid": deployment["id"], "state": "DELETED"}
            step(deployment)
            return 200, shown(deployment, True)
        if self.command == "GET" and words[0] == "v3" and words[-1] == "events":
            broken = found(words[-2])["-broken"]
            lines = [{"type": "stdout", "created": 1, "payload": {"text": "Building the frontend", "date": 1}},
                     {"type": "stderr", "created": 2, "payload": {"text": "it is broken" if broken else "Done", "date": 2}}]
            return 200, "".join(json.dumps(line) + "\n" for line in lines) if query.get("format") == "lines" else lines
        if words[1:2] == ["projects"] and words[2:3] == [PROJECT]:
            return self.project(words, query, data)
        raise Refused(404, "not_found", f"no such path: {self.command} {'/'.join(words)}")

    def project(self, words, query, data):
        if words[3:4] == ["env"]:
            return project_variables(self.command, words, query, data)
        if self.command == "GET" and words[0] == "v9" and len(words) == 3:
            info = {"id": PROJECT, "name": "frontend", "accountId": TEAM, "ssoProtection": None}
            if PROTECTION.get("protection") == "on":
                info["ssoProtection"] = {"deploymentType": "prod_deployment_urls_and_all_previews"}
            if PROTECTION.get("shows_keys") != "no":
                keys = [PROTECTION["bypass"]] if PROTECTION.get("bypass") else []
                info["protectionBypass"] = {key: {"createdAt": 1, "scope": "automation-bypass"} for key in keys}
            if query.get("rollbackInfo") == "true":
                info["lastAliasRequest"] = ALIAS["order"]
            return 200, info
        kinds = {("v10", "promote"): "promote", ("v9", "rollback"): "rollback"}
        kind = kinds.get((words[0], words[3] if len(words) == 5 else ""))
        if self.command == "POST" and kind:
            need(json.loads(data) == {}, "the body should be {}")
            order(kind, words[4])
            return 201, None
        raise Refused(404, "not_found", "no such path of a project")


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    PORT.append(server.server_address[1])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
