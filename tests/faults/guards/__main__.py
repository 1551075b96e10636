"""`python -m tests.faults.guards` prints the table of guards for docs/reliability.md."""

import sys

from tests.faults.guards import table

sys.stdout.write(table() + "\n")
