"""Reference material of others, which is not part of this project: used in addition where it lies beside the clone."""

from __future__ import annotations

import os
from pathlib import Path

_BESIDE = Path(__file__).resolve().parents[2] / "shared" / "reference"
FOLDER = Path(os.environ.get("BRAMA_REFERENCE", _BESIDE))


def files(pattern: str) -> list[Path]:
    """Files under the reference folder that match; none when it is not there."""
    return sorted(FOLDER.glob(pattern)) if FOLDER.is_dir() else []
