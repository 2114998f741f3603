#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One Deployment of Kubernetes for Belay's target `command`:   kubernetes.py prepare|activate|status NAME IMAGE

IMAGE is without a tag: a release is the image with the release's tag, and the label `release` of the
pods. `kubernetes.yaml` in the service's folder has the word RELEASE where that tag belongs. Its apply is
the same however often it is done. Needs kubectl with a context that may change the Deployment, and docker.
"""
import json
import os
import subprocess
import sys
from pathlib import Path

RELEASE = os.environ["BELAY_RELEASE"]


def prepare(_, image):
    """Builds and pushes; nothing that is live is touched."""
    for words in (("build", "--tag", f"{image}:{RELEASE}", "."), ("push", f"{image}:{RELEASE}")):
        done = subprocess.run(["docker", *words], check=False)
        if done.returncode != 0:
            return done.returncode
    return 0


def kubectl(*words, **options):
    return subprocess.run(["kubectl", *words], check=False, text=True, **options)


def live(name):
    """The release that all pods have; "" before the first; an end with a word when it cannot be told."""
    done = kubectl("get", "deployment", name, "--ignore-not-found", "--output", "json", stdout=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"kubectl get ended with {done.returncode}: what is live cannot be told")
    if not done.stdout.strip():
        return ""
    found = json.loads(done.stdout)
    want, now = found["spec"].get("replicas", 1), found.get("status", {})
    updated = now.get("updatedReplicas", 0)
    settled = (now.get("observedGeneration", 0) >= found["metadata"]["generation"] and updated >= want
               and now.get("replicas", 0) <= updated and now.get("availableReplicas", 0) >= updated)
    if not settled:
        sys.exit(f"{name} is being rolled out: {updated} of {want} updated, {now.get('availableReplicas', 0)} available")
    return found["spec"]["template"]["metadata"].get("labels", {}).get("release", "unknown")


def activate(name, _):
    """Makes RELEASE live by its own manifest; back to an earlier one as well."""
    manifest = Path("kubernetes.yaml").read_text().replace("RELEASE", RELEASE)
    applied = kubectl("apply", "--filename", "-", input=manifest)
    rolled = kubectl("rollout", "status", f"deployment/{name}", "--timeout", "10m")
    if rolled.returncode == 0 and live(name) == RELEASE:
        return 0
    print(f"kubectl apply ended with {applied.returncode}, rollout status with {rolled.returncode}", file=sys.stderr)
    return 1


def status(name, _):
    print("live", live(name))
    return 0


if __name__ == "__main__":
    sys.exit({"prepare": prepare, "activate": activate, "status": status}[sys.argv[1]](*sys.argv[2:4]))
