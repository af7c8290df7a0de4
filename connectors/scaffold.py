"""A new connector package that passes the contract from the first minute."""

from __future__ import annotations

import keyword
import re
from importlib import resources
from pathlib import Path
from string import Template

from connectors import registry
from schemas.errors import ConnectorError

_FILES = {
    "pyproject_toml.txt": "pyproject.toml",
    "readme_md.txt": "README.md",
    "init_py.txt": "brama_connector_{name}/__init__.py",
    "connector_py.txt": "brama_connector_{name}/connector.py",
    "test_contract_py.txt": "tests/test_contract.py",
}


def new_connector(name: str, into: Path) -> list[Path]:
    """Write the package `brama-connector-<name>` below `into`.

    Args:    name: lower-case letters, digits and underscores, beginning with a letter.
    Returns: the files written.
    Raises:  ConnectorError: `connector.name_unusable`, `connector.name_taken`, `connector.folder_exists`.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,40}", name) or keyword.iskeyword(name):
        raise ConnectorError("connector.name_unusable", name=name)
    if name in registry.names():
        raise ConnectorError("connector.name_taken", name=name)
    folder = into / f"brama-connector-{name}"
    if folder.exists():
        raise ConnectorError("connector.folder_exists", folder=str(folder))
    return [_write(source, folder / target.format(name=name), name) for source, target in _FILES.items()]


def _write(source: str, target: Path, name: str) -> Path:
    template = Template((resources.files("connectors.template") / source).read_text("utf-8"))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(template.substitute(name=name, Name=_class_name(name)), "utf-8")
    return target


def _class_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
