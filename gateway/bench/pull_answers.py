"""The questions among the documents of the pull run: a ledger to ask, answers to letters, and the books of both.

Every tenth document asks for the state of the citizen's account. Its answer is drafted, sealed and put into the
citizen's box through ePUAP (nadaj) without a hand touching it, and ePUAP's receipt for it must be believed.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import create_engine, make_url

from gateway import resources
from gateway.clock import WARSAW
from gateway.simulate.ledger import Ledger, queries, year_of_dues
from gateway.simulate.offices.client import Office
from gateway.simulate.people import Person, nrb

GATEWAY = """\
skrytka_url = "{epuap}/pk_external_ws/services/skrytka"
stores_url = "{epuap}/fe_external_ws/services/ZarzadzanieDokumentami"
sent_store = "complete"
"""
TENANT = """\
[answers]
services = ["settlement_query"]
office = "urzad/office.toml"
ledgers = ["tax"]
kind = "nadaj"
[connector.tax]
kind = "sql"
url = "file:ledger-url"
table = "przekazania"
repeat = "safe"
[connector.tax.queries]
dues = '''
{select}
'''
"""


@dataclass(frozen=True, slots=True)
class Answers:
    """Of the questions among the documents."""

    asked: int
    in_boxes: int  # letters in the boxes of those who asked
    receipted: int  # whose receipt came, and is believed
    too_many: int  # letters beyond the first in a box, or in a box nobody asked from

    @property
    def balanced(self) -> bool:
        """Each has one answer in the box it asked from, and we can prove it."""
        return self.asked == self.in_boxes == self.receipted and self.too_many == 0


def asks(number: int) -> bool:
    """Whether the document of this number is a question."""
    return number % 10 == 5


def box_of(number: int) -> str:
    """The citizen's, for the answer; nobody has two."""
    return f"/mieszkaniec{number}/domyslna"


def tenant() -> str:
    """What a gmina's file says of answering."""
    return TENANT.format(select=queries()["dues"])


def open_ledger(folder: Path, database: str, citizens: Sequence[Person]) -> None:
    """A database beside ours in which every citizen owes something, the office's card, and who may seal receipts."""
    own = make_url(database).set(drivername="postgresql+psycopg")
    engine = create_engine(own, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE ledger")
    engine.dispose()
    url = own.set(database="ledger").render_as_string(hide_password=False)
    ledger, today = Ledger(url), datetime.now(WARSAW).date()
    ledger.create()
    known = {citizen.pesel for citizen in citizens}
    ledger.book(due for pesel in known for due in year_of_dues(pesel, today, account=nrb(1), late=True))
    (folder / "ledger-url").write_text(url, "utf-8")
    (folder / "urzad").mkdir()
    shutil.copy(resources.folder("templates") / "answers" / "office.example.toml", folder / "urzad" / "office.toml")


def believe(trust: Path, epuap: Office) -> None:
    """The simulated ePUAP's receipts settle what was sent."""
    with trust.open("a", encoding="utf-8") as file:
        file.write(f'\n[[seal]]\ncertificate = "{epuap.state / "upp-seal.pem"}"\n')


def answers(epuap: Office, boxes: Collection[str], receipted: int) -> Answers:
    """What ePUAP has brought to the boxes of those who asked, by its own book."""
    with (epuap.state / "effects.jsonl").open(encoding="utf-8") as lines:
        letters = Counter(effect["to"] for effect in map(json.loads, lines) if effect["what"] == "sent")
    reached = len(letters.keys() & set(boxes))
    return Answers(len(boxes), reached, receipted, letters.total() - reached)
