"""Run the EU's DSS over our own samples and print its indications beside ours: `python -m tests.judges.dss`.

Needs a JDK, Maven and Maven Central, where the library is fetched once. The table goes into docs/signatures.md.
"""

from __future__ import annotations

import functools
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway.receipt import SealKey, UppFacts, issue_upp
from gateway.signatures import TrustPolicy, verify
from gateway.simulate import citizens, pki
from schemas.receipt import ReceiptParty
from tests import attacks, require
from tests.damage import changes
from tests.judges import maven
from tests.signing import MARK, Recipe, Target, c14n, sign

VERSION = "6.2"
LETTER = '<?xml version="1.0" encoding="UTF-8"?>\n<a xmlns="urn:a"><t>Zażółć</t></a>'.encode()


@dataclass(frozen=True, slots=True)
class Sample:
    """One document, with what it refers to."""

    title: str
    document: bytes
    detached: Mapping[str, bytes]


def samples() -> Iterator[Sample]:
    """What an office can receive or issue, honest and not."""
    own, person, moment = pki.shared(), citizens.person(1), datetime.now(UTC)
    once = citizens.sign_trusted_profile(LETTER, person, own)
    yield Sample("podpis zaufany (PodpisZP)", once, {})
    yield Sample("podpis zaufany (EPSignature)", citizens.sign_trusted_profile(LETTER, person, own, "EPSignature"), {})
    for spelling in ("enveloped", "xpath"):
        signed = citizens.sign_qualified(LETTER, person, own, spelling=spelling, identity=own.qualified)  # type: ignore[arg-type]
        yield Sample(f"qualified ({spelling})", signed, {})
    yield Sample("two signatures", citizens.sign_qualified(once, person, own, identity=own.qualified), {})
    enveloping = '<ds:Object Id="data"><a/></ds:Object>'
    yield Sample(
        "enveloping, XML-DSig", sign(MARK, Recipe(targets=(Target("#data", c14n("exc")),), objects=enveloping)), {}
    )
    file = {"plik.bin": b"\x00octets"}
    detached = sign(MARK, Recipe(targets=(Target("plik.bin", ""),)), file)
    yield Sample("detached, file given", detached, file)
    yield Sample("detached, file missing", detached, {})
    yield Sample("detached, other file", detached, {"plik.bin": b"other"})
    party = ReceiptParty("Gmina", "9999011", "TERYT")
    facts = UppFacts("UPP-1", party, party, "DOK-1", "1", "plik.bin", moment)
    upp = issue_upp(facts, b"\x00octets", SealKey.of(own.upo_seal.key, own.upo_seal.certificate), moment)
    yield Sample("our UPP, file given", upp.xml, file)
    for number, damaged in enumerate(changes(upp.xml), 1):
        yield Sample(f"our UPP, change {number}", damaged, file)
    yield Sample("our UPP, other file", upp.xml, {"plik.bin": b"other"})
    for damage in ("content", "digest", "value", "role", "certificate"):
        yield Sample(f"damaged: {damage}", citizens.tamper(once, damage, own), {})  # type: ignore[arg-type]
    expired = pki.issue(
        pki.person_name("Anna", "Próbna", "80010112340"),
        own.qualified_ca,
        at=moment,
        valid=(timedelta(days=9), timedelta(days=-1)),
    )
    yield Sample("certificate expired", citizens.sign_qualified(LETTER, person, own, identity=expired), {})
    lookalike = own.trusted_profile_lookalike
    yield Sample("same name, other key", citizens.sign_trusted_profile(LETTER, person, own, identity=lookalike), {})
    chosen = {9, 11, 13, 14, 15, 16, 17, 22, 24, 27, 28, 29, 30, 31, 37}
    for attack in attacks.attacks("http://127.0.0.1:9/"):
        if attack.number in chosen:
            yield Sample(f"attack {attack.number}: {attack.title}", attack.document(), {})


def judge(listed: Sequence[Sample], folder: Path) -> list[str]:
    """DSS's word on each sample's signatures, joined."""
    lines, own = [], pki.shared()
    trusted = []
    for number, identity in enumerate((own.trusted_profile, own.qualified, own.upo_seal, own.qualified_ca)):
        (folder / f"trusted-{number}.pem").write_bytes(identity.certificate_pem)
        trusted.append(str(folder / f"trusted-{number}.pem"))
    for number, sample in enumerate(listed):
        (folder / f"{number}.xml").write_bytes(sample.document)
        given = ""
        for place, (name, octets) in enumerate(sample.detached.items()):
            (folder / f"{number}-{place}").write_bytes(octets)
            given += f"\t{name}={folder / f'{number}-{place}'}"
        lines.append(f"{folder / f'{number}.xml'}{given}\n")
    finished = subprocess.run(
        [require.program("java"), "-XX:TieredStopAtLevel=1", "-cp", _classes(), "DssJudge", *trusted],
        input="".join(lines).encode(),
        capture_output=True,
        check=True,
        timeout=600,
    )
    said: list[list[str]] = [[] for _ in listed]
    for line in finished.stdout.decode().splitlines():
        name, _, indication, sub, _ = line.split("\t")
        shown = indication.replace("_", "-") if sub == "null" else f"{indication.replace('_', '-')} {sub}"
        said[int(Path(name).stem)].append(shown)
    return ["; ".join(item) for item in said]


def ours(sample: Sample) -> str:
    """Our own word, with the same certificates trusted."""
    own = pki.shared()
    trust = TrustPolicy(
        "test",
        trusted_profile_seals=(own.trusted_profile.certificate,),
        qualified_anchors=(own.qualified_ca.certificate,),
        seals=(own.upo_seal.certificate,),
    )
    result = verify(sample.document, trust, detached=sample.detached)
    if not result.signatures:
        return f"{result.indication} ({result.reasons[0].code})"
    return "; ".join(
        " ".join(filter(None, (item.indication, item.sub_indication)))
        + (f" ({item.reasons[0].code.removeprefix('signature.')})" if item.reasons else "")
        for item in result.signatures
    )


def main() -> None:
    """Print the table."""
    listed = list(samples())
    with tempfile.TemporaryDirectory(prefix="brama-dss-") as name:
        theirs = judge(listed, Path(name))
    print("| sample | DSS 6.2 | Brama |\n|---|---|---|")
    for sample, said in zip(listed, theirs, strict=True):
        print(f"| {sample.title} | {said} | {ours(sample)} |")


@functools.cache
def _classes() -> str:
    return maven.class_path(f"dss-{VERSION}", Path(__file__).parent / "dss")


if __name__ == "__main__":
    main()
