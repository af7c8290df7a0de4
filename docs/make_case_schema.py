"""Writes the published shapes of a case while its version is not released yet: `python docs/make_case_schema.py`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from schemas.case import json_schema, openapi  # noqa: E402  # after the path: the script also runs uninstalled

PUBLISHED = HERE.parent / "schemas" / "published"

if __name__ == "__main__":
    for name, shape in (("schema", json_schema()), ("openapi", openapi())):
        written = json.dumps(shape, ensure_ascii=False, indent=1) + "\n"
        (PUBLISHED / f"case-1.{name}.json").write_text(written, "utf-8")
