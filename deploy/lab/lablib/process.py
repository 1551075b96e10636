"""Running the tools of this computer: argument lists only, always with a time limit."""

import logging
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO

from lablib.settings import LabError

log = logging.getLogger("lab")


def run(
    argv: Iterable[str | Path],
    *,
    stdin: str | IO[bytes] | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    seconds: float = 180,
) -> str:
    """Run `argv`, return its standard output. `stdin` is text or an open file.

    Raises LabError with the end of the error output on a non-zero exit or after `seconds`.
    """
    words = [str(word) for word in argv]
    feed = stdin.encode() if isinstance(stdin, str) else None
    source = stdin if stdin is not None and not isinstance(stdin, str) else None
    try:
        if source is not None:
            done = subprocess.run(words, stdin=source, capture_output=True, timeout=seconds, env=env, cwd=cwd)
        else:
            done = subprocess.run(words, input=feed or b"", capture_output=True, timeout=seconds, env=env, cwd=cwd)
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{' '.join(words[:8])}: no end after {seconds:.0f} s") from error
    except FileNotFoundError as error:
        raise LabError(f"{words[0]} is not installed") from error
    if done.returncode:
        text = (done.stderr or done.stdout).decode(errors="replace").strip()[-2000:]
        raise LabError(f"{' '.join(words[:8])}: exit {done.returncode}\n{text}")
    return done.stdout.decode(errors="replace")


def succeeds(argv: Iterable[str | Path], *, seconds: float = 60) -> bool:
    """Whether `argv` ends with exit 0 in time."""
    try:
        run(argv, seconds=seconds)
    except LabError:
        return False
    return True


def wait_until(what: str, check: Callable[[], bool], *, seconds: float, pause: float = 0.5) -> None:
    """Ask `check` every `pause` seconds until it says yes. Raises LabError naming `what` after `seconds`."""
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {seconds:.0f} s")
        time.sleep(pause)
