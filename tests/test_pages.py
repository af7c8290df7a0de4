"""The pages people read hold true: links lead somewhere, commands and their options exist, so do configuration keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer.main
from pydantic import BaseModel

from gateway.cli.commands import app
from gateway.config import GatewayConfig, TenantConfig
from tests.test_layers import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:)([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"`([^`\n]+)`")
PROGRAM = typer.main.get_command(app)
KEY = re.compile(r"[a-z][a-z_0-9]*(\.[a-z][a-z_0-9]*)+")


def shown(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def links(page: Path) -> Iterator[str]:
    """Targets of the page's own links, without those in code blocks."""
    yield from LINK.findall(FENCE.sub("", page.read_text("utf-8")))


def anchors(page: Path) -> set[str]:
    """What can follow `#` in a link to the page, made as GitHub makes it."""
    made: list[str] = []
    for heading in HEADING.findall(FENCE.sub("", page.read_text("utf-8"))):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        again = sum(1 for one in made if re.fullmatch(re.escape(slug) + r"(-\d+)?", one))
        made.append(f"{slug}-{again}" if again else slug)
    return set(made)


def target_of(page: Path, link: str) -> tuple[Path, str]:
    path, _, anchor = link.partition("#")
    return ((page.parent / path).resolve() if path else page), anchor


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_links_lead_to_a_file_and_a_heading(page: Path) -> None:
    for link in links(page):
        target, anchor = target_of(page, link)
        assert target.exists(), f"{link}: no such file"
        assert ROOT in (target, *target.parents), f"{link}: outside the project"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, to_read = set[Path](), [ROOT / "README.md"]
    while to_read:
        page = to_read.pop()
        if page not in seen:
            seen.add(page)
            to_read += [target for target, _ in (target_of(page, link) for link in links(page)) if target in PAGES]
    assert [shown(page) for page in PAGES if page not in seen] == []


def test_the_index_of_the_documentation_names_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    named = {target_of(index, link)[0] for link in links(index)}
    assert [shown(page) for page in PAGES if page.parent == index.parent and page not in {index, *named}] == []


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_no_page_holds_a_place_that_was_to_be_filled(page: Path) -> None:
    assert re.findall(r"@[A-Z_]+@|TODO|FIXME|\bTBD\b", page.read_text("utf-8")) == []


def commands(page: Path) -> Iterator[str]:
    """Every call of `brama` on a page, in code blocks (continued lines joined) and in code spans."""
    text = page.read_text("utf-8")
    for block in FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            if found := re.match(r"(?:\$ |ExecStart(?:Pre)?=\S*/)?(brama [a-z].*?)(?:\s+#\s.*|\s+>.*)?$", line.strip()):
                yield found.group(1)
    for span in CODE_SPAN.findall(FENCE.sub("", text)):
        if re.match(r"brama [a-z]", span):
            yield span


def wrong_in(call: str) -> str | None:
    """What of a call does not exist: a command, or an option of it. Words in capitals and `…` stand for something."""
    node: Any = PROGRAM
    words = iter(re.sub(r"[\[\],…·\"]", " ", call).split()[1:])
    rest: list[str] = []
    for word in words:
        below = getattr(node, "commands", None)
        if below is None:
            rest = [word, *words]
            break
        if word.startswith("-"):
            return f"{call}: {word} before a command" if word != "--version" else None
        if word not in below:
            return None if word.isupper() else f"{call}: no command {word}"
        node = below[word]
        rest = []
    known = {name for option in node.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
    strange = [word for word in rest if word.startswith("--") and len(word) > 2 and word.partition("=")[0] not in known]
    return f"{call}: no option {', '.join(strange)}" if strange else None


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_commands_on_the_pages_exist_with_their_options(page: Path) -> None:
    wrong = [problem for call in commands(page) for one in each_of(call) if (problem := wrong_in(one))]
    assert wrong == []


def test_every_command_is_named_on_some_page() -> None:
    named = {one for page in PAGES for call in commands(page) for one in each_of(call)}
    nowhere = [path for path in every_command(PROGRAM) if not any(f"{one} ".startswith(f"{path} ") for one in named)]
    assert nowhere == []


def every_command(node: Any, path: str = "brama") -> Iterator[str]:
    """`brama submissions list` and so on: what does something, not the groups."""
    below = getattr(node, "commands", {})
    if not below:
        yield path
    for name, one in below.items():
        yield from every_command(one, f"{path} {name}")


def each_of(call: str) -> list[str]:
    """`brama submissions list · show` names several commands of one group."""
    head, *others = call.split(" · ")
    group = head.split()[:-1]
    return [head, *(" ".join([*group, other]) for other in others)]


@pytest.mark.parametrize(
    "call",
    ["brama verfy x.xml", "brama submissions lst", "brama replay --resaon x", "brama deliveries list --stat due"],
)
def test_a_command_that_does_not_exist_is_noticed(call: str) -> None:
    assert wrong_in(call)


def keys(model: type[BaseModel]) -> dict[str, Any]:
    """Names of a model's settings, with what stands below each: another such table, or None."""
    found: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        inner = [kind for kind in (info.annotation, *get_args(info.annotation)) if _is_model(kind)]
        found[name] = keys(inner[0]) if inner else None
    return found


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


SETTINGS = keys(GatewayConfig) | {"effectiveness": keys(TenantConfig)["effectiveness"]}


def unknown_key(name: str) -> bool:
    """Does `epuap.sent_store` name a table of the configuration, but no key in it?"""
    first, *others = name.split(".")
    table: Any = SETTINGS
    for part in [first, *others]:
        if not isinstance(table, dict):
            return False  # below a list or a table of one's own choice
        if part not in table:
            return True
        table = table[part]
    return False


TABLES = tuple(f"{name}." for name, below in SETTINGS.items() if below is not None)
NOT_KEYS = re.compile(r".*\.(py|toml|md|xml|pem|json|p12|key|zip)$")


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_configuration_keys_on_the_pages_exist(page: Path) -> None:
    from schemas.texts import all_texts

    spans = CODE_SPAN.findall(FENCE.sub("", page.read_text("utf-8")))
    named = {span.partition(" =")[0] for span in spans}
    wrong = [
        name
        for name in sorted(named)
        if KEY.fullmatch(name) and name.startswith(TABLES) and not NOT_KEYS.fullmatch(name)
        if name not in all_texts() and unknown_key(name)
    ]
    assert wrong == []


@pytest.mark.parametrize("name", ["epuap.sent_stores", "files.limit", "worker.lease", "receipt.obtain.every_s"])
def test_a_configuration_key_that_does_not_exist_is_noticed(name: str) -> None:
    assert unknown_key(name)
