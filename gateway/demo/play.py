"""The play: send every scene, let the gateway work, replay what needs it, and check what became of each."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from gateway import operations, receipt
from gateway.app import open_store
from gateway.demo.round_trips import round_trips
from gateway.demo.scenes import SCENES, Scene
from gateway.demo.stage import Stage
from gateway.operations import SubmissionView
from gateway.signatures import TrustPolicy
from gateway.simulate.epuap import Push, PushAnswer, push
from gateway.store.database import Store
from schemas.ids import sha256
from schemas.submission import Submission

Say = Callable[[str], None]
PATIENCE_S = 180.0
ACTOR = "demo"


@dataclass(slots=True)
class Shown:
    """What became of one scene; `problems` is empty when it is what had to become of it."""

    scene: Scene
    answer: PushAnswer
    document: bytes = field(repr=False)
    submission: UUID | None = None
    view: SubmissionView | None = None
    problems: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """One entry of `demo --json`."""
        deliveries = self.view.deliveries if self.view else ()
        own = self.scene.outcome != "duplicate"
        return {
            "what": self.scene.what,
            "tenant": self.scene.tenant,
            "expected": self.scene.outcome,
            "outcome": self.outcome,
            "code": self.answer.code,
            "answer": self.answer.text,
            "submission": str(self.submission) if self.submission else None,
            "receipt": self.answer.receipt_file_name,
            "deliveries": [_delivery_json(item) for item in deliveries] if own else [],
            "problems": self.problems,
        }

    @property
    def outcome(self) -> str:
        """The one word that says it best: the delivery's state where there is one, else the decision."""
        if self.view is None:
            return "not_kept"
        if self.scene.outcome == "duplicate":
            return "duplicate" if self.view.arrivals else "kept_twice"
        decision = self.view.submission.decision
        states = {item.delivery.state.value for item in self.view.deliveries}
        if decision is not None and decision.value == "accepted" and len(states) == 1:
            return states.pop()
        return decision.value if decision else "undecided"


def play(stage: Stage, folder: Path, say: Say, progress: Callable[[str, int, int], None]) -> dict[str, Any]:
    """Play all scenes.

    Args:    folder: where UPOs and cases are written. say: one sentence for the watcher. progress: (what, done, total).
    Returns: the contract of `demo --json`.
    """
    with open_store(stage.config) as store:
        shown: list[Shown] = []
        for number, scene in enumerate(SCENES):
            progress(scene.what, number, len(SCENES))
            shown.append(_send(scene, stage, store, shown))
        progress("Czekanie, aż wszystko się uspokoi", len(SCENES), len(SCENES))
        _until(lambda: operations.books(store).quiet, "praca nie ustała")
        for item in shown:
            if item.scene.replay:
                _replay(item, store, say)
        _until(lambda: operations.books(store).quiet, "ponowienia nie ustały")
        progress("Odpowiedzi do mieszkańców przez ePUAP", len(SCENES), len(SCENES))
        trips = round_trips(stage, store)
        _until(lambda: operations.books(store).quiet, "odpowiedzi nie ustały")
        for item in shown:
            _judge(item, stage, store, shown)
        books = operations.books(store)
        doubled = sorted(key for key, count in stage.keys().items() if count != 1)
        _write(shown, folder)
    problems = [problem for item in shown for problem in item.problems]
    problems += [f"brak odpowiedzi: {trip['service']}" for trip in trips if not trip["answered"]]
    problems += [f"klucz {key} trafił do urzędu więcej niż raz" for key in doubled]
    return {
        "balanced": books.balanced and not problems,
        "folder": str(folder),
        "books": books.to_json(),
        "problems": problems,
        "submissions": [item.to_json() for item in shown],
        "round_trips": trips,
    }


def _send(scene: Scene, stage: Stage, store: Store, before: list[Shown]) -> Shown:
    """Prepare the office, push the document as ePUAP would, and find what was kept."""
    twin = next((item for item in before if item.scene.name == scene.same_as), None)
    document = twin.document if twin else scene.document(stage.pki)
    if scene.office:
        _until(lambda: operations.books(store).quiet, "praca nie ustała")
        _tell(scene, stage)
    call = Push(scene.box, document, file_name=f"{scene.name}.xml", is_test=scene.is_test)
    shown = Shown(scene, push(stage.push_url, call), document)
    found = _find(store, sha256(document), scene.box)
    shown.submission = found.id if found else None
    if scene.office:
        _watch(shown, stage, store)
    return shown


def _tell(scene: Scene, stage: Stage) -> None:
    if scene.office == "down":
        stage.ezd.stop()
    elif scene.office:
        stage.ezd.tell(scene.office, times=1)


def _watch(shown: Shown, stage: Stage, store: Store) -> None:
    """Wait until the office's fault was met; then put the office right."""
    first = {"refuse": "refused", "down": "unreachable", "hang_up_after_storing": "unsettled"}[str(shown.scene.office)]
    _until(lambda: first in _outcomes(shown, store), f"{shown.scene.name}: nie doszło do „{first}”")
    if shown.scene.office == "down":
        stage.ezd.start()


def _replay(item: Shown, store: Store, say: Say) -> None:
    """An operator replays what was refused, as `brama replay` does: the count first, then actor and reason."""
    assert item.submission is not None
    wanted = operations.DeliveryFilter(submission=item.submission, state="refused")
    found = operations.replay(store, wanted, actor=ACTOR, reason="poprawiono w systemie urzędu", dry_run=True)
    operations.replay(store, wanted, actor=ACTOR, reason="poprawiono w systemie urzędu")
    say(f"Ponowiono przekazania odrzucone przez urząd: {len(found.replayed)}")


def _judge(item: Shown, stage: Stage, store: Store, shown: list[Shown]) -> None:
    """Compare what became of it with what had to."""
    scene, expect = item.scene, _Expectations(item)
    if item.submission is None:
        item.problems.append(f"{scene.name}: dokumentu nie zachowano: {item.answer.text}")
        return
    item.view = operations.submission(store, item.submission)
    rejected = scene.outcome == "rejected"
    expect.that(item.outcome == scene.outcome, f"wynik {item.outcome} zamiast {scene.outcome}")
    expect.that((item.answer.code == 1) is not rejected, f"kod odpowiedzi {item.answer.code}")
    expect.that((item.answer.receipt is None) is rejected, "UPO jest, gdzie go nie ma być, albo brak UPO")
    expect.that(item.view.chain_broken_at is None, "łańcuch zdarzeń jest przerwany")
    if item.answer.receipt is not None:
        trust = TrustPolicy.load(stage.config.path(stage.config.gateway.trust))
        checked = receipt.check_receipt(item.answer.receipt, item.document, trust)
        expect.that(checked.binding == "is_for", "UPO nie dotyczy tego dokumentu")
        expect.that(checked.verification.indication == "TOTAL-PASSED", "podpis UPO nie jest ważny")
    if scene.finding:
        found = (item.view.validation or {}).get("findings", [])
        place = any(one["code"].startswith(scene.finding) and one["line"] and one["path"] for one in found)
        expect.that(place, f"brak ustalenia {scene.finding}* z wierszem i ścieżką")
    if scene.same_as:
        twin = next(other for other in shown if other.scene.name == scene.same_as)
        expect.that(item.answer.receipt == twin.answer.receipt, "inne UPO dla tego samego dokumentu")
        expect.that(item.submission == twin.submission, "drugie zgłoszenie z tego samego dokumentu")
    _judge_deliveries(item, expect)


def _judge_deliveries(item: Shown, expect: _Expectations) -> None:
    assert item.view is not None
    connectors = [one.delivery.connector for one in item.view.deliveries]
    outcomes = [attempt.outcome for one in item.view.deliveries for attempt in one.attempts]
    if item.scene.outcome in ("quarantined", "rejected"):
        expect.that(not connectors, "przekazano, choć nie wolno")
    if item.scene.outcome == "test":
        expect.that(connectors == ["rehearsal"], "dokument testowy trafił poza próbny system")
    if item.scene.office == "down":
        expect.that(outcomes[0] == "unreachable" and outcomes[-1] == "delivered", f"próby: {outcomes}")
    if item.scene.office == "hang_up_after_storing":
        expect.that(outcomes == ["unsettled", "delivered"], f"próby: {outcomes}")


class _Expectations:
    """Collects what is not as it had to be, named by the scene."""

    def __init__(self, item: Shown) -> None:
        self._item = item

    def that(self, held: bool, otherwise: str) -> None:
        if not held:
            self._item.problems.append(f"{self._item.scene.name}: {otherwise}")


def _write(shown: list[Shown], folder: Path) -> None:
    """UPOs and cases as files a person can open, named by scene."""
    for item in shown:
        if item.answer.receipt is not None:
            _file(folder / "upo" / f"{item.scene.name}.upo.xml").write_bytes(item.answer.receipt)
        _file(folder / "dokumenty" / f"{item.scene.name}.xml").write_bytes(item.document)
        if item.view is not None and item.view.cases:
            case = item.view.cases[-1]
            text = json.dumps(case["stored"], ensure_ascii=False, indent=2, default=str)
            _file(folder / "sprawy" / f"{item.scene.name}.json").write_text(text + "\n", "utf-8")


def _file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _find(store: Store, digest: str, mailbox: str) -> Submission | None:
    page = operations.submissions(store, operations.SubmissionFilter(limit=200))
    return next((one for one in page.items if one.sha256 == digest and one.mailbox == mailbox), None)


def _outcomes(item: Shown, store: Store) -> list[str]:
    if item.submission is None:
        return []
    view = operations.submission(store, item.submission)
    return [attempt.outcome or "" for one in view.deliveries for attempt in one.attempts]


def _until(holds: Callable[[], bool], otherwise: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(otherwise)
        time.sleep(0.1)


def _delivery_json(item: operations.DeliveryView) -> dict[str, Any]:
    return {
        "connector": item.delivery.connector,
        "state": item.delivery.state.value,
        "reference": item.delivery.reference,
        "code": item.delivery.last_code,
        "attempts": [attempt.outcome for attempt in item.attempts],
    }


def short(text: str, most: int = 60) -> str:
    """One line, cut with an ellipsis."""
    line = re.sub(r"\s+", " ", text)
    return line if len(line) <= most else line[: most - 1] + "…"
