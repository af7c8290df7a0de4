"""A flat shape as a dict; `dataclasses.asdict` copies deeply, which costs as much as storing the whole document."""

from __future__ import annotations

from typing import Any


def shallow(shape: Any) -> dict[str, Any]:
    """The fields of a dataclass with slots, by name, in order; their values are not copied: do not change them."""
    return {name: getattr(shape, name) for name in shape.__slots__}
