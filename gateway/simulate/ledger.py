"""A simulated tax ledger (księgowość podatkowa): a table of dues and the SELECT that answers the `dues` query.

Made for the demo and for tests, on PostgreSQL. `QUERIES` goes into the sql connector's options as it stands; interest
grows by the day as a real ledger's would, with an invented yearly rate. Amounts are numeric, never floating.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

_DDL = """
CREATE TABLE IF NOT EXISTS brama_due (
    entry_no    varchar(40) NOT NULL PRIMARY KEY,
    ledger      varchar(40) NOT NULL,
    party       varchar(11) NOT NULL,
    kind        varchar(40) NOT NULL,
    tax_year    integer,
    instalment  integer,
    due_on      date NOT NULL,
    deferred_to date,
    amount      numeric(15, 2) NOT NULL,
    paid        numeric(15, 2) DEFAULT 0 NOT NULL,
    unposted    numeric(15, 2) DEFAULT 0 NOT NULL,
    costs       numeric(15, 2) DEFAULT 0 NOT NULL,
    account     char(26),
    title       varchar(140)
)
"""

# Interest: a made-up 14 % a year, full złoty, and none below 8,70 zł as the law has it for small sums.
QUERIES = {
    "dues": """
SELECT entry_no AS id, ledger, kind, tax_year AS year, instalment, due_on, deferred_to, amount, paid, unposted, costs,
       account, title, CASE WHEN late.interest >= 8.70 THEN late.interest ELSE 0 END AS interest
FROM brama_due, LATERAL (
    SELECT round(greatest(amount - paid, 0) * 0.14
                 * greatest(CAST(CAST(:as_of AS timestamptz) AT TIME ZONE 'Europe/Warsaw' AS date)
                            - coalesce(deferred_to, due_on), 0) / 365) AS interest) AS late
WHERE party = :party AND ledger = '{ledger}'
ORDER BY due_on, entry_no
""".strip()
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One due as the ledger books it; złoty and grosze. `party` is a PESEL or a NIP."""

    entry_no: str
    party: str
    kind: str
    due_on: date
    amount: Decimal
    ledger: str = "tax"
    tax_year: int | None = None
    instalment: int | None = None
    deferred_to: date | None = None
    paid: Decimal = Decimal(0)
    unposted: Decimal = Decimal(0)
    costs: Decimal = Decimal(0)
    account: str | None = None
    title: str | None = None


class Ledger:
    """The ledger's own side: books, takes payments, posts them. `url` is SQLAlchemy's, with a driver."""

    def __init__(self, url: str) -> None:
        self.url = url

    def create(self) -> None:
        """Make the table where it is not there yet."""
        self._run(_DDL)

    def book(self, entries: Iterable[Entry]) -> None:
        """Add dues."""
        rows = [asdict(entry) for entry in entries]
        if rows:
            names = ", ".join(rows[0])
            self._run(f"INSERT INTO brama_due ({names}) VALUES ({', '.join(f':{name}' for name in rows[0])})", rows)  # noqa: S608

    def take(self, entry_no: str, amount: Decimal) -> None:
        """Money has come in for a due and waits to be posted."""
        statement = "UPDATE brama_due SET unposted = unposted + :amount WHERE entry_no = :entry_no"
        self._run(statement, {"entry_no": entry_no, "amount": amount})

    def post(self) -> None:
        """Post everything that came in."""
        self._run("UPDATE brama_due SET paid = paid + unposted, unposted = 0")

    def empty(self) -> None:
        """Forget every due."""
        self._run("DELETE FROM brama_due")

    def _run(self, statement: str, values: Any = None) -> None:
        engine = sa.create_engine(self.url)
        try:
            with engine.begin() as connection:
                connection.execute(sa.text(statement), values)
        finally:
            engine.dispose()


def queries(ledger: str = "tax") -> dict[str, str]:
    """The sql connector's option `queries` for one of the ledgers in the table."""
    return {name: select.format(ledger=ledger) for name, select in QUERIES.items()}


def year_of_dues(party: str, today: date, *, account: str, late: bool, prefix: str = "") -> list[Entry]:
    """A citizen's property tax of this year in four instalments and this month's waste fee.

    What was due before `today` is paid, except, where `late`, the last such instalment (with one reminder's costs).
    """
    terms = [date(today.year, month, 15) for month in (3, 5, 9, 11)]
    passed = [term for term in terms if term < today]
    unpaid = passed[-1] if late and passed else None
    entries = []
    for number, term in enumerate(terms, start=1):
        paid = Decimal("103.00") if term in passed and term != unpaid else Decimal(0)
        costs = Decimal("16.00") if term == unpaid else Decimal(0)
        entries.append(
            Entry(f"{prefix}{party}/{today.year}/{number}", party, "property_tax", term, Decimal("103.00"), paid=paid,
                  tax_year=today.year, instalment=number, costs=costs, account=account)
        )  # fmt: skip
    waste = Entry(f"{prefix}{party}/w/{today:%Y-%m}", party, "waste_fee", date(today.year, 12, 31), Decimal("96.00"),
                  ledger="waste", tax_year=today.year, instalment=today.month, account=account)  # fmt: skip
    return [*entries, waste]
