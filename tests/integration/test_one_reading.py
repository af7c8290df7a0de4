"""The steps of a decision share one tree: none of them changes it, and none sees another one's document."""

from __future__ import annotations

from datetime import date
from typing import Literal

import pytest
from lxml import etree

from gateway.simulate.citizens import Damage
from schemas.xmldoc import parse, read_once
from tests.builders import TERYT, a_signed_document
from tests.gateways import Gateway


@pytest.mark.parametrize("form", ["return", "letter", "unknown"])
@pytest.mark.parametrize("broken", [None, "content", "role"])
def test_verifying_and_validating_leave_the_tree_as_it_was_and_say_what_they_say_alone(
    gateway: Gateway, form: Literal["return", "letter", "unknown"], broken: Damage | None
) -> None:
    document = a_signed_document(form, broken=broken)
    on, tools = date(2026, 3, 2), gateway.tools
    alone = (tools.verify(document), tools.check(document, on, TERYT))

    with read_once(document):
        before = etree.tostring(parse(document), method="c14n")
        together = (tools.verify(document), tools.check(document, on, TERYT))
        assert etree.tostring(parse(document), method="c14n") == before

    assert together == alone
