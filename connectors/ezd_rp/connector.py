"""EZD RP: put the document into circulation, number it in the registry of letters (RPW), open a case, add files.

The API promises no idempotency key, and which field a search finds our key by must be tried on the office's instance.
Until `look_up_field` says so, every doubt waits for a person.
"""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from typing import Any, ClassVar

from connectors.base import Capabilities, LookUpFailed, Options
from connectors.chain import NOBODYS_KEY, Call, Chain, LookUp, Reading, Rule
from connectors.clock import now
from connectors.ezd_rp.options import API, ApiKey, EzdRpOptions
from connectors.http import Http
from connectors.json_service import OK, JsonService, JsonServiceOptions
from connectors.oauth import Tokens
from connectors.outcomes import as_error, outcome
from connectors.rest import RestStep
from connectors.soap import calls_of
from connectors.values import ValuesMissing, fill, scope_of
from schemas.delivery import CaseRecord, Outcome, Repeat, Steps, StepStopped
from schemas.errors import ConnectorError
from schemas.rules import FieldRule, violations

_LONGEST_TITLE = 500
_NUMBERS = {"number": "numer", "year": "rok"}


class EzdRpConnector:
    """Deliver to EZD RP over its Integrator API v2."""

    options_model: ClassVar[type[Options]] = EzdRpOptions

    def __init__(self, options: EzdRpOptions) -> None:
        self.options = options
        steps = options.step or steps_of(options)
        http = Http(options)
        key = options.api_key
        self.tokens = Tokens(http, key.token_url, lambda: credentials(key, now()))
        shared = {
            name: getattr(options, name)
            for name in JsonServiceOptions.model_fields
            if name in type(options).model_fields
        }
        service = JsonServiceOptions.model_validate({**shared, "idempotency_header": None})
        self.service = JsonService(service, http, self.tokens, lambda: {"SID": options.position_id})
        reading = Reading(success=OK, message="detail")
        self.chain = Chain(steps, reading, self.service, "{steps.number.number}/{steps.number.year}")
        findable = self.chain.repeat is Repeat.FINDABLE
        self.capabilities = Capabilities(
            repeat=self.chain.repeat, look_up=findable, attachments=True, max_calls=calls_of(steps) + 1, step_calls=1
        )

    def check(self) -> None:
        """Get a token, and search the registry for a letter that does not exist."""
        search = Call(operation=f"POST {API}/rpw/_search", arguments={"strona": 1, "rozmiarStrony": 1})
        try:
            self.service(search, {})
        except StepStopped as stop:
            raise as_error(stop) from stop
        asking = next((step.find for step in self.chain.steps if step.name == "number" and step.find), None)
        if asking is not None and self.chain.ask(asking, {"key": NOBODYS_KEY, "steps": {}}) is not None:
            raise ConnectorError("connector.look_up_untrue", reference=NOBODYS_KEY)

    def find(self, key: str) -> str | None:
        """The registry number and year, when everything is there. Raises: LookUpFailed."""
        if not self.capabilities.look_up:
            raise LookUpFailed(reason="this EZD RP cannot be asked")
        return self.chain.find(key)

    def deliver(self, record: CaseRecord, key: str, steps: Steps) -> Outcome:
        """Check the title, then make the calls that were not made yet."""
        try:
            title = fill(self.options.title, scope_of(record, key, steps.message_id))
        except ValuesMissing as error:
            return outcome("record.incomplete", ", ".join(error.names))
        broken = violations({"title": title}, {"title": FieldRule(required=True, max_length=_LONGEST_TITLE)})
        if broken:
            return outcome("record.violations", "; ".join(map(str, broken)))
        return self.chain.deliver(record, key, steps)


def steps_of(options: EzdRpOptions) -> tuple[RestStep, ...]:
    """The delivery as a chain of calls."""
    register = RestStep(
        name="register",
        operation=f"POST {API}/obiegi",
        for_each="document",
        multipart="pliki",
        arguments={"tytul": options.title},
        results={"circulation": "idObieg", "document": "idDokumentPrzestrzeni"},
    )
    number = RestStep(
        name="number",
        operation=f"POST {API}/dokumenty/{{steps.register.document}}/rpw",
        arguments={**options.letter, options.key_field: "{key}"},
        results=_NUMBERS,
        find=_search(options.look_up_field, options.look_up_echo or options.key_field)
        if options.look_up_field
        else None,
    )
    return (register, number, *_case_steps(options))


def _search(field: str, echo: str) -> LookUp:
    """What was found must say our key: a search that ignores `field` finds anybody's letter, and ours is lost."""
    return LookUp(
        operation=f"POST {API}/rpw/_search",
        arguments={field: "{key}", "strona": 1, "rozmiarStrony": 2},
        found=(Rule(path=f"elementy/0/{echo}", includes="{key}"),),
        not_found=(*OK, Rule(path="elementy/numer", absent=True)),
        results={"number": "elementy/0/numer", "year": "elementy/0/rok"},
    )


def _case_steps(options: EzdRpOptions) -> tuple[RestStep, ...]:
    case = options.open_case
    if case is None:
        return ()
    arguments = {
        "tytul": options.title,
        "idWykaz": case.list_id,
        "kategoriaArchiwalna": case.archive_category,
        "rok": case.year,
        "idObieg": "{steps.register.circulation}",
    }
    results = {"case": "idSprawa", "case_number": "znakSprawy?"}
    opened = RestStep(name="open", operation=f"POST {API}/sprawy", arguments=arguments, results=results)
    attach = RestStep(
        name="attach",
        operation=f"POST {API}/sprawy/{{steps.open.case}}/dokumenty",
        for_each="attachment",
        multipart="files",
    )
    return (opened, attach)


def credentials(key: ApiKey, at: datetime) -> dict[str, Any]:
    """The form of the grant `api_credentials`; the key itself is never sent, only its digest with the time."""
    sent = at.strftime(key.time_format)
    return {
        "grant_type": "api_credentials",
        "client_id": "api_" + _base64_of_digest(key.host),
        "pid": key.entity_id,
        "aki": key.key_id,
        "rt": sent,
        "akh": _base64_of_digest(sent + key.key.get_secret_value()),
    }


def _base64_of_digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
