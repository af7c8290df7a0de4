"""The part of `trust.toml` about trust services: revocation, trusted lists, time-stamps.

Without a `[revocation]` table only pinned authorities count and nothing is asked about revocation; that is for demo
and tests. Paths are relative to the file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.trust.fetch import FetchPolicy
from gateway.trust.verdict import Freshness, PathPolicy
from schemas.errors import ConfigError

TABLES = ("revocation", "lists", "time_stamp")
_T = TypeVar("_T", bound=BaseModel)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RevocationSettings(_Model):
    """`[revocation]`: where CRLs and OCSP answers may come from and how young they must be."""

    hosts: tuple[str, ...] = Field(default=(), description="Hosts that may be asked: name, or name:port. Empty: none.")
    bundle: Path | None = Field(default=None, description="Folder with *.crl, *.ocsp, *.cer carried in by hand.")
    cache: Path | None = Field(default=None, description="Folder for what was fetched; without it memory only.")
    freshness: Freshness = Field(default=Freshness.CURRENT, description="current | after_poe")
    grace_s: float = Field(default=0, ge=0, description="Seconds an authority may take to publish a revocation.")
    timeout_s: float = Field(default=10, gt=0, description="For one whole exchange.")
    max_bytes: int = Field(default=32 * 1024 * 1024, gt=0, description="Of one answer; large authorities' lists.")
    proxy: str = Field(default="", description="http://host:port; proxies of the environment are not used.")


class ListSettings(_Model):
    """`[lists]`: imported trusted lists and whose signatures they may have."""

    store: Path = Field(default=Path("trust-lists.json"), description="Written by the import, read at start.")
    signers: tuple[Path, ...] = Field(default=(), description="PEM: signers of the national list.")
    union_signers: tuple[Path, ...] = Field(default=(), description="PEM: signers of the EU's list of lists.")


class TimeStampSettings(_Model):
    """`[time_stamp]`: authorities asked in turn, and whom to believe."""

    urls: tuple[str, ...] = Field(default=(), description="Addresses of RFC 3161 authorities.")
    anchors: tuple[Path, ...] = Field(default=(), description="PEM; besides those of imported lists.")
    required: bool = Field(default=False, description="true: no receipt without a time-stamp.")


class TrustSettings(_Model):
    """All three; `folder` is where relative paths start."""

    folder: Path
    revocation: RevocationSettings | None = None
    lists: ListSettings = ListSettings()
    time_stamp: TimeStampSettings = TimeStampSettings()

    def path(self, relative: Path) -> Path:
        """A path from the file."""
        return relative if relative.is_absolute() else self.folder / relative

    @property
    def fetch(self) -> FetchPolicy:
        """Limits of fetching revocation data."""
        given = self.revocation or RevocationSettings()
        return FetchPolicy(
            hosts=frozenset(host.lower() for host in given.hosts),
            timeout_s=given.timeout_s,
            max_bytes=given.max_bytes,
            proxy=given.proxy,
        )

    @property
    def policy(self) -> PathPolicy:
        """Rules of judging."""
        given = self.revocation or RevocationSettings()
        grace = timedelta(seconds=given.grace_s)
        return PathPolicy(revocation=self.revocation is not None, freshness=given.freshness, grace=grace)

    def certificates(self, files: tuple[Path, ...]) -> tuple[x509.Certificate, ...]:
        """The certificates in PEM files. Raises ConfigError naming every file that cannot be read."""
        found: list[x509.Certificate] = []
        problems = []
        for file in files:
            try:
                found += x509.load_pem_x509_certificates(self.path(file).read_bytes())
            except (OSError, ValueError) as error:
                problems.append(f"{file}: {error}")
        if problems:
            raise ConfigError(problems)
        return tuple(found)


def load_settings(path: Path) -> TrustSettings:
    """Read the tables of trust services from `trust.toml`; other tables are left to their readers.

    Raises: ConfigError: with every problem in them.
    """
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError([f"{path.name}: {error}"]) from error
    given = {name: raw[name] for name in TABLES if name in raw}
    return _checked(path, lambda: TrustSettings(folder=path.parent, **given))


def _checked(path: Path, build: Callable[[], _T]) -> _T:
    try:
        return build()
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        where = (".".join(str(part) for part in item["loc"]) for item in problems)
        said = [f"{path.name}: {place}: {item['msg']}" for place, item in zip(where, problems, strict=True)]
        raise ConfigError(said) from error
