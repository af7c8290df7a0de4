"""The fast walk finds what the XPaths find, row by row, whatever the document."""

from __future__ import annotations

import pytest
from lxml import etree

from gateway import forms_admin
from gateway.forms import Forms
from gateway.mapper import Mappings
from gateway.mapping.plan import every, find, find_from_root, plan

FORMS = Forms.load()
MAPPINGS = Mappings.load()
NS = {"a": "urn:a", "b": "urn:b"}
DOCUMENT = etree.fromstring(
    b'<r xmlns="urn:a" xmlns:b="urn:b" n="1"><x k="v">1<y>2</y><y>3</y></x><b:x><y>4</y></b:x><x><y m="q"/>'
    b"<!-- note --><?pi?><z><y>5</y></z></x></r>"
)
PATHS = [
    "/a:r", "/a:r/a:x", "/a:r/a:x/a:y", "/a:r/*/a:y", "/a:r/@n", "/a:r/a:x/@k", "/a:r/a:x/a:y/@m", "/a:r/b:x/a:y",
    "/*/*/*/a:y", "/a:r/a:q", "/a:wrong/a:x", "/a:r/a:x[a:y]", "//a:y", "count(/a:r/a:x)", "/a:r/a:x | /a:r/b:x",
]  # fmt: skip


def texts(nodes: list) -> list[str]:
    """Comparable: paths of elements, values of attributes."""
    tree = DOCUMENT.getroottree()
    return [
        tree.getpath(node)
        if isinstance(node, etree._Element)
        else str(node[0].get(node[1]) if type(node) is tuple else node)
        for node in nodes
    ]


@pytest.mark.parametrize("path", PATHS)
def test_an_absolute_path_is_either_walked_alike_or_left_to_xpath(path):
    made = plan([path], NS)
    if made.others:
        assert any(sign in path for sign in "[(|") or path.startswith("//")
        return
    expected = etree.XPath(path, namespaces=NS)(DOCUMENT)
    assert isinstance(expected, list)
    assert texts(every(find_from_root(made, DOCUMENT).get(0))) == texts(expected)


@pytest.mark.parametrize("path", [".", "a:y", "@k", "../b:x/a:y", "*", "a:z/a:y", "../@n", "a:q", "a:y/@m"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_relative_path_is_walked_alike(path, number):
    start = DOCUMENT[number]
    expected = etree.XPath(path, namespaces=NS)(start)
    assert isinstance(expected, list)
    made = plan([path], NS)
    assert made.others == ()
    assert texts(every(find(made, start).get(0))) == texts(expected)


def test_a_prefix_nobody_declared_is_left_to_xpath_to_complain_about():
    assert plan(["/q:r"], NS).others == (0,)


@pytest.mark.parametrize("namespace", list(MAPPINGS))
def test_every_row_of_every_table_finds_the_same_both_ways(namespace):
    table = MAPPINGS.get(namespace)
    assert table is not None
    root = etree.fromstring(forms_admin.sample(FORMS, MAPPINGS, namespace))
    walked = find_from_root(table.plan, root)
    for number, row in enumerate((*table.rows, *table.eaches)):
        if number not in table.plan.others:
            expected = row.find(root)
            assert isinstance(expected, list)
            assert len(every(walked.get(number))) == len(expected), row.xpath
