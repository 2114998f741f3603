# SPDX-License-Identifier: Apache-2.0
"""A worker that must never run twice at a time: if it does, that is written among the effects."""
import fcntl
import signal
import sys

effects = sys.argv[1]
alone = open(effects + ".worker", "w")
try:
    fcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    with open(effects, "a") as out:
        out.write("two workers at a time\n")
signal.sigwait({signal.SIGTERM})
