"""The contract of our push endpoint: its schema as a check, and WSDL and XSD as served, with the configured names."""

from __future__ import annotations

import copy

from lxml import etree

from gateway import resources
from gateway.config import PushConfig, PushNames
from schemas import xmldoc
from schemas.xmldoc import OBI, qname

XS = "http://www.w3.org/2001/XMLSchema"
WSDL = "http://schemas.xmlsoap.org/wsdl/"
WSDL_SOAP = "http://schemas.xmlsoap.org/wsdl/soap/"
SCHEMA_FILE = "obiekty.xsd"


def schema() -> etree.XMLSchema:
    """`xsd/epuap/obiekty.xsd`, compiled: judges elements that carry their default names."""
    return etree.XMLSchema(_load(SCHEMA_FILE))


class Contract:
    """What `?wsdl` and `?xsd=…` answer; read once."""

    def __init__(self, push: PushConfig) -> None:
        renamed = _renamed(push)
        served = _load(SCHEMA_FILE, push.namespace)
        for element in served.findall(qname(XS, "element")):
            name = element.get("name", "")
            element.set("name", renamed.get(name, name))
        self.schema_xml = _written(served)
        self._wsdl = _load("odbiorca.wsdl", push.namespace)
        for part in self._wsdl.iter(qname(WSDL, "part")):
            prefix, name = part.get("element", ":").split(":")
            part.set("element", f"{prefix}:{renamed.get(name, name)}")

    def wsdl(self, address: str) -> bytes:
        """The WSDL with the service at `address` and its schema at `address?xsd=obiekty.xsd`."""
        served = copy.deepcopy(self._wsdl)
        for place in served.iter(qname(WSDL_SOAP, "address")):
            place.set("location", address)
        for item in served.iter(qname(XS, "import")):
            item.set("schemaLocation", f"{address}?xsd={SCHEMA_FILE}")
        return _written(served)


def _renamed(push: PushConfig) -> dict[str, str]:
    """Default wire name → configured one."""
    default = PushNames()
    return {getattr(default, key): getattr(push.names, key) for key in PushNames.model_fields}


def _load(name: str, namespace: str = OBI) -> etree._Element:
    octets = (resources.folder("xsd") / "epuap" / name).read_bytes()
    return xmldoc.parse(octets.replace(OBI.encode(), namespace.encode())).getroot()


def _written(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")
