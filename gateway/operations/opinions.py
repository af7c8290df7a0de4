"""Second opinions on signatures, for an operator: what Profil Zaufany's service said, and where it differs from us."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gateway.operations.plain import plain
from gateway.store import opinions as rows
from gateway.store.database import Store
from gateway.store.opinions import OpinionRow

MOST = 1000


@dataclass(frozen=True, slots=True)
class OpinionPage:
    """Newest first."""

    items: tuple[OpinionRow, ...]

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"items": [plain(item) for item in self.items]}


def opinions(store: Store, *, differing: bool = False, limit: int = 50) -> OpinionPage:
    """Those that were asked for; `differing`: only those that contradict our verdict."""
    with store.begin() as transaction:
        found = rows.listed(transaction, differing=differing, most=min(limit, MOST))
    return OpinionPage(tuple(found))
