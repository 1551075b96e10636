"""The tool of the field flow: says START and END in the journal, and OVERLAP when another one is at the same machine.

Run without site packages, so that it starts in milliseconds; the lock of a machine ends with its process.
"""

import fcntl
import os
import sys
import time


def main() -> int:
    journal, ticket, node, attempt, milliseconds = sys.argv[1:]
    where = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    machine = os.open(f"{journal}.{node}", os.O_WRONLY | os.O_CREAT, 0o600)

    def say(what: str) -> None:
        os.write(where, f"{what} {ticket} {node} {attempt} {os.getpid()} {time.time()}\n".encode())

    say("START")
    try:
        fcntl.flock(machine, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("OVERLAP")
    time.sleep(int(milliseconds) / 1000)
    say("END")
    return 0


if __name__ == "__main__":
    sys.exit(main())
