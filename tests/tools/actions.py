# SPDX-License-Identifier: Apache-2.0
"""Runs a workflow of GitHub Actions here, job after job and step after step, as its runner would: what the
workflows of `belay init --github` use of it, and a refusal of everything else.

Each job has a machine of its own: a fresh folder, always at the same place. What leaves a job is what
GitHub lets leave it: outputs without secrets, artifacts, the summary, annotations.
"""
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import yaml


class Wrong(Exception):
    """The workflow is not one, or uses what this runner does not know."""


# --- expressions ---------------------------------------------------------------------------------

TOKEN = re.compile(r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<op>==|!=|&&|\|\||[!(),.])"
                   r"|(?P<name>[A-Za-z_][A-Za-z0-9_-]*))")


class Expression:
    """One ${{ }}, by GitHub's rules: && and || give a value, a property that is missing is nothing."""

    def __init__(self, text, contexts, functions):
        self.words, self.at = [], 0
        self.contexts, self.functions = contexts, functions
        rest = text.strip()
        while rest:
            found = TOKEN.match(rest)
            if not found:
                raise Wrong(f"expression: {text}")
            self.words.append((found.lastgroup, found.group(found.lastgroup)))
            rest = rest[found.end():].strip()

    def value(self):
        out = self.either()
        if self.at != len(self.words):
            raise Wrong(f"expression: {self.words}")
        return out

    def take(self, *operators):
        if self.at < len(self.words) and self.words[self.at][0] == "op" and self.words[self.at][1] in operators:
            self.at += 1
            return self.words[self.at - 1][1]
        return None

    def either(self):
        left = self.both()
        while self.take("||"):
            right = self.both()
            left = left if truth(left) else right
        return left

    def both(self):
        left = self.equal()
        while self.take("&&"):
            right = self.equal()
            left = right if truth(left) else left
        return left

    def equal(self):
        left = self.unary()
        operator = self.take("==", "!=")
        if not operator:
            return left
        same = text_of(left).lower() == text_of(self.unary()).lower()
        return same if operator == "==" else not same

    def unary(self):
        if self.take("!"):
            return not truth(self.unary())
        if self.take("("):
            inner = self.either()
            if not self.take(")"):
                raise Wrong("a bracket is open")
            return inner
        kind, word = self.words[self.at] if self.at < len(self.words) else (None, None)
        self.at += 1
        if kind == "string":
            return word[1:-1].replace("''", "'")
        if kind == "number":
            return float(word)
        if kind != "name":
            raise Wrong(f"expression: {self.words}")
        if word in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[word]
        return self.call(word) if self.take("(") else self.look_up(word)

    def call(self, name):
        arguments = []
        while not self.take(")"):
            arguments.append(self.either())
            self.take(",")
        if name not in self.functions:
            raise Wrong(f"no function {name}")
        return self.functions[name](*arguments)

    def look_up(self, name):
        if name not in self.contexts:
            raise Wrong(f"no context {name} here")
        value = self.contexts[name]
        while self.take("."):
            kind, word = self.words[self.at]
            if kind != "name":
                raise Wrong(f"expression: {self.words}")
            self.at += 1
            value = value.get(word) if isinstance(value, dict) else None
        return value


def truth(value):
    return value not in (None, False, "", 0)


def text_of(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def contains(where, what):
    if isinstance(where, list):
        return any(text_of(each).lower() == text_of(what).lower() for each in where)
    return text_of(what).lower() in text_of(where).lower()


def filled(text, contexts, functions):
    if not isinstance(text, str):
        return text
    return re.sub(r"\$\{\{(.*?)\}\}", lambda m: text_of(Expression(m[1], contexts, functions).value()), text)


def holds(condition, contexts, functions):
    """Of an `if:`; without a look at the status, success() is meant."""
    text = re.sub(r"^\s*\$\{\{(.*)\}\}\s*$", r"\1", str(condition), flags=re.S) if condition is not None else "success()"
    if not re.search(r"\b(always|failure|cancelled|success)\(\)", text):
        text = f"success() && ({text})"
    return truth(Expression(text, contexts, functions).value())


# --- what a step says ----------------------------------------------------------------------------

COMMANDS = {"error", "warning", "notice", "debug", "group", "endgroup", "add-mask", "set-output", "save-state",
            "stop-commands", "set-env", "add-path", "echo", "add-matcher"}


def commands_in(output):
    """(name, properties, data) of each command in it, of both forms, but not where they are stopped."""
    token = None
    for line in re.split(r"\r\n|\r|\n", output):
        found = re.match(r"^\s*::(\S+?)(?: (.*?))?::(.*)$", line) or re.search(r"##\[(\S+?)(?: (.*?))?\](.*)$", line)
        if not found:
            continue
        name = found[1]
        if token:
            token = None if name == token else token
        elif name == "stop-commands":
            token = found[3]
        elif name in COMMANDS:
            yield name, found[2] or "", found[3].replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def values_in(path):
    """NAME=VALUE and NAME<<END of a file like GITHUB_OUTPUT."""
    lines, out = path.read_text().split("\n"), {}
    while lines:
        line = lines.pop(0)
        if not line:
            continue
        heredoc = re.match(r"^([^=<]+)<<(.+)$", line)
        if not heredoc:
            name, equals, value = line.partition("=")
            if not equals:
                raise Wrong(f"no NAME=VALUE: {line}")
            out[name] = value
            continue
        if heredoc[2] not in lines:
            raise Wrong(f"no end of {heredoc[1]}")
        end = lines.index(heredoc[2])
        out[heredoc[1]] = "\n".join(lines[:end])
        lines = lines[end + 1:]
    return out


class Result:
    """What is left of a job when its machine is gone."""

    def __init__(self):
        self.result, self.outputs, self.url, self.log, self.summary = "success", {}, "", "", ""
        self.errors, self.warnings = [], []


class Run:
    """One run of a workflow. `approve(environment)` says whether the people of an environment let a job
    pass; `watch(job, step, process)` sees each script's process, and may end it: "cancel" or "lose" as its
    answer is what happens to the job then."""

    def __init__(self, folder, remote, workflow, inputs=None, **options):
        self.folder, self.remote = Path(folder), remote
        self.machine = self.folder / "machine"
        self.secrets = options.get("secrets", {})          # of each environment, "" of the repository
        self.variables = options.get("variables", {})
        self.approve = options.get("approve", lambda environment: True)
        self.watch = options.get("watch", lambda job, step, process: None)
        self.kept = options.get("kept", lambda name, path: None)    # a file that is an artifact as it is
        self.environment = options.get("environment", {})
        self.run_id = str(options.get("run_id", 1))
        self.file = workflow
        shown = subprocess.run(["git", "-C", str(remote), "show", f"main:{workflow}"], capture_output=True, text=True, check=True)
        self.workflow = yaml.safe_load(shown.stdout)
        self.sha = subprocess.run(["git", "-C", str(remote), "rev-parse", "main"], capture_output=True, text=True,
                                  check=True).stdout.strip()
        declared = self.workflow[True]["workflow_dispatch"]["inputs"]
        unknown = set(inputs or {}) - set(declared)
        if unknown:
            raise Wrong(f"no inputs {unknown}")
        self.inputs = {name: (inputs or {}).get(name, each.get("default")) for name, each in declared.items()}
        self.jobs, self.artifacts, self.asked = {}, {}, []

    def go(self):
        waiting = dict(self.workflow["jobs"])
        while waiting:
            ready = [name for name, job in waiting.items() if set(needs_of(job)) <= set(self.jobs)]
            if not ready:
                raise Wrong(f"jobs wait for each other: {sorted(waiting)}")
            name = ready[0]
            self.jobs[name] = self.job(name, waiting.pop(name))
        return self

    def contexts(self, job, environment):
        secrets = {**self.secrets.get("", {}), **self.secrets.get(environment, {})}
        return {"inputs": self.inputs, "vars": self.variables, "secrets": secrets,
                "needs": {name: {"result": self.jobs[name].result, "outputs": self.jobs[name].outputs}
                          for name in needs_of(job)},
                "github": {"run_id": self.run_id, "run_attempt": "1", "sha": self.sha, "ref_name": "main", "actor": "amina",
                           "token": "github-token", "workspace": str(self.machine / "work/shop")},
                "runner": {"temp": str(self.machine / "temp")}, "steps": {}, "env": {}}

    def functions(self, cancelled, failed):
        return {"always": lambda: True, "cancelled": lambda: cancelled, "failure": lambda: failed and not cancelled,
                "success": lambda: not failed and not cancelled, "contains": contains, "fromJSON": json.loads}

    def job(self, name, job):
        out = Result()
        environment = job.get("environment", "")
        place = environment["name"] if isinstance(environment, dict) else environment
        contexts = self.contexts(job, place)
        results = [each["result"] for each in contexts["needs"].values()]
        functions = self.functions("cancelled" in results, any(each in ("failure", "skipped") for each in results))
        if not holds(job.get("if"), contexts, functions):
            out.result = "skipped"
            return out
        if place:
            self.asked.append(place)
            if not self.approve(place):
                out.result = "failure"
                return out
        shutil.rmtree(self.machine, ignore_errors=True)
        for each in ("work/shop", "temp"):
            (self.machine / each).mkdir(parents=True)
        Job(self, name, job, contexts, out).go()
        secrets = [each for each in contexts["secrets"].values() if each] + out.masks
        if out.result == "lost":
            out.result = "failure"
            return out
        functions = self.functions(False, False)
        for key, text in job.get("outputs", {}).items():
            value = filled(text, contexts, functions)
            if any(secret in value for secret in secrets):
                out.warnings.append(f"Skip output '{key}' since it may contain secret.")
                value = ""
            out.outputs[key] = value
        url = filled(environment.get("url", ""), contexts, functions) if isinstance(environment, dict) else ""
        out.url = "" if any(secret in url for secret in secrets) else url
        return out


def needs_of(job):
    needs = job.get("needs", [])
    return [needs] if isinstance(needs, str) else needs


class Job:
    def __init__(self, run, name, job, contexts, out):
        self.run, self.name, self.job, self.contexts, self.out = run, name, job, contexts, out
        self.failed = self.cancelled = False
        self.path, self.env = [], {}
        out.masks = []
        self.files = run.machine / "files"
        self.files.mkdir()

    def go(self):
        for number, step in enumerate(self.job["steps"]):
            functions = self.run.functions(self.cancelled, self.failed)
            if not holds(step.get("if"), self.contexts, functions):
                continue
            good = self.step(step, self.contexts, f"{number}") or step.get("continue-on-error", False)
            if self.out.result == "lost":
                return
            self.failed = self.failed or not good
        self.out.result = "cancelled" if self.cancelled else "failure" if self.failed else "success"

    def step(self, step, contexts, number):
        functions = self.run.functions(self.cancelled, self.failed)
        env = {name: text_of(filled(text, contexts, functions)) for name, text in step.get("env", {}).items()}
        given = {name: text_of(filled(text, contexts, functions)) for name, text in step.get("with", {}).items()}
        if "run" in step:
            return self.script(step, contexts, env, number)
        uses = step["uses"]
        if uses.startswith("./"):
            return self.composite(uses, given, number)
        action = uses.partition("@")[0]
        known = {"actions/checkout": self.checkout, "actions/upload-artifact": self.upload}
        if action not in known:
            raise Wrong(f"no action {uses}")
        known[action](given)
        return True

    def composite(self, uses, given, number):
        action = yaml.safe_load((self.run.machine / "work/shop" / uses / "action.yml").read_text())
        inputs = {name: given.get(name, each.get("default", "")) for name, each in action["inputs"].items()}
        contexts = {"inputs": inputs, "runner": self.contexts["runner"], "github": self.contexts["github"], "steps": {}}
        return all(self.step(step, contexts, f"{number}-{at}") for at, step in enumerate(action["runs"]["steps"]))

    def checkout(self, given):
        work = self.run.machine / "work/shop"
        if given.get("fetch-depth") != "0":
            raise Wrong("checkout: all of the history is needed")
        for words in (["init", "-q"], ["remote", "add", "origin", str(self.run.remote)],
                      ["fetch", "-q", "--tags", "origin", "+refs/heads/*:refs/remotes/origin/*"],
                      ["remote", "set-head", "origin", "main"], ["checkout", "-q", "-B", "main", self.run.sha]):
            subprocess.run(["git", *words], cwd=work, check=True, capture_output=True, env={**os.environ, **self.run.environment})

    def upload(self, given):
        if not given["path"]:
            raise Wrong("Input required and not supplied: path")
        alone = given.get("archive") == "false"      # one file, by its own name
        name = Path(given["path"]).name if alone else given["name"]
        if re.search(r'[":<>|*?\r\n\\/]', name) or (name in self.run.artifacts and given.get("overwrite") != "true"):
            raise Wrong(f"no name of an artifact: {name}")
        kept = tempfile.mkdtemp(dir=self.run.folder)
        if alone:
            shutil.copy(given["path"], kept)
            self.run.kept(name, Path(kept) / name)
        else:
            shutil.copytree(given["path"], kept, dirs_exist_ok=True)
        self.run.artifacts[name] = (Path(kept), int(given["retention-days"]))

    def script(self, step, contexts, env, number):
        if "${{" in step["run"]:
            raise Wrong("an expression in a script")
        files = {}
        for name in ("OUTPUT", "ENV", "PATH", "STEP_SUMMARY", "STATE"):
            files[f"GITHUB_{name}"] = self.files / f"{name}-{number}"
            files[f"GITHUB_{name}"].touch()
        script = self.files / f"script-{number}.sh"
        script.write_text(step["run"])
        shell = {None: ["bash", "-e"], "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"]}[step.get("shell")]
        work = self.run.machine / "work/shop"
        base = {"PATH": ":".join(reversed(self.path)) + (":" if self.path else "") + "/usr/local/bin:/usr/bin:/bin",
                "HOME": str(self.run.machine), "GITHUB_ACTIONS": "true", "CI": "true", "GITHUB_ACTOR": "amina",
                "GITHUB_RUN_ID": self.run.run_id, "GITHUB_SHA": self.run.sha, "GITHUB_WORKSPACE": str(work),
                "RUNNER_TEMP": str(self.run.machine / "temp")}
        process = subprocess.Popen([*shell, str(script)], cwd=work, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, env={**base, **self.run.environment, **self.env, **env,
                                                                  **{name: str(path) for name, path in files.items()}})
        pieces = []
        reader = threading.Thread(target=lambda: pieces.append(process.stdout.read()))
        reader.start()
        what = self.run.watch(self.name, step.get("name", ""), process)
        code = process.wait()
        reader.join()
        process.stdout.close()
        text = b"".join(pieces).decode(errors="replace")
        if what == "lose":
            self.out.result = "lost"
            return False
        self.cancelled = self.cancelled or what == "cancel"
        self.take(text, files, contexts, step)
        return code == 0

    def take(self, text, files, contexts, step):
        for name, properties, data in commands_in(text):
            if name == "add-mask":
                self.out.masks.append(data)
            elif name in ("error", "warning"):
                self.out.errors.append((properties, data))
            elif name not in ("group", "endgroup"):
                raise Wrong(f"a step says ::{name}:: {data}")
        self.out.log += text
        self.out.summary += files["GITHUB_STEP_SUMMARY"].read_text()
        self.env.update(values_in(files["GITHUB_ENV"]))
        self.path += files["GITHUB_PATH"].read_text().split("\n")[:-1]
        if "id" in step:
            contexts["steps"][step["id"]] = {"outputs": values_in(files["GITHUB_OUTPUT"])}


# --- a strict look, where actionlint is not ------------------------------------------------------

KEYS = {"workflow": {"name", "run-name", True, "permissions", "jobs"},
        "job": {"name", "needs", "if", "runs-on", "timeout-minutes", "environment", "concurrency", "permissions", "outputs",
                "steps"},
        "step": {"name", "id", "if", "env", "run", "uses", "with", "shell", "continue-on-error"}}
PINNED = re.compile(r"^\s*-?\s*uses: [a-z-]+/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")


def complaints(text):
    """What is wrong with a workflow's text, or against this house's rules for them."""
    workflow = yaml.safe_load(text)
    found = [f"unknown key {key}" for key in set(workflow) - KEYS["workflow"]]
    found += [f"not pinned: {line.strip()}" for line in text.split("\n")
              if re.search(r"\buses:", line) and "uses: ./" not in line and not PINNED.match(line)]
    if workflow.get("permissions") != {}:
        found.append("permissions are not {} unless a job says so")
    inputs = workflow[True]["workflow_dispatch"]["inputs"]
    if len(inputs) > 25:
        found.append("more than 25 inputs")
    for name, job in workflow["jobs"].items():
        found += [f"{name}: unknown key {key}" for key in set(job) - KEYS["job"]]
        found += [f"{name}: needs {each}, which is no job" for each in needs_of(job) if each not in workflow["jobs"]]
        if not isinstance(job.get("timeout-minutes"), int):
            found.append(f"{name}: no timeout-minutes")
        if (job.get("concurrency") or {}).get("cancel-in-progress"):
            found.append(f"{name}: cancels what is in progress")
        found += complaints_of_steps(name, job)
        for context, other in re.findall(r"\b(needs|steps)\.([A-Za-z0-9_-]+)", json.dumps(job)):
            known = needs_of(job) if context == "needs" else [each.get("id") for each in job["steps"]]
            if other not in known:
                found.append(f"{name}: {context}.{other} is not known there")
        for given in re.findall(r"\binputs\.([A-Za-z0-9_]+)", json.dumps(job)):
            if given not in inputs:
                found.append(f"{name}: no input {given}")
    return found


def complaints_of_steps(name, job):
    found = []
    for step in job["steps"]:
        found += [f"{name}: unknown key {key} of a step" for key in set(step) - KEYS["step"]]
        if ("run" in step) == ("uses" in step):
            found.append(f"{name}: a step either runs or uses")
        if "${{" in step.get("run", ""):
            found.append(f"{name}: an expression in a script: whoever gives its value would run it")
        if "secrets." in json.dumps(step) and "uses" in step:
            found.append(f"{name}: a secret for an action that is not ours")
    return found
