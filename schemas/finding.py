"""What validation found: schema errors and failed checks, each with a code, a place and a text for a clerk."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from schemas.shallow import shallow


class Severity(StrEnum):
    """How much a finding weighs (waga). Only `error` makes a document invalid."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding (ustalenie). `line` is the original file's (1-based, None where it has none).

    `path` names elements by prefix; `message_pl` and `message_en` say the same and hold no value of a person's.
    """

    code: str
    severity: Severity
    line: int | None
    path: str | None
    message_pl: str
    message_en: str

    def to_json(self) -> dict[str, Any]:
        """Flat JSON, severity as its word."""
        return {**shallow(self), "severity": self.severity.value}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Finding:
        """Read back what `to_json` wrote."""
        return cls(**{**stored, "severity": Severity(stored["severity"])})


@dataclass(frozen=True, slots=True)
class FormInfo:
    """A form as the catalogue knows it. `status`: official | reconstructed."""

    namespace: str
    code: str
    version: str
    name_pl: str
    name_en: str
    status: str

    def to_json(self) -> dict[str, str]:
        """As shown by `validate --json`."""
        return shallow(self)


@dataclass(frozen=True, slots=True)
class Validation:
    """The answer of the validate step. `form` is None when no template of this root namespace is known."""

    form: FormInfo | None
    findings: tuple[Finding, ...]

    @property
    def valid(self) -> bool:
        """A known form without errors; warnings do not count."""
        return self.form is not None and not any(item.severity is Severity.ERROR for item in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The contract of `brama validate --json`."""
        return {
            "form": self.form.to_json() if self.form else None,
            "valid": self.valid,
            "findings": [finding.to_json() for finding in self.findings],
        }

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Validation:
        """Read back what `to_json` wrote."""
        form = FormInfo(**stored["form"]) if stored["form"] else None
        return cls(form=form, findings=tuple(Finding.from_json(item) for item in stored["findings"]))
