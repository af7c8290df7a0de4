"""What a big push costs in memory: the wire message read, kept, judged and answered, in a process of its own.

Beyond the body: the most that is resident while the request is in work, less what was resident before, the body
included. Kept after: what the process holds more after the last requests than after the first ones. Both in bodies.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from pathlib import Path
from typing import Any

from gateway import flow, log, memory
from gateway.bench import intake as site
from gateway.simulate import documents
from gateway.simulate.citizens import person, sign_trusted_profile
from gateway.simulate.documents import File
from gateway.simulate.epuap import Push
from gateway.simulate.pki import shared
from gateway.store.database import Store
from gateway.store.embedded import embedded
from gateway.store.schema import migrate
from gateway.transport.wire import PushReader

ATTACHED_BYTES = 9 * 1024 * 1024  # each of two files: what a gmina takes unless it says otherwise
ROUNDS = 6
BEYOND, AFTER = 4.0, 0.5  # budgets
_STATUS, _FORGET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def measure(attached_bytes: int = ATTACHED_BYTES, rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """Two figures, in MB and in bodies; none where the system does not tell a process its peak (other than Linux)."""
    if not (_STATUS.exists() and os.access(_FORGET, os.W_OK)):
        return []
    with tempfile.TemporaryDirectory(prefix="brama-b-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with embedded(folder / "pg") as address, multiprocessing.get_context("spawn").Pool(1) as apart:
            return apart.apply(_measured, (folder, address, attached_bytes, rounds))


def _measured(folder: Path, address: str, attached_bytes: int, rounds: int) -> list[dict[str, Any]]:
    log.configure("ERROR")  # a spawned process has set up nothing: it would write among the figures
    memory.settle()
    store = Store(address)
    try:
        migrate(store.engine)
        tools = site.made_tools(folder, store)
        reader = PushReader(tools.config.gateway.push, tools.config.gateway.http.max_body_bytes)
        flow.accept(reader.read(_body(0, 0), None), tools)  # everything lazy is loaded now
        beyond, after, size = [], [], 0
        for number in range(1, rounds + 1):
            body = _body(number, attached_bytes)
            size = len(body)
            _FORGET.write_text("5")
            before = _resident("VmRSS")
            answer = flow.accept(reader.read(body, None), tools)
            if answer.receipt is None:
                raise RuntimeError(answer.text)
            beyond.append(_resident("VmHWM") - before)
            del body
            after.append(_resident("VmRSS"))
    finally:
        store.close()
    half = rounds // 2
    kept = max(0, min(after[half:]) - max(after[:half]))
    return [_figure("memory beyond the body", max(beyond), size, BEYOND), _figure("kept after", kept, size, AFTER)]


def _body(number: int, attached_bytes: int) -> bytes:
    """A push as it stands on the wire."""
    names = ("skan-1.pdf", "skan-2.pdf") if attached_bytes else ()
    files = [File(name, os.urandom(attached_bytes)) for name in names]
    form = documents.property_return(site.TERYT, seed=number + 1, files=files)
    return Push(site.MAILBOX, sign_trusted_profile(form, person(number + 1), shared())).envelope()


def _resident(name: str) -> int:
    line = next(line for line in _STATUS.read_text("ascii").splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024


def _figure(name: str, found: int, body: int, budget: float) -> dict[str, Any]:
    return {
        "name": f"{name}, {body / 1e6:.0f} MB",
        "unit": "MB",
        "value": round(found / 1e6, 1),
        "floor": round(body / 1e6, 1),
        "ratio": round(found / body, 2),
        "budget": budget,
        "within_budget": found / body <= budget,
    }
