"""`brama migrate`: bring the database to this program's schema; in production nobody else does."""

from __future__ import annotations

from gateway.cli.documents import AsJson
from gateway.cli.output import out, say, show_json
from gateway.cli.service import Folder


def migrate(config: Folder, json_: AsJson = False) -> None:
    """Doprowadź bazę danych do schematu tej wersji; bez szkody, gdy już go ma."""
    from gateway import app
    from gateway import config as settings
    from gateway.store import schema

    with app.open_store(settings.load(config)) as store:
        schema.migrate(store.engine)
        schema.check_schema(store.engine)
    if json_:
        show_json({"migrated": True})
    else:
        out.print(say("Baza danych ma schemat tej wersji.", "The database has the schema of this version."))
