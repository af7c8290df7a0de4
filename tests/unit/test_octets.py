"""Base64 is taken strictly: what one reader would repair, another one would read as something else."""

from __future__ import annotations

import base64

import pytest

from schemas.octets import from_base64


@pytest.mark.parametrize("octets", [b"", b"\0", b"ab", b"abc", bytes(range(256))])
@pytest.mark.parametrize("write", [bytes, bytes.decode], ids=["octets", "text"])
def test_what_was_encoded_is_read_back(octets, write):
    assert from_base64(write(base64.b64encode(octets))) == octets


@pytest.mark.parametrize(
    "written",
    [
        "QUI",
        "QUJD=",
        "QUJD====",
        "QUJDRA=",
        "A===",
        "====",
        "QU=JD",
        "QUJDRA==QUJD",
        "QUJ\nDRA==",
        "QUJD ",
        "QU-_",
        "ąę==",
    ],
)
def test_anything_else_is_refused(written):
    with pytest.raises(ValueError, match="base64"):
        from_base64(written)
