"""A process that has everything foreign imported already and runs pytest in children of its own, one after another.

`python tests/faults/nursery.py` is started in a copy of the tree (`mutants.py`). It reads a line of JSON, a list of
arguments of pytest, and answers with a line of JSON: exit code and output. Nothing of ours is imported before a child
is made, so each sees the copy as it is at that moment.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback

PR_SET_PDEATHSIG = 1
OURS = ("autorke", "bench", "migrations", "tests")
FOREIGN = (
    *("sqlalchemy.orm", "alembic.command", "psycopg", "pydantic", "fastapi.testclient", "celery", "kombu.transport"),
    *("redis.asyncio", "paramiko", "httpx", "yaml", "jinja2", "kubernetes.client", "pytest"),
    *("cryptography.x509", "uvicorn", "argon2"),
)


def run(arguments: list[str], seconds: float) -> tuple[int, str]:
    """Exit code of pytest in a child, -1 when it took too long; and what it wrote."""
    with tempfile.TemporaryFile() as output:
        pid = os.fork()
        if not pid:
            _child(arguments, output.fileno())
        deadline = time.monotonic() + seconds
        code = None
        while code is None and time.monotonic() < deadline:
            ended, status = os.waitpid(pid, os.WNOHANG)
            code = os.waitstatus_to_exitcode(status) if ended else None
            time.sleep(0.02)
        if code is None:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        output.seek(0)
        return -1 if code is None else code, output.read().decode(errors="replace")


def _child(arguments: list[str], output: int) -> None:
    code = 70
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.dup2(output, 1)
        os.dup2(output, 2)
        import pytest

        code = int(pytest.main(arguments))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    sys.path[0] = os.getcwd()
    for name in FOREIGN:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    early = [name for name in sys.modules if name.split(".")[0] in OURS]
    if early:
        raise RuntimeError(f"imported too early: {early}")
    for line in sys.stdin:
        order = json.loads(line)
        code, output = run(order["arguments"], order["seconds"])
        sys.stdout.write(json.dumps({"code": code, "output": output}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
