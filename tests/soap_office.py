"""The soap connector as tests configure it: one step that registers a letter with an EZD-like office."""

from __future__ import annotations

from typing import Any

from connectors.registry import build
from connectors.soap import SoapConnector
from gateway.simulate.offices.client import Office
from gateway.testing.samples import a_record
from gateway.testing.steps import MemorySteps


def options_for(office: Office, **changes: Any) -> dict[str, Any]:
    """One step: register the letter, findable by our key."""
    return {
        "wsdl": f"{office.url}/Integracja.svc?wsdl",
        "user": "brama",
        "password": "zażółć",
        "timeout_s": 30.0,
        "reading": {"success": [{"path": "ResultStatus", "equals": "1"}], "message": "ResultMessage"},
        "step": [
            {
                "name": "register",
                "operation": "RejestrujWplyw",
                "arguments": {
                    "SygnaturaWplywu": "{key}",
                    "Tytul": "{fields.title}",
                    "AdresatNazwisko": "{fields.surname}",
                    "LiczbaZalacznikow": "{fields.year}",
                },
                "results": {"number": "ZnakWplywu", "folder": "IdKoszulki"},
                "find": {
                    "operation": "WyszukajWplyw",
                    "arguments": {"IdDokumentuePUAP": "{key}"},
                    "found": [{"path": "ZnakWplywu"}],
                    "results": {"number": "ZnakWplywu", "folder": "IdKoszulki"},
                },
            }
        ],
        "reference": "{steps.register.number}",
        **changes,
    }


def connector_for(office: Office, **changes: Any) -> SoapConnector:
    connector = build("soap", options_for(office, **changes))
    assert isinstance(connector, SoapConnector)
    return connector


def deliver(connector: SoapConnector, key: str = "k-1", steps: MemorySteps | None = None, **changes: Any) -> Any:
    return connector.deliver(a_record(key, **changes), key, steps or MemorySteps(connector.capabilities.repeat))


def soap(body: str) -> str:
    """An answer in its envelope, for an office told what to say."""
    return f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{body}</s:Body></s:Envelope>'


ANSWER = soap("<R xmlns='http://ezd.gov.pl/'><ResultMessage>Proszę czekać</ResultMessage>{}</R>")
