"""Process 1 of a worker container: the launcher, and after it the runners that it left.

A container ends with its first process. A runner in the middle of a change must not, so on SIGTERM the launcher is
stopped (nothing new starts here) and this process waits until every orphan it inherited has ended. Give it the time:
the termination grace of the pod, `stop_grace_period` in compose.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys

launcher = subprocess.Popen([sys.executable, "-m", "autorke.worker.launcher", *sys.argv[1:]])
signal.signal(signal.SIGTERM, lambda *_: os.kill(launcher.pid, signal.SIGTERM))
code = 1
while True:
    try:
        pid, status = os.wait()
    except ChildProcessError:
        sys.exit(code)
    if pid == launcher.pid:
        code = os.waitstatus_to_exitcode(status)
