"""`python -m autorke.embedded.demo.fill`: one run of filling and history-making; the first admin's password on stdin.

Ends with 0 when nothing is left to do, with 1 and the reason as its last line when the product refused something.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import httpx

from autorke.embedded.demo.history import make_history
from autorke.embedded.demo.logbook import Logbook, Login
from autorke.embedded.demo.seed import seed
from autorke.embedded.errors import FleetChanged, SeedFailed
from autorke.embedded.supervisor import FIRST_ADMIN

log = logging.getLogger("fill")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m autorke.embedded.demo.fill", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--url", required=True)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    book = Logbook(options.data)
    try:
        if not book.filled:
            book.keep_logins(seed(options.url, book, Login(FIRST_ADMIN, "admin", sys.stdin.read())))
        elif not book.fits:
            raise FleetChanged()
        log.info("filled: people may sign in")
        if not book.history_done:
            book.keep_history(make_history(options.url, book))
    except (SeedFailed, FleetChanged) as error:
        log.error("%s. %s / %s", error.message.en, error.hint.en, error.hint.zh)  # one line: the terminal shows it
        return 1
    except httpx.HTTPError as error:
        log.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
