# SPDX-License-Identifier: Apache-2.0
"""Stands for GitHub's REST API on loopback. What is sent, and what is answered, is held against a reduced
copy of GitHub's own description (github_openapi.json, beside this file, which names its date).

A wrong request is answered 422 and listed under "complaints" at /-/state, where a test also reads what
there is; /-/reset forgets everything; /-/set?name=value changes how the world is: `issues=off`, `push=off`
(labels are dropped, as GitHub does without push access), `actor=`, `triggering_actor=`, `attempt=`,
`created_at=` (of the workflow run 77), `page=` (most items a page), `token=` (a second one that is taken),
`reviewers=` (the logins that exist). /-/review?user=&environments=a,b&state=approved adds to that run's
reviews, /-/pending?environments=a,b says what waits for one, /-/secret?environment=&name= adds a secret, /-/tag?name= a tag,
/-/pull?commit=&number=&title=&user=&merged_by= a pull request that brought that commit, /-/run?run=&actor= begins
another run of a workflow, which nobody has reviewed. /-/artifact?name=&path= keeps what the file at `path` has as
an artifact (`digest=` another one than its own or none, `expired=true`); its bytes are given out under another name
of this host, without the token. `places=once` of /-/set lets each address for them answer once, `ranges=off` gives
all of it, whatever was asked for.

Prints one line of JSON when it is ready, {"port"}, and serves until its standard input ends.
"""
import datetime
import hashlib
import json
import re
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

import jsonschema

TOKEN, REPOSITORY, RUN = "github-token", "team/shop", 77
LOCK = threading.Lock()
REQUESTS = json.loads((Path(__file__).parent / "github_openapi.json").read_text())["requests"]
WORLD, HAS = {}, {}


class Refused(Exception):
    def __init__(self, status, message, **more):
        self.status, self.body = status, {"message": message, "documentation_url": "https://docs.github.com/rest",
                                          "status": str(status), **more}


def reset():
    WORLD.clear(), HAS.clear()
    WORLD.update(run=str(RUN), issues="on", push="on", actor="rita", triggering_actor="", attempt="1", page="100", token=TOKEN,
                 places="", ranges="on", created_at=now(), reviewers="amina,leo,noor,rita")
    HAS.update(deployments=[], statuses=[], issues=[], reviews=[], pending=[], environments={}, releases=[], pulls={}, tags=[],
               artifacts=[], places={}, complaints=[])


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def complain(message):
    HAS["complaints"].append(message)
    raise Refused(422, "Validation Failed", errors=[message])


def need(condition, message):
    if not condition:
        complain(message)


def user(login):
    """Logins are the same in either case."""
    names = WORLD["reviewers"].split(",")
    known = [each for each in names if each.lower() == login.lower()]
    return {"login": (known or [login])[0], "id": 100 + names.index(known[0]) if known else 999, "type": "User"}


def next_id():
    return 1000 + len(HAS["deployments"]) + sum(len(each["-statuses"]) for each in HAS["deployments"]) + len(HAS["issues"])


def found(items, number, what):
    for each in items:
        if str(each.get("number", each.get("id"))) == number:
            return each
    raise Refused(404, "Not Found", what=what)


def described(method, path):
    """The template of the description that this path is of, and its parts."""
    for name, request in REQUESTS.items():
        verb, template = name.split(" ")
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template).replace("(?P<ref>[^/]+)", "(?P<ref>.+)")
        match = re.fullmatch(pattern, path)
        if verb == method and match:
            return name, request, {key: unquote(value) for key, value in match.groupdict().items()}
    raise Refused(404, "Not Found")


def check(schema, value, what):
    for error in jsonschema.Draft202012Validator(schema).iter_errors(value):
        complain(f"{what}: {error.json_path}: {error.message[:200]}")


def check_request(name, request, query, body):
    for key, value in query.items():
        need(key in request["query"], f"{name}: there is no parameter {key}")
        kind = request["query"][key]
        check(kind, int(value) if kind.get("type") == "integer" else value, f"{name}: {key}")
    if "body" not in request:
        need(body is None, f"{name}: takes no body")
        return
    check(request["body"], body, name)
    need(body is None or set(body) <= set(request["body"].get("properties", {})), f"{name}: a name that is not described in {body}")


def shown(item):
    return {key: value for key, value in item.items() if not key.startswith("-")}


# --- deployments ---------------------------------------------------------------------------------


def create_deployment(_, body):
    # What GitHub does by itself where it is not told otherwise would be no deployment of ours.
    need(body.get("auto_merge") is False, "auto_merge must be false, else the default branch may be merged")
    need(body.get("required_contexts") == [], "required_contexts must be [], else other checks decide")
    if body["ref"] == "unknown" * 6:
        raise Refused(422, "No ref found for: " + body["ref"])
    made = {"id": next_id(), "sha": body["ref"], "ref": body["ref"], "task": body.get("task", "deploy"),
            "payload": body.get("payload", ""), "environment": body.get("environment", "production"),
            "description": body.get("description", ""), "created_at": now(), "-statuses": [],
            "-production": body.get("production_environment", body.get("environment") == "production")}
    HAS["deployments"].insert(0, made)
    return 201, shown(made)


def create_status(parts, body):
    deployment = found(HAS["deployments"], parts["deployment_id"], "deployment")
    need(len(body.get("description", "")) <= 140, "description is too long (maximum is 140 characters)")
    made = {"id": next_id(), "state": body["state"], "description": body.get("description", ""), "environment": deployment["environment"],
            "environment_url": body.get("environment_url", ""), "log_url": body.get("log_url", "")}
    deployment["-statuses"].insert(0, made)
    if body["state"] == "success" and body.get("auto_inactive", True):
        for each in HAS["deployments"]:
            if each is not deployment and not each["-production"] and each["environment"] == deployment["environment"]:
                if each["-statuses"][:1] and each["-statuses"][0]["state"] == "success":
                    each["-statuses"].insert(0, {**made, "id": next_id(), "state": "inactive"})
    return 201, made


def commit_status(parts, body):
    need(len(body.get("description") or "") <= 140, "description is too long (maximum is 140 characters)")
    made = {"id": len(HAS["statuses"]) + 1, "state": body["state"], "context": body.get("context", "default"),
            "description": body.get("description"), "target_url": body.get("target_url")}
    HAS["statuses"].insert(0, {**made, "-sha": parts["sha"]})
    return 201, made


# --- issues --------------------------------------------------------------------------------------


def issues_are_on():
    if WORLD["issues"] == "off":
        raise Refused(410, "Issues are disabled for this repo")


def create_issue(_, body):
    issues_are_on()
    need(len(body.get("body") or "") <= 65536, "body is too long (maximum is 65536 characters)")
    labels = body.get("labels", []) if WORLD["push"] == "on" else []
    made = {"id": next_id(), "number": len(HAS["issues"]) + 1, "title": body["title"], "body": body.get("body"), "state": "open",
            "labels": [{"name": name} for name in labels], "user": user("belay-bot"), "html_url": f"https://github.com/{REPOSITORY}/issues/{len(HAS['issues']) + 1}",
            "-comments": []}
    HAS["issues"].insert(0, made)
    return 201, shown(made)


def list_issues(query):
    issues_are_on()
    wanted = set(filter(None, query.get("labels", "").split(",")))
    some = [each for each in HAS["issues"] if query.get("state", "open") in ("all", each["state"])
            and wanted <= {label["name"] for label in each["labels"]}]
    return 200, [shown(each) for each in some]


def change_issue(parts, body):
    issue = found(HAS["issues"], parts["issue_number"], "issue")
    for key in set(body) - {"state_reason"}:
        issue[key] = body[key]
    return 200, shown(issue)


def comment(parts, body):
    issue = found(HAS["issues"], parts["issue_number"], "issue")
    made = {"id": 5000 + len(issue["-comments"]), "body": body["body"], "user": user("belay-bot")}
    issue["-comments"].append(made)
    return 201, made


# --- a workflow's run, environments --------------------------------------------------------------


def workflow_run(parts):
    if parts["run_id"] != WORLD["run"]:
        raise Refused(404, "Not Found")
    return 200, {"id": int(WORLD["run"]), "run_attempt": int(WORLD["attempt"]), "actor": user(WORLD["actor"]), "event": "workflow_dispatch",
                 "triggering_actor": user(WORLD["triggering_actor"] or WORLD["actor"]), "created_at": WORLD["created_at"],
                 "head_sha": "c0ffee", "status": "in_progress", "conclusion": None,
                 "html_url": f"https://github.com/{REPOSITORY}/actions/runs/{WORLD['run']}"}


def account(parts):
    if user(parts["username"])["id"] == 999:
        raise Refused(404, "Not Found")
    return 200, user(parts["username"])


def put_environment(parts, body):
    body = body or {}
    need(len(body.get("reviewers") or []) <= 6, "at most six reviewers")
    policy = body.get("deployment_branch_policy")
    need(policy is None or policy["protected_branches"] != policy["custom_branch_policies"], "both kinds of branch rules, or none")
    name = parts["environment_name"]
    made = {"id": 1 + len(HAS["environments"]), "name": name, "protection_rules": [], "deployment_branch_policy": policy}
    if body.get("wait_timer"):
        made["protection_rules"].append({"id": 1, "type": "wait_timer", "wait_timer": body["wait_timer"]})
    if body.get("reviewers"):
        people = [{"type": each["type"], "reviewer": next(user(login) for login in WORLD["reviewers"].split(",")
                                                          if user(login)["id"] == each["id"])} for each in body["reviewers"]]
        made["protection_rules"].append({"id": 2, "type": "required_reviewers", "reviewers": people,
                                         "prevent_self_review": body.get("prevent_self_review", False)})
    if policy:
        made["protection_rules"].append({"id": 3, "type": "branch_policy"})
    before = HAS["environments"].get(name, {})
    made["-branches"] = before.get("-branches", []) if policy and policy["custom_branch_policies"] else []
    made["-secrets"] = before.get("-secrets", [])
    HAS["environments"][name] = made
    return 200, shown(made)


def environment(parts):
    known = HAS["environments"].get(parts["environment_name"])
    if known is None:
        raise Refused(404, "Not Found")
    return known


def add_branch(parts, body):
    known = environment(parts)
    if not (known["deployment_branch_policy"] or {}).get("custom_branch_policies"):
        raise Refused(404, "Not Found")
    if body["name"] in [each["name"] for each in known["-branches"]]:
        raise Refused(303, "There is one already")
    known["-branches"].append({"id": len(known["-branches"]) + 1, "name": body["name"], "type": body.get("type", "branch")})
    return 200, known["-branches"][-1]


def remove_branch(parts):
    known = environment(parts)
    known["-branches"] = [each for each in known["-branches"] if str(each["id"]) != parts["branch_policy_id"]]
    return 204, None


def secrets(parts):
    names = environment(parts)["-secrets"]
    return 200, {"total_count": len(names), "secrets": [{"name": name, "created_at": now()} for name in names]}


def pull(parts):
    for some in HAS["pulls"].values():
        for each in some:
            if str(each["number"]) == parts["pull_number"]:
                return 200, {**shown(each), "merged_by": user(each["-merged_by"]) if each["merged_at"] else None}
    raise Refused(404, "Not Found")


def ref(parts):
    if parts["ref"].removeprefix("tags/") not in HAS["tags"]:
        raise Refused(404, "Not Found")
    return 200, {"url": "https://api.github.com/x", "object": {"type": "tag", "sha": "c0ffee", "url": "https://api.github.com/y"}}


def release(parts):
    for each in HAS["releases"]:
        if each["tag_name"] == parts["tag"]:
            return 200, each
    raise Refused(404, "Not Found")


def create_release(_, body):
    # GitHub would make one, where nobody looks for it.
    need(body["tag_name"] in HAS["tags"], "the tag is not there")
    if body["tag_name"] in [each["tag_name"] for each in HAS["releases"]]:
        raise Refused(422, "Validation Failed", errors=[{"resource": "Release", "code": "already_exists", "field": "tag_name"}])
    made = {"id": len(HAS["releases"]) + 1, "tag_name": body["tag_name"], "name": body.get("name"), "body": body.get("body"),
            "html_url": f"https://github.com/{REPOSITORY}/releases/tag/{body['tag_name']}"}
    HAS["releases"].append(made)
    return 201, made


def keep_artifact(query):
    data = Path(query["path"]).read_bytes()
    number = 9000 + len(HAS["artifacts"])
    url = f"https://api.github.com/repos/{REPOSITORY}/actions/artifacts/{number}"
    HAS["artifacts"].insert(0, {
        "id": number, "node_id": f"A{number}", "name": query["name"], "size_in_bytes": len(data), "url": url,
        "archive_download_url": url + "/zip", "expired": query.get("expired") == "true", "created_at": now(), "expires_at": now(),
        "updated_at": now(), "digest": query.get("digest", "sha256:" + hashlib.sha256(data).hexdigest()) or None,
        "workflow_run": {"id": int(WORLD["run"]), "repository_id": 1, "head_repository_id": 1, "head_branch": "main", "head_sha": "c0ffee"},
        "-bytes": data.hex()})


def list_artifacts(query):
    some = [each for each in HAS["artifacts"] if query.get("name") in (None, each["name"])]
    return 200, [shown(each) for each in some]


def place_of_artifact(parts, host):
    need(parts["archive_format"] == "zip", "the archive_format must be zip")
    artifact = found(HAS["artifacts"], parts["artifact_id"], "artifact")
    if artifact["expired"]:
        raise Refused(410, "Artifact has expired")
    place = f"/-/place/{len(HAS['places'])}?sig=signature-of-the-place"
    HAS["places"][place] = artifact["-bytes"]
    return 302, f"http://{host.replace('127.0.0.1', 'localhost')}{place}"


R = "/repos/{owner}/{repo}"
LISTS = {
    f"GET {R}/actions/artifacts": lambda _, query: list_artifacts(query),
    f"GET {R}/deployments": lambda _, query: (200, [shown(each) for each in HAS["deployments"]
                                                     if query.get("environment") in (None, each["environment"])]),
    f"GET {R}/deployments/{{deployment_id}}/statuses": lambda parts, _: (
        200, found(HAS["deployments"], parts["deployment_id"], "deployment")["-statuses"]),
    f"GET {R}/issues": lambda _, query: list_issues(query),
    f"GET {R}/issues/{{issue_number}}/comments": lambda parts, _: (
        200, found(HAS["issues"], parts["issue_number"], "issue")["-comments"]),
    f"GET {R}/commits/{{commit_sha}}/pulls": lambda parts, _: (200, [shown(each) for each in HAS["pulls"].get(parts["commit_sha"], [])]),
}
READS = {
    f"GET {R}/actions/runs/{{run_id}}": workflow_run,
    f"GET {R}/actions/runs/{{run_id}}/approvals": lambda _: (200, HAS["reviews"]),
    f"GET {R}/actions/runs/{{run_id}}/pending_deployments": lambda _: (200, HAS["pending"]),
    f"GET {R}/environments/{{environment_name}}": lambda parts: (200, shown(environment(parts))),
    f"GET {R}/environments/{{environment_name}}/deployment-branch-policies": lambda parts: (
        200, {"total_count": len(environment(parts)["-branches"]), "branch_policies": environment(parts)["-branches"]}),
    f"DELETE {R}/environments/{{environment_name}}/deployment-branch-policies/{{branch_policy_id}}": remove_branch,
    f"GET {R}/environments/{{environment_name}}/secrets": secrets,
    f"GET {R}/releases/tags/{{tag}}": release,
    f"GET {R}/pulls/{{pull_number}}": pull,
    f"GET {R}/git/ref/{{ref}}": ref,
    "GET /users/{username}": account,
}
WRITES = {
    f"POST {R}/deployments": create_deployment,
    f"POST {R}/deployments/{{deployment_id}}/statuses": create_status,
    f"POST {R}/statuses/{{sha}}": commit_status,
    f"POST {R}/issues": create_issue,
    f"PATCH {R}/issues/{{issue_number}}": change_issue,
    f"POST {R}/issues/{{issue_number}}/comments": comment,
    f"PUT {R}/environments/{{environment_name}}": put_environment,
    f"POST {R}/environments/{{environment_name}}/deployment-branch-policies": add_branch,
    f"POST {R}/releases": create_release,
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, link=None, there=None):
        data = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-RateLimit-Remaining", "4999")
        if link:
            self.send_header("Link", link)
        if there:
            self.send_header("Location", there)
        self.end_headers()
        self.wfile.write(data)

    def serve(self):
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with LOCK:
            try:
                if parts.path.startswith("/-/place/"):
                    self.place()
                elif parts.path.startswith("/-/"):
                    self.answer(200, self.control(parts.path[3:], query))
                else:
                    self.answer(*self.route(parts.path, query, data))
            except Refused as refused:
                self.answer(refused.status, refused.body)

    def place(self):
        """Bytes, in parts, to whoever has the address."""
        need("Authorization" not in self.headers, "the token was given to another host")
        kept = HAS["places"].get(self.path)
        if kept is None:
            raise Refused(403, "AuthenticationFailed")
        if WORLD["places"] == "once":
            HAS["places"][self.path] = None
        data = bytes.fromhex(kept)
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")) if WORLD["ranges"] == "on" else None
        part = data[int(asked[1]):int(asked[2]) + 1] if asked else data
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {asked[1]}-{int(asked[1]) + len(part) - 1}/{len(data)}")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    @staticmethod
    def control(what, query):
        names = list(filter(None, query.get("environments", "").split(",")))
        if what == "reset":
            reset()
        elif what == "set":
            WORLD.update(query)
        elif what == "run":     # another one begins
            WORLD.update(query, created_at=now())
            HAS["reviews"].clear()
        elif what == "review":
            HAS["reviews"].insert(0, {"user": user(query["user"]), "state": query.get("state", "approved"), "comment": query.get("comment", ""),
                                      "environments": [{"id": 1, "name": name} for name in names]})
        elif what == "pending":
            HAS["pending"] = [{"environment": {"id": 1, "name": name}, "wait_timer": 0, "current_user_can_approve": False, "reviewers": []}
                              for name in names]
        elif what == "secret":
            HAS["environments"][query["environment"]]["-secrets"].append(query["name"])
        elif what == "tag":
            HAS["tags"].append(query["name"])
        elif what == "artifact":
            keep_artifact(query)
        elif what == "pull":
            HAS["pulls"].setdefault(query["commit"], []).append(
                {"id": 1, "number": int(query["number"]), "title": query["title"], "user": user(query["user"]),
                 "state": query.get("state", "closed"), "merged_at": now() if "merged_by" in query else None,
                 "-merged_by": query.get("merged_by")})
        return {**HAS, "artifacts": [shown(each) for each in HAS["artifacts"]], "places": list(HAS["places"]), "world": WORLD}

    def route(self, path, query, data):
        need(self.headers.get("User-Agent"), "User-Agent is missing")
        need(self.headers.get("Accept") == "application/vnd.github+json", "Accept is wrong")
        need(self.headers.get("X-GitHub-Api-Version") == "2022-11-28", "X-GitHub-Api-Version is wrong")
        if self.headers.get("Authorization") not in (f"Bearer {TOKEN}", f"Bearer {WORLD['token']}"):
            raise Refused(401, "Bad credentials")
        name, request, parts = described(self.command, path)
        if "owner" in parts and f"{parts['owner']}/{parts['repo']}" != REPOSITORY:
            raise Refused(404, "Not Found")
        body = json.loads(data) if data else None
        check_request(name, request, query, body)
        link = None
        if name in LISTS:
            status, answer = LISTS[name](parts, query)
            answer, link = self.page(path, query, answer)
            if name.endswith("/artifacts"):
                answer = {"total_count": len(HAS["artifacts"]), "artifacts": answer}
        elif name.endswith("/{archive_format}"):
            status, there = place_of_artifact(parts, self.headers["Host"])
            return status, None, None, there
        elif name in READS:
            status, answer = READS[name](parts)
        else:
            status, answer = WRITES[name](parts, body)
        if "answer" in request and answer is not None:
            check(request["answer"], answer, f"the stand-in's answer to {name}")
        return status, answer, link

    def page(self, path, query, items):
        size = min(int(query.get("per_page", 30)), int(WORLD["page"]))
        number = int(query.get("page", 1))
        rest = len(items) > size * number
        following = urlencode({**query, "page": number + 1})
        link = f'<http://{self.headers["Host"]}{path}?{following}>; rel="next", <http://x/>; rel="last"' if rest else None
        return items[size * (number - 1):size * number], link


def main():
    reset()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
