"""The 27 e-services of the thirteen gminas as data: which forms, which cases, what goes back, and how we know."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gateway import resources
from schemas.errors import ConfigError

EVIDENCE = ("documented", "sister_project", "other_catalogue", "reconstructed")
ANSWERS = ("receipt", "statement", "certificate", "decision", "payment")


@dataclass(frozen=True, slots=True)
class Service:
    """One e-service. `evidence`: how we know that it is one of the 27; `forms`: catalogue codes.

    answer `payment`: no form of its own; the answer to a settlement query brings payment codes. Nothing is paid here.
    """

    id: str
    name_pl: str
    name_en: str
    online: str
    evidence: str
    forms: tuple[str, ...]
    kinds: tuple[str, ...]
    answer: str
    note_pl: str = ""
    note_en: str = ""

    @property
    def documented(self) -> bool:
        """Named by the project's own announcement; all others are reconstructed."""
        return self.evidence == "documented"


@cache
def services(path: Path | None = None) -> tuple[Service, ...]:
    """All rows of config/services.toml. Raises ConfigError with every problem found."""
    source = path or resources.folder("config") / "services.toml"
    rows = tomllib.loads(source.read_text("utf-8"))["service"]
    problems = [
        f"{source.name}: {row.get('id', '?')}: {name} = {row.get(name)!r}"
        for row in rows
        for name, allowed in (("evidence", EVIDENCE), ("answer", ANSWERS), ("online", ("whole", "part")))
        if row.get(name) not in allowed
    ]
    if problems:
        raise ConfigError(problems)
    return tuple(Service(**{**row, "forms": tuple(row["forms"]), "kinds": tuple(row["kinds"])}) for row in rows)
