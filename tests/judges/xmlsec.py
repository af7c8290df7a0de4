"""Run the xmlsec1 command on one file."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from tests import require
from tests.waiting import PATIENCE_S


def accepts(document: bytes, detached: Mapping[str, bytes] | None = None) -> bool:
    """Whether xmlsec1 finds the (first) signature and all its references intact; trust is left out.

    `detached`: reference URI → octets. xmlsec1 looks a name up after decoding its percent signs.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [require.program("xmlsec1"), "--verify", "--insecure", "--id-attr:Id", "SignedProperties"]
        for number, (uri, octets) in enumerate((detached or {}).items()):
            file = Path(folder, f"detached-{number}")
            file.write_bytes(octets)
            command += [f"--url-map:{unquote(uri)}", str(file)]
        file = Path(folder, "document.xml")
        file.write_bytes(document)
        finished = subprocess.run([*command, str(file)], capture_output=True, check=False, timeout=PATIENCE_S)
    return finished.returncode == 0
