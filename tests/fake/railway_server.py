# SPDX-License-Identifier: Apache-2.0
"""Stands for Railway's GraphQL API on loopback, by its introspected schema (August 2026, reduced below
to what Belay uses).

Each request is held against that schema: arguments with their types, fields that are selected, none on
a scalar. A wrong one gets an error, as from Railway with status 200, and is listed under "complaints"
at /-/state; /-/reset forgets everything. A deployment goes a status further each time it is looked at.
Those of a commit that begins with `bad` fail; what is live then stays. When one is up, the one before it
is removed, and keeps its image. A deployment has the service's variables as they were when it was made; a
rollback brings them back. One that is stopped, or started again, is that when it was looked at.

A tree that is handed over as `railway up` does (that client's src/controllers/upload.rs) makes one, too; of it
"files" are listed, its message is in the meta as "cliMessage", and it fails when it has a file `bad`.
/-/set?messages=no shows no messages; /-/up?message=M makes one of somebody else's. /-/set?restart=no refuses restarts; /-/set?name=N&value=V makes a variable, &sealed=yes one that is not shown.
Orders that were carried out are listed at /-/state, too.

Prints one line of JSON when it is ready, {"port"}, and serves until its standard input ends.
"""
import gzip
import io
import json
import re
import sys
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

TOKEN, PROJECT, ENVIRONMENT, SERVICE = "railway-token", "project-1", "env-1", "service-1"
LOCK = threading.Lock()
DEPLOYMENTS, COMPLAINTS, VARIABLES, SEALED, WISHES, ORDERS = [], [], {}, set(), {}, []
WORK = {"looks": 1, "seen": 0}     # how often one has to look before a deployment goes a status further

SCHEMA = {
    "query": {
        "project": ({"id": "String!"}, "Project"),
        "deployment": ({"id": "String!"}, "Deployment"),
        "deployments": ({"input": "DeploymentListInput!", "first": "Int", "after": "String", "last": "Int",
                         "before": "String"}, "QueryDeploymentsConnection"),
        "variables": ({"environmentId": "String!", "projectId": "String!", "serviceId": "String",
                       "unrendered": "Boolean"}, None),
        "deploymentLogs": ({"deploymentId": "String!", "limit": "Int", "filter": "String", "startDate": "DateTime",
                            "endDate": "DateTime"}, "Log"),
        "buildLogs": ({"deploymentId": "String!", "limit": "Int", "filter": "String", "startDate": "DateTime",
                       "endDate": "DateTime"}, "Log")},
    "mutation": {
        "serviceInstanceDeployV2": ({"environmentId": "String!", "serviceId": "String!", "commitSha": "String"}, None),
        "deploymentRollback": ({"id": "String!"}, None),
        "deploymentCancel": ({"id": "String!"}, None),
        "deploymentStop": ({"id": "String!"}, None),
        "deploymentRestart": ({"id": "String!"}, None),
        "variableCollectionUpsert": ({"input": "VariableCollectionUpsertInput!"}, None)}}
TYPES = {
    "Project": {"id": None, "name": None, "environments": "EnvironmentConnection", "services": "ServiceConnection"},
    "EnvironmentConnection": {"edges": "EnvironmentEdge"}, "EnvironmentEdge": {"node": "Named", "cursor": None},
    "ServiceConnection": {"edges": "ServiceEdge"}, "ServiceEdge": {"node": "Named", "cursor": None},
    "Named": {"id": None, "name": None},
    "QueryDeploymentsConnection": {"edges": "DeploymentEdge", "pageInfo": "PageInfo"},
    "DeploymentEdge": {"node": "Deployment", "cursor": None},
    "PageInfo": {"hasNextPage": None, "endCursor": None},
    "Deployment": {name: None for name in ("id", "status", "createdAt", "canRollback", "canRedeploy", "meta", "url",
                                           "staticUrl", "deploymentStopped", "serviceId", "environmentId")},
    "Log": {"message": None, "timestamp": None, "severity": None}}


class Refused(Exception):
    pass


def need(condition, message):
    if not condition:
        COMPLAINTS.append(message)
        raise Refused(message)


def selection(words):
    """{ a b { c } } as a dictionary, from after the brace."""
    fields, name = {}, None
    while words:
        word = words.pop(0)
        if word == "}":
            return fields
        if word == "{":
            need(name is not None, "a selection of nothing")
            fields[name] = selection(words)
        else:
            name = word
            fields[name] = None
    raise Refused("the query does not end")


def check(fields, kind):
    for name, inner in (fields or {}).items():
        need(name in TYPES[kind], f'Cannot query field "{name}" on type "{kind}".')
        below = TYPES[kind][name]
        need((inner is None) == (below is None), f'Field "{name}" of type "{below}": wrong selection.')
        if below:
            check(inner, below)


def parse(text, variables):
    """The operation's one field, its arguments by the variables, and what is selected of it."""
    head = re.match(r"\s*(query|mutation)\s+(\w+)\s*\(([^)]*)\)\s*\{\s*(\w+)\s*\(([^)]*)\)\s*(.*)\}\s*$", text, re.S)
    need(head, "Syntax error")
    kind, _, declared, field, given, rest = head.groups()
    need(field in SCHEMA[kind], f'Cannot query field "{field}" on type "{kind}".')
    arguments, returned = SCHEMA[kind][field]
    types = dict(re.findall(r"\$(\w+):\s*([\w!]+)", declared))
    values = {}
    for name, variable in re.findall(r"(\w+):\s*\$(\w+)", given):
        need(name in arguments, f'Unknown argument "{name}" on field "{field}".')
        need(types.get(variable) == arguments[name], f'Variable "${variable}" is of another type than "{arguments[name]}".')
        values[name] = variables.get(variable)
    for name, wanted in arguments.items():
        need(not wanted.endswith("!") or values.get(name) is not None, f'"{name}" of "{field}" is required.')
    words = re.findall(r"[\w]+|[{}]", rest)
    if returned is None:
        need(not words, f'Field "{field}" must not have a selection since it has no subfields.')
        return field, values
    need(words and words.pop(0) == "{", f'Field "{field}" must have a selection of subfields.')
    check(selection(words), returned)
    return field, values


def step(deployment):
    if deployment["-then"] is not None:
        deployment["deploymentStopped"], deployment["-then"] = deployment["-then"], None
    WORK["seen"] += 1
    if WORK["seen"] % WORK["looks"]:
        return
    bad = deployment["meta"].get("commitHash", "").startswith("bad") or "./bad" in deployment["files"]
    after = {"QUEUED": "BUILDING", "BUILDING": "FAILED" if bad else "DEPLOYING", "DEPLOYING": "SUCCESS"}
    status = after.get(deployment["status"], deployment["status"])
    if status != deployment["status"]:
        lines = deployment["-lines"]["deploymentLogs" if status == "SUCCESS" else "buildLogs"]
        lines.append((f"2026-11-26T10:00:0{len(lines)}.000000001Z", f"{status} it is"))
        lines.append((f"2026-11-26T10:00:0{len(lines) - 1}.000000001Z", "and more at that time"))
    if status == "SUCCESS" and deployment["status"] != "SUCCESS":
        for each in DEPLOYMENTS:
            if each["status"] == "SUCCESS":
                each["status"], each["canRollback"] = "REMOVED", True
    deployment["status"] = status


def make(origin, files=None):
    DEPLOYMENTS.append({"id": f"deployment-{len(DEPLOYMENTS) + 1}", "status": "QUEUED", "canRollback": False, "files": files or {},
                        "meta": {**origin, "serviceManifest": {"deploy": {
                            "multiRegionConfig": {"europe-west4": {"numReplicas": 1}}}}}, "deploymentStopped": False, "-then": None,
                        "-lines": {"buildLogs": [], "deploymentLogs": []},
                        "variables": dict(VARIABLES)})
    return DEPLOYMENTS[-1]["id"]


def one(name):
    for each in DEPLOYMENTS:
        if each["id"] == name:
            return each
    raise Refused("Deployment not found")


def shown(deployment):
    return {name: deployment.get(name) for name in TYPES["Deployment"]}


def connection(nodes):
    return {"edges": [{"node": node} for node in nodes]}


def answer(field, values):
    if field == "project":
        if values["id"] != PROJECT:
            raise Refused("Project not found")
        return {"environments": connection([{"id": ENVIRONMENT, "name": "production"}]),
                "services": connection([{"id": SERVICE, "name": "backend"}, {"id": "service-2", "name": "MongoDB"}])}
    if field == "deployments":
        wanted = values["input"]
        need(set(wanted) <= {"projectId", "environmentId", "serviceId", "includeDeleted", "status"}, "DeploymentListInput")
        need((wanted["environmentId"], wanted["serviceId"]) == (ENVIRONMENT, SERVICE), "another service's deployments")
        return connection([shown(each) for each in reversed(DEPLOYMENTS)][:values.get("first") or 500])
    if field == "deployment":
        step(one(values["id"]))
        return shown(one(values["id"]))
    if field in ("buildLogs", "deploymentLogs"):
        wanted = one(values["deploymentId"])["-lines"][field]
        return [{"timestamp": at, "message": line, "severity": "info"} for at, line in wanted
                if at >= (values.get("startDate") or "")][-values.get("limit", 500):]
    if field == "variables":
        need((values["environmentId"], values["serviceId"], values["projectId"]) == (ENVIRONMENT, SERVICE, PROJECT),
             "another service's variables")
        return {"RAILWAY_SERVICE_ID": SERVICE, **{name: value for name, value in VARIABLES.items() if name not in SEALED}}
    if field == "variableCollectionUpsert":
        wanted = values["input"]
        need(set(wanted) <= {"projectId", "environmentId", "serviceId", "variables", "replace", "skipDeploys"},
             "VariableCollectionUpsertInput")
        need((wanted["environmentId"], wanted["serviceId"], wanted["projectId"]) == (ENVIRONMENT, SERVICE, PROJECT),
             "another service's variables")
        need(all(isinstance(value, str) for value in wanted["variables"].values()), "EnvironmentVariables")
        need(wanted.get("replace") is False and wanted.get("skipDeploys") is True, "others would be lost, or deployed")
        VARIABLES.update(wanted["variables"])
        return True
    if field == "serviceInstanceDeployV2":
        need((values["environmentId"], values["serviceId"]) == (ENVIRONMENT, SERVICE), "another service's deployment")
        return make({"commitHash": values["commitSha"]})
    former = one(values["id"])
    if field in ("deploymentStop", "deploymentRestart"):
        if former["status"] != "SUCCESS" or (field == "deploymentRestart" and WISHES.get("restart") == "no"):
            raise Refused("Deployment cannot be stopped or restarted")
        former["-then"] = field == "deploymentStop"
        return True
    if field == "deploymentCancel":
        if former["status"] not in ("QUEUED", "BUILDING"):
            raise Refused("Deployment cannot be cancelled")
        former["status"] = "REMOVED"
        return True
    if not former["canRollback"]:
        raise Refused("Deployment cannot be rolled back")
    VARIABLES.clear()
    VARIABLES.update(former["variables"])
    make(former["meta"], former["files"])
    return True


def hand_over(path, query, body):
    need(path == f"/project/{PROJECT}/environment/{ENVIRONMENT}/up", f"another place than the service's: {path}")
    need(query.get("serviceId") == SERVICE and set(query) <= {"serviceId", "message"}, f"the query of an upload: {query}")
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(body))) as archive:
        members = archive.getmembers()
        need(all(each.name == "." or each.name.startswith("./") for each in members), "members are named ./...")
        need(not any(part in (".git", "node_modules") for each in members for part in each.name.split("/")), "what is never sent")
        files = {each.name: archive.extractfile(each).read().decode() for each in members if each.isfile()}
    shown = {"cliMessage": query["message"]} if "message" in query and WISHES.get("messages") != "no" else {}
    return {"deploymentId": make(shown, files), "url": "https://railway.com/x", "logsUrl": "https://railway.com/y",
            "deploymentDomain": "backend.up.railway.app"}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, body, status=200):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        with LOCK:
            if self.path.startswith("/-/pace/"):
                WORK.update(looks=int(self.path.rsplit("/", 1)[1]), seen=0)
            if self.path == "/-/reset":
                DEPLOYMENTS.clear(), COMPLAINTS.clear(), VARIABLES.clear(), SEALED.clear(), WISHES.clear(), ORDERS.clear()
            told = dict(parse_qsl(urlsplit(self.path).query))
            if self.path.startswith("/-/up?"):      # somebody else's
                make({"cliMessage": told.pop("message")}, {"./commit": "another's"})
            if "name" in told:
                VARIABLES[told["name"]] = told["value"]
                SEALED.update([told["name"]] if "sealed" in told else [])
            else:
                WISHES.update(told)
            self.reply({"deployments": DEPLOYMENTS, "complaints": COMPLAINTS, "variables": VARIABLES, "orders": ORDERS})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        url = urlsplit(self.path)
        if url.path.startswith("/project/"):
            with LOCK:
                return self.take_files(url, body)
        asked = json.loads(body)
        with LOCK:
            try:
                if self.headers.get("Project-Access-Token") != TOKEN or self.headers.get("Authorization"):
                    raise Refused("Not Authorized")
                need(self.headers.get("Content-Type") == "application/json", "Content-Type")
                field, values = parse(asked["query"], asked.get("variables") or {})
                answered = answer(field, values)
                if field in SCHEMA["mutation"]:
                    ORDERS.append(f"{field} {values.get('id') or values.get('commitSha') or ''}".strip())
                self.reply({"data": {field: answered}})
            except Refused as refused:
                self.reply({"errors": [{"message": str(refused)}], "data": None})


    def take_files(self, url, body):
        try:
            if self.headers.get("Project-Access-Token") != TOKEN or self.headers.get("Authorization"):
                raise Refused("Not Authorized")
            need(self.headers.get("Content-Type") == "application/gzip", "Content-Type")
            made = hand_over(url.path, dict(parse_qsl(url.query)), body)
            ORDERS.append("up")
            self.reply(made)
        except Refused as refused:
            self.reply({"message": str(refused)}, 400)


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
