"""Writes the tables of docs/forms.md from `forms check` and the catalogue: `python docs/make_forms.py`."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from gateway import forms_admin  # noqa: E402  # after the path: the script also runs uninstalled
from gateway.forms import Forms  # noqa: E402
from gateway.mapper import Mappings  # noqa: E402

START, END = "<!-- tables -->\n", "<!-- end of tables -->\n"
_EVIDENCE = {
    "documented": "documented", "sister_project": "reconstructed (sister project)",
    "other_catalogue": "reconstructed (other gminas' services)", "reconstructed": "reconstructed",
}  # fmt: skip


def page(written: str) -> str:
    """The page with its tables made anew; everything outside the marks stays."""
    before, _, rest = written.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}{_tables()}{END}{after}"


def _tables() -> str:
    forms, mappings = Forms.load(), Mappings.load()
    parts = ["\n## The 27 services\n", _services(forms, mappings), "\n## The forms\n", _forms(forms, mappings), ""]
    return "\n".join(parts) + "\n"


def _services(forms: Forms, mappings: Mappings) -> str:
    lines = [
        "| | service | how we know | forms | schema | recognised | validated | checked | mapped | rendered | answer |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    notes = [""]
    for row in forms_admin.service_rows(forms, mappings):
        service = row.service
        works = (row.recognised, row.validated, row.checked, row.mapped, row.rendered)
        marks = " | ".join("yes" if work else "**no**" for work in works)
        codes = ", ".join(f"`{code}`" for code in service.forms)
        lines.append(
            f"| {service.id} | {service.name_pl} | {_EVIDENCE[service.evidence]} | {codes} | {row.schema} | {marks} | "
            f"{service.answer}{' *' if service.note_en else ''} |"
        )
        if service.note_en:
            notes.append(f"\\* {service.id}: {service.note_en}")
    return "\n".join([*lines, *notes])


def _forms(forms: Forms, mappings: Mappings) -> str:
    lines = ["| code | version | namespace | schema | problems |", "|---|---|---|---|---|"]
    for result in forms_admin.check(forms, mappings):
        form = forms.get(result.namespace)
        assert form is not None
        schema = result.status if form.file is not None else "none"
        lines.append(
            f"| `{result.code}` | {result.version} | `{result.namespace}` | {schema} | "
            f"{', '.join(result.problems) or '—'} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    file = HERE / "forms.md"
    file.write_text(page(file.read_text("utf-8")), "utf-8")
