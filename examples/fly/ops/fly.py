#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One app at Fly.io for Belay's target `command`:   fly.py prepare|activate|status APP

A release is an image with the release's tag as its label. Each order looks first, and again when its
answer was lost, so that whoever repeats it makes nothing twice. Needs flyctl (`fly`), signed in: its own
`fly auth login`, for prepare and status, too.
"""
import json
import os
import subprocess
import sys

RELEASE = os.environ["BELAY_RELEASE"]


def fly(*words, **options):
    return subprocess.run(["fly", *words], check=False, **options)


def newest(app):
    """What Fly did last for this app; None: nothing yet."""
    done = fly("releases", "--app", app, "--json", stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"fly releases ended with {done.returncode}: what is live cannot be told")
    return max(json.loads(done.stdout) or [], key=lambda each: each["Version"], default=None)


def label_of(release):
    """registry.fly.io/app:LABEL, perhaps with @sha256:... behind it."""
    return release["ImageRef"].partition("@")[0].rpartition(":")[2]


def is_live(app):
    last = newest(app)
    return last is not None and last["Status"] == "complete" and label_of(last) == RELEASE


def prepare(app):
    """Builds and pushes; nothing that is live is touched."""
    return fly("deploy", "--app", app, "--build-only", "--push", "--image-label", RELEASE, "--remote-only").returncode


def activate(app):
    """Makes RELEASE live, by its image and its own fly.toml; back to an earlier one as well."""
    if is_live(app):
        print(f"{RELEASE} is live already")
        return 0
    done = fly("deploy", "--app", app, "--image", f"registry.fly.io/{app}:{RELEASE}", "--strategy", "rolling", "--yes")
    if done.returncode != 0 and is_live(app):
        print(f"fly ended with {done.returncode}, but {RELEASE} is live")
        return 0
    return 0 if done.returncode == 0 else 1


def status(app):
    last = newest(app)
    if last is None:
        print("live")
    elif last["Status"] == "complete":
        print("live", label_of(last))
    else:     # running, failed, interrupted: some machines have it, and others have not
        sys.exit(f"v{last['Version']} ({label_of(last)}) is {last['Status']}")
    return 0


if __name__ == "__main__":
    sys.exit({"prepare": prepare, "activate": activate, "status": status}[sys.argv[1]](sys.argv[2]))
