"""A whole gateway for tests: configuration on disk, real steps, and a worker that works until nothing is left."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

from sqlalchemy import select, text

from connectors.rehearsal import RehearsalConnector
from gateway import flow, sweep
from gateway.app import ConfiguredOffices, make_tools
from gateway.config import Config
from gateway.config import load as load_config
from gateway.simulate.pki import UPO_PASSWORD
from gateway.store import deliveries, jobs, submissions
from gateway.store import tables as t
from gateway.store.database import Store
from gateway.tools import Tools
from schemas.delivery import Attempt, Delivery
from schemas.submission import Answer, Envelope, Submission
from tests.builders import MAILBOX, OTHER_MAILBOX, OTHER_TERYT, SECOND_MAILBOX, TERYT, an_envelope, pki
from tests.waiting import PATIENCE_S

GATEWAY_TOML = """\
environment = "test"
trust = "pki/trust.toml"
[receipt]
key = "pki/upo-seal.p12"
password = "env:BRAMA_TEST_SEAL_PASSWORD"
[push]
twin_wait_s = 60.0
unknown_mailbox_allowance = 3
[worker]
concurrency = 4
lease_s = 30.0
sweep_s = 0.3
retry_s = [0.05, 0.05, 0.1]
jitter = 0.0
breaker_s = 0.2
breaker_longest_s = 0.4
"""

TENANT_TOML = """\
teryt = "{teryt}"
name = "Gmina Próbna"
mailboxes = [{mailboxes}]
[connector.office]
kind = "rehearsal"
timeout_s = 5.0
settle_delay_s = 0.05
{more}
[[route]]
form = "*"
connector = "office"
{routes}
"""


@dataclass
class Gateway:
    """Shorthands over real tools."""

    tools: Tools

    @property
    def office(self) -> RehearsalConnector:
        """The first tenant's office: tell it to misbehave, count what it got."""
        return cast(RehearsalConnector, self.tools.offices.get(TERYT, "office").connector)

    def receive(self, document: bytes | Envelope | None = None, **changes: Any) -> Submission:
        """Push one document; the submission it became."""
        envelope = document if isinstance(document, Envelope) else an_envelope(document, **changes)
        self.answer(envelope)
        with self.tools.store.begin() as transaction:
            found = submissions.by_identity(transaction, envelope.mailbox, envelope.digest)
        assert found is not None
        return found

    def answer(self, envelope: Envelope) -> Answer:
        """What ePUAP is told."""
        return flow.accept(envelope, self.tools)

    def work_until_quiet(self, soon_s: float = 10.0) -> None:
        """Work in this thread, in the order of the queue, until nothing is due within `soon_s`."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            sweep.tick(self.tools)
            while self.work_one():
                pass
            if not self._pending(soon_s):
                return
            time.sleep(0.02)
        raise AssertionError("work did not come to rest")

    def work_one(self) -> bool:
        """Take one wake-up and do it; False if there is none."""
        with self.tools.store.begin() as transaction:
            job = jobs.take_one(transaction)
        if job is None:
            return False
        flow.STEPS[job[0]](job[1], self.tools)
        return True

    def load(self, submission: Submission) -> Submission:
        """As it stands now."""
        with self.tools.store.begin() as transaction:
            found = submissions.load(transaction, submission.id)
        assert found is not None
        return found

    def deliveries(self, submission: Submission) -> list[Delivery]:
        """Its deliveries, in the order of connector names."""
        with self.tools.store.begin() as transaction:
            query = select(t.delivery.c.id).where(t.delivery.c.submission_id == submission.id)
            ids = transaction.execute(query.order_by(t.delivery.c.connector)).scalars().all()
            found = [deliveries.load(transaction, one) for one in ids]
        return [one for one in found if one is not None]

    def states(self, submission: Submission) -> list[str]:
        """The states of its deliveries."""
        return [one.state.value for one in self.deliveries(submission)]

    def keys(self, submission: Submission) -> list[str]:
        """The business keys of its deliveries."""
        return [one.key for one in self.deliveries(submission)]

    def attempts(self, submission: Submission) -> list[Attempt]:
        """Every attempt at its only delivery."""
        (only,) = self.deliveries(submission)
        with self.tools.store.begin() as transaction:
            return deliveries.attempts_of(transaction, only.id)

    def outcomes(self, submission: Submission) -> list[str | None]:
        """How each attempt at its only delivery ended."""
        return [attempt.outcome for attempt in self.attempts(submission)]

    def words(self, submission: Submission) -> list[str]:
        """Its timeline, as event words."""
        with self.tools.store.begin() as transaction:
            query = select(t.event.c.word).where(t.event.c.submission_id == submission.id).order_by(t.event.c.number)
            return list(transaction.execute(query).scalars())

    def with_tools(self, **changes: Any) -> Gateway:
        """The same gateway with some tools exchanged."""
        return Gateway(replace(self.tools, **changes))

    def _pending(self, soon_s: float) -> bool:
        with self.tools.store.begin() as transaction:
            return bool(
                transaction.execute(
                    text(
                        "SELECT EXISTS (SELECT 1 FROM procrastinate_jobs WHERE status = 'todo') OR EXISTS"
                        " (SELECT 1 FROM delivery WHERE state IN ('due','waiting','unsettled')"
                        " AND due_at < now() + make_interval(secs => :s))"
                        " OR EXISTS (SELECT 1 FROM message WHERE due_at < now() + make_interval(secs => :s))"
                        " OR EXISTS (SELECT 1 FROM remote_file WHERE due_at < now() + make_interval(secs => :s))"
                        " OR EXISTS (SELECT 1 FROM answer WHERE due_at < now() + make_interval(secs => :s))"
                    ),
                    {"s": soon_s},
                ).scalar()
            )


def write_config(folder: Path, *, gateway: str = GATEWAY_TOML, more: str = "", routes: str = "") -> Config:
    """A configuration folder with a PKI and two gminas."""
    os.environ.setdefault("BRAMA_TEST_SEAL_PASSWORD", UPO_PASSWORD)
    pki().save(folder / "pki")
    (folder / "gateway.toml").write_text(gateway, "utf-8")
    (folder / "tenants").mkdir(exist_ok=True)
    for teryt, boxes in ((TERYT, (MAILBOX, SECOND_MAILBOX)), (OTHER_TERYT, (OTHER_MAILBOX,))):
        mailboxes = ", ".join(f'"{box}"' for box in boxes)
        content = TENANT_TOML.format(teryt=teryt, mailboxes=mailboxes, more=more, routes=routes)
        (folder / "tenants" / f"{teryt}.toml").write_text(content, "utf-8")
    return load_config(folder)


def a_gateway(store: Store, folder: Path, **config: str) -> Gateway:
    """A gateway on `store`, configured in `folder`; with the usual configuration its forms are compiled only once."""
    if config:
        return Gateway(make_tools(write_config(folder, **config), store))
    shared = _shared_tools()
    return Gateway(replace(shared, store=store, offices=ConfiguredOffices(shared.config)))


@cache
def _shared_tools() -> Tools:
    folder = Path(tempfile.mkdtemp(prefix="brama-config-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return make_tools(write_config(folder), cast(Store, None))
