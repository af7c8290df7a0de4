"""An office that reads a folder and takes the cases away. `python -m gateway.simulate.offices.folder --root FOLDER`.

Every `*.json` found is counted, and moved with its documents to the state folder, as real imports do. The service port
answers nothing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import threading
import time
from pathlib import Path

from gateway.simulate.offices.ledger import Ledger
from gateway.simulate.offices.server import Request, Response, run

_EVERY_S = 0.05


class FolderOffice:
    """Counts and takes."""

    def __init__(self, ledger: Ledger, root: Path, taken: Path) -> None:
        self._ledger = ledger
        self._root = root
        self._taken = taken
        taken.mkdir(parents=True, exist_ok=True)
        threading.Thread(target=self._watch, daemon=True).start()

    def is_effect(self, request: Request) -> bool:  # noqa: ARG002
        """Nothing comes over HTTP."""
        return False

    def answer(self, request: Request) -> Response:  # noqa: ARG002
        """Nothing to say."""
        return Response(404, b"")

    def refusal(self, request: Request, inside_success: bool) -> Response:  # noqa: ARG002
        """Nothing to say."""
        return Response(404, b"")

    def _watch(self) -> None:
        while True:
            for case in sorted(self._root.glob("*.json")):
                self._take(case)
            time.sleep(_EVERY_S)

    def _take(self, case: Path) -> None:
        key = json.loads(case.read_text("utf-8"))["key"]
        effect = self._ledger.add("case", key, key, files=sorted(p.name for p in case.with_suffix(".files").glob("*")))
        target = self._taken / f"{effect['number']}-{case.name}"
        if case.with_suffix(".files").exists():
            shutil.move(case.with_suffix(".files"), target.with_suffix(".files"))
        case.replace(target)


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--root", type=Path, required=True)


if __name__ == "__main__":
    run(lambda ledger, options: FolderOffice(ledger, options.root, options.state / "taken"), _options)
