"""The command line `brama`. Names, JSON and exit codes are a contract; others script against them.

Exit codes: 0 fine; 1 the answer is "no" (invalid, failed, not found); 2 wrong usage or configuration; 3 a needed
service cannot be reached. With `--json` exactly one JSON document goes to stdout; logs and progress go to stderr.
"""

from __future__ import annotations

import sys

from gateway.cli.output import run_safely


def main() -> None:
    """Entry point of the console command."""
    from gateway.cli.commands import app

    sys.exit(run_safely(app))
