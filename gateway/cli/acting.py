"""What commands have in common by which a person acts on one stored thing: open the store, find it, act, tell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.cli.chosen import meant, opened_store
from gateway.cli.shown import told

if TYPE_CHECKING:
    from gateway.operations.find import Kind


def act(
    operation: Callable[..., Any], config: Path, kind: Kind, given: str, actor: str, reason: str, json_: bool
) -> None:
    """Args: operation: of `gateway.operations`, called with the store, the id, `actor` and `reason`.
    given: a whole id of this kind, or how one begins.
    """
    with opened_store(config) as store:
        told(operation(store, meant(store, kind, given), actor=actor, reason=reason), json_)
