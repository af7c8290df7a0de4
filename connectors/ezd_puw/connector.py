"""EZD PUW: register the letter, add its documents, open a case; every step can be asked about.

| step     | call             | asked by                                             |
|----------|------------------|------------------------------------------------------|
| register | RejestrujWplyw   | WyszukajWplyw with our key                           |
| upload   | DodajZalacznik   | not: contents that nothing refers to do no harm      |
| attach   | RejestrujDokument| KoszulkaListaDokumentow, by the document's name      |
| open     | RejestrujSprawe  | PobierzSprawe of the letter's folder (koszulka)      |
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from connectors.base import Capabilities, LookUpFailed, Options, QueryAnswer
from connectors.chain import NOBODYS_KEY, Chain, LookUp, Reading, Rule, Step
from connectors.clock import now
from connectors.ezd_puw.options import EzdPuwOptions, OpenCase, Token
from connectors.outcomes import as_error
from connectors.queries import QueryCache
from connectors.soap import Service, SoapOptions
from schemas.delivery import CaseRecord, Outcome, Repeat, Steps, StepStopped
from schemas.errors import ConnectorError

_OK = (Rule(path="ResultStatus", equals="1"),)
_LETTER_NUMBERS = {"number": "ZnakWplywu", "folder": "IdKoszulki"}


class EzdPuwConnector:
    """Deliver to EZD PUW over its public SOAP contract."""

    options_model: ClassVar[type[Options]] = EzdPuwOptions
    capabilities = Capabilities(
        repeat=Repeat.FINDABLE,
        look_up=True,
        attachments=True,
        queries=frozenset({"case_status"}),
        max_calls=40,
        step_calls=1,
    )

    def __init__(self, options: EzdPuwOptions) -> None:
        self._answers = QueryCache(options.query_cache_s)
        headers = (lambda: token_headers(options.token, now())) if options.token else None
        self.service = Service(soap_options(options), headers=headers)
        self.chain = Chain(steps_of(options), Reading(success=_OK, message="ResultMessage"), self.service, "{steps.register.number}")  # fmt: skip  # noqa: E501

    def check(self) -> None:
        """The contract has our operations, and the office answers a question about a letter that does not exist."""
        self.service.check([call for step in self.chain.steps for call in (step, step.find) if call])
        try:
            found = self.find(NOBODYS_KEY)
        except LookUpFailed as error:
            raise as_error(error.__cause__) if isinstance(error.__cause__, StepStopped) else error from error
        if found is not None:
            raise ConnectorError("connector.look_up_untrue", reference=found)

    def find(self, key: str) -> str | None:
        """The letter's registry number (RPW), when everything is there; see Chain.find."""
        return self.chain.find(key)

    def deliver(self, record: CaseRecord, key: str, steps: Steps) -> Outcome:
        """Register, add, open."""
        return self.chain.deliver(record, key, steps)

    def query(self, name: str, **parameters: Any) -> QueryAnswer:
        """`case_status` with `case_number`: one row of in_progress, finished, suspended (each true or false)."""
        if name != "case_status":
            raise LookUpFailed(reason=f"no query {name}")
        return self._answers.get(name, parameters, lambda: self._status(name, parameters))

    def _status(self, name: str, parameters: dict[str, Any]) -> QueryAnswer:
        asked = now()
        row = self.chain.ask(_STATUS, {"parameters": parameters})
        return QueryAnswer(name, asked, () if row is None else (row,))


_STATUS = LookUp(
    operation="StanSprawy",
    arguments={"ZnakSprawy": "{parameters.case_number}"},
    found=(*_OK, Rule(path="ZnakSprawy")),
    not_found=(Rule(path="ResultStatus", equals="0"),),
    results={
        "case_number": "ZnakSprawy",
        "in_progress": "WRealizacji?",
        "finished": "Zakonczona?",
        "suspended": "Zawieszona?",
    },
)


def soap_options(options: EzdPuwOptions) -> SoapOptions:
    """The same settings for the SOAP service underneath, with our contract unless the office gave its own."""
    ours = str(resources.files("connectors.ezd_puw") / "contract.wsdl")
    shared = {name: getattr(options, name) for name in SoapOptions.model_fields if name in EzdPuwOptions.model_fields}
    given = {**shared, "wsdl": options.wsdl or ours, "reading": Reading(success=_OK), "step": steps_of(options)}
    return SoapOptions.model_validate(given)


def steps_of(options: EzdPuwOptions) -> tuple[Step, ...]:
    """The delivery as a chain of calls."""
    who = {"IdPracownikaWlasciciela": options.owner_id, "IdStanowiskaWlasciciela": options.position_id}
    steps = [_register(options, who), _upload(who), _attach(options, who)]
    if options.open_case:
        steps.append(_open(options.open_case, who))
    return tuple(steps)


def _register(options: EzdPuwOptions, who: Mapping[str, Any]) -> Step:
    find = LookUp(
        operation="WyszukajWplyw",
        arguments={**who, options.look_up_field: "{key}"},
        found=(*_OK, Rule(path="ZnakWplywu")),
        results=_LETTER_NUMBERS,
    )
    arguments = {**who, **options.letter, options.key_field: "{key}"}
    return Step(name="register", operation="RejestrujWplyw", arguments=arguments, results=_LETTER_NUMBERS, find=find)


def _upload(who: Mapping[str, Any]) -> Step:
    arguments = {**who, "Nazwa": "{file.name}", "Dane": "{file.content}"}
    return Step(name="upload", operation="DodajZalacznik", arguments=arguments, for_each="file",
                results={"content": "ContentId"}, repeatable=True)  # fmt: skip


def _attach(options: EzdPuwOptions, who: Mapping[str, Any]) -> Step:
    title = options.document_title
    place = {
        "IdentyfikatorKontenera": options.container,
        "IdentyfikatorZawartosci": "{file.upload.content}",
        "NazwaZawartosci": "{file.name}",
        "IdZalacznika": "{file.upload.content}",
    }
    document = {"Nazwa": title, "Tytul": title, "Lokalizacja": place, "MetaBrakDaty": True, "MetaBrakZnaku": True}
    find = LookUp(
        operation="KoszulkaListaDokumentow",
        arguments={**who, "IdKoszulki": "{steps.register.folder}"},
        found=(*_OK, Rule(path="DokumentDto/Nazwa", includes=title)),
        not_found=_OK,
    )
    arguments = {**who, "Dokument": document, "Koszulka": {"IdKoszulki": "{steps.register.folder}"}}
    return Step(name="attach", operation="RejestrujDokument", arguments=arguments, for_each="file",
                results={"document": "IdDokumentu"}, find=find)  # fmt: skip


def _open(case: OpenCase, who: Mapping[str, Any]) -> Step:
    arguments = {
        **who,
        "IdKoszulki": "{steps.register.folder}",
        "TeczkaSymbol": case.folder_symbol,
        "KategoriaArchiwalna": case.archive_category,
        "Rok": case.year,
        "TypProwadzenia": case.conducted,
    }
    find = LookUp(
        operation="PobierzSprawe",
        arguments={**who, "IdKoszulki": "{steps.register.folder}"},
        found=(*_OK, Rule(path="Sprawa/ZnakSprawy")),
        not_found=_OK,
        results={"case_number": "Sprawa/ZnakSprawy"},
    )
    return Step(name="open", operation="RejestrujSprawe", arguments=arguments,
                results={"case_number": "ZnakSprawy?"}, find=find)  # fmt: skip


def token_headers(token: Token | None, at: datetime) -> dict[str, str]:
    """`authParam` and `authToken` = SHA-256 of authParam + token + yyyyMMddhh, the server's local hour on 12 hours."""
    if token is None:
        return {}
    hour = at.astimezone(ZoneInfo(token.timezone)).strftime("%Y%m%d%I")
    text = f"{token.auth_param}{token.application_token.get_secret_value()}{hour}"
    return {"authParam": token.auth_param, "authToken": hashlib.sha256(text.encode()).hexdigest()}
