"""An official stylesheet runs with nothing to reach, and within bounds."""

from __future__ import annotations

import pytest

from gateway.simulate import documents
from gateway.stylesheet import apply_stylesheet
from schemas.errors import FormError

STYLE = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
  xmlns:w="http://crd.gov.pl/wzor/2013/12/12/1410/"{more}>
  <xsl:output method="html"/><xsl:template match="/"><html><body>{body}</body></html></xsl:template>{rest}
</xsl:stylesheet>"""


def style(body: str, rest: str = "", more: str = "") -> bytes:
    return STYLE.format(body=body, rest=rest, more=more).encode()


def refusal(stylesheet: bytes, **limits: float) -> str:
    with pytest.raises(FormError) as caught:
        apply_stylesheet(documents.general_letter(), stylesheet, **limits)
    return caught.value.code


def test_a_stylesheet_shows_the_document():
    shown = apply_stylesheet(documents.general_letter(), style('<xsl:value-of select="//w:Tytul"/>'))
    assert "Wniosek o wydanie zaświadczenia" in shown.decode()


@pytest.mark.parametrize("address", ["/etc/passwd", "file:///etc/hostname", "http://127.0.0.1:9/x.xml"])
def test_no_other_document_is_read(address):
    assert refusal(style(f"<xsl:copy-of select=\"document('{address}')\"/>")) == "form.style_refused"


def test_nothing_is_included_from_elsewhere():
    stylesheet = style("x").replace(b"<xsl:output", b'<xsl:include href="file:///etc/x.xsl"/><xsl:output')
    assert refusal(stylesheet) == "form.style_refused"


def test_nothing_is_written(tmp_path):
    target = tmp_path / "written"
    more = ' xmlns:exsl="http://exslt.org/common" extension-element-prefixes="exsl"'
    assert refusal(style(f'<exsl:document href="{target}">x</exsl:document>', more=more)) == "form.style_refused"
    assert not target.exists()


def test_endless_recursion_and_endless_work_are_stopped():
    deep = '<xsl:template name="a"><xsl:call-template name="a"/></xsl:template>'
    assert refusal(style('<xsl:call-template name="a"/>', deep)) in ("form.style_refused", "form.style_limit")
    wide = "".join(f'<xsl:for-each select="//*{"|//@*" * (n % 2)}">' for n in range(6)) + "x" + "</xsl:for-each>" * 6
    assert refusal(style(wide), timeout_s=1.0) == "form.style_limit"


def test_what_is_no_stylesheet_is_refused():
    assert refusal(b"<a/>") == "form.style_refused"
