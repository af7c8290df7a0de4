"""From what ledgers answered to one party's dues: rows read strictly, ledgers merged, silence named.

A ledger that could not be asked, or whose answer cannot be read, never becomes "nothing owed": it stays in the sources
with a code, and `Dues.complete` is false.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import structlog
from pydantic import ValidationError

from connectors.base import LookUpFailed, QueryAnswer, Querying
from gateway.calendar import working_day
from gateway.clock import WARSAW
from schemas.answers import ZERO, Arrears, DueItem, Dues, Source

QUERY = "dues"
NOT_REACHED = "answers.ledger_not_reached"
ROW_UNREADABLE = "answers.ledger_row_unreadable"
DISAGREE = "answers.ledgers_disagree"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LedgerAnswer:
    """One ledger's part: the source as it will be shown, and its items (none where it did not answer)."""

    source: Source
    items: tuple[DueItem, ...] = ()


def ask(ledgers: Mapping[str, Querying], *, party: str, as_of: datetime) -> list[LedgerAnswer]:
    """Put the `dues` query to every ledger, one after the other; one that fails stays as not having answered.

    Args: ledgers: by the connectors' configured names; party: PESEL or NIP, never logged; as_of: interest up to then.
    """
    return [_asked(name, ledger, party, as_of) for name, ledger in ledgers.items()]


def read(name: str, answer: QueryAnswer) -> LedgerAnswer:
    """The rows of a `dues` query as items; one row that cannot be read spoils the ledger's whole answer.

    So does an `id` that stands for two different entries: merging by it would lose one of them.

    Args: name: the ledger's name in the tenant's configuration; it becomes the items' `ledger` where rows have none.
    """
    source = Source(name=name, asked_at=answer.as_of, cached=answer.cached)
    spoiled = LedgerAnswer(source.model_copy(update={"code": ROW_UNREADABLE}))
    try:
        items = tuple(_item(name, row) for row in answer.rows)
    except ValidationError:
        return spoiled
    return LedgerAnswer(source, items) if _ids_hold(items) else spoiled


def unanswered(name: str, code: str = NOT_REACHED) -> LedgerAnswer:
    """For a ledger that could not be asked."""
    return LedgerAnswer(Source(name=name, code=code))


def merge(party_key: str, answers: Iterable[LedgerAnswer], now: datetime) -> Dues:
    """All ledgers' dues as one list, in order of payment.

    `as_of` is the earliest of the answers' moments (`now` when none answered). The same entry (`ledger`, `id`) from two
    connectors counts once; if they state it differently, the later one counts as not having answered.
    """
    kept: dict[tuple[str, str], DueItem] = {}
    loose: list[DueItem] = []
    sources: list[Source] = []
    for answer in answers:
        known = {(item.ledger, item.id): item for item in answer.items if item.id is not None}
        if any(key in kept and kept[key] != item for key, item in known.items()):
            sources.append(answer.source.model_copy(update={"code": DISAGREE}))
            continue
        sources.append(answer.source)
        kept |= known
        loose += [item for item in answer.items if item.id is None]
    asked = [source.asked_at for source in sources if source.asked_at is not None and source.code is None]
    items = tuple(sorted((*kept.values(), *loose), key=_order))
    return Dues(party_key=party_key, as_of=min(asked, default=now), items=items, sources=tuple(sources))


def arrears_of(dues: Dues, day: date | None = None) -> Arrears:
    """What was not paid in time by the end of the day before `day` (default: the day of `as_of`, Polish calendar).

    Interest or costs left after the due itself was paid are arrears too.
    """
    today = day or dues.as_of.astimezone(WARSAW).date()
    return Arrears(day=today, items=tuple(item for item in dues.items if _late(item, today)))


def select(items: Sequence[DueItem], *, late_on: date) -> tuple[tuple[DueItem, ...], tuple[DueItem, ...]]:
    """(late, still to come) of the items that are not settled; each is in one of the two."""
    open_ = [item for item in items if item.to_pay > ZERO]
    late = tuple(item for item in open_ if _late(item, late_on))
    return late, tuple(item for item in open_ if not _late(item, late_on))


def _asked(name: str, ledger: Querying, party: str, as_of: datetime) -> LedgerAnswer:
    try:
        return read(name, ledger.query(QUERY, party=party, as_of=as_of))
    except LookUpFailed as error:
        log.warning("ledger_not_reached", connector=name, code=error.code)
    except Exception as error:  # noqa: BLE001 - a connector's bug must not pass for "nothing owed"
        log.error("ledger_query_escaped", connector=name, error=type(error).__name__)
    return unanswered(name)


def _ids_hold(items: Iterable[DueItem]) -> bool:
    known: dict[tuple[str, str | None], DueItem] = {}
    return all(known.setdefault((item.ledger, item.id), item) == item for item in items if item.id is not None)


def _late(item: DueItem, today: date) -> bool:
    return item.to_pay > ZERO and working_day(item.payable_on) < today


def _item(ledger: str, row: Mapping[str, Any]) -> DueItem:
    plain = {name.lower(): value.strip() if isinstance(value, str) else value for name, value in row.items()}
    given = {name: value for name, value in plain.items() if value is not None and value != ""}
    return DueItem.model_validate({"ledger": ledger, **given})


def _order(item: DueItem) -> tuple[date, str, int, int, str]:
    return (item.payable_on, item.kind, item.year or 0, item.instalment or 0, item.id or "")
