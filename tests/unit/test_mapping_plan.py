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
    "count(/a:r/a:x)", "count(/a:r/a:q)", "count(/a:r/@n)", "/a:r/a:x[a:y]", "/a:r/a:x[@k='v']/a:y", "/a:r/a:x[@k='w']",
    "/a:r/a:x[@k!='w']", "/a:r/a:x[a:y='3']/a:y", "/a:r/a:x[a:y!='3']", "/a:r/a:x/a:y[../@k='v']",
    "/a:r/a:x/a:y[../a:z='5']", "/a:r/a:x/a:y[../a:z!='5']", "/a:r/*[local-name()='x']/a:y", "/a:r/*[b:q]",
    "/a:r/a:x/a:y[normalize-space()]", "/a:r/a:x/a:y[.='2']", "/a:r/a:x[2]", "/a:r/a:x[a:y]/@k", "/a:r/a:x[q:y]",
    "/a:r", "/a:r/a:x", "/a:r/a:x/a:y", "/a:r/*/a:y", "/a:r/@n", "/a:r/a:x/@k", "/a:r/a:x/a:y/@m", "/a:r/b:x/a:y",
    "/*/*/*/a:y", "/a:r/a:q", "/a:wrong/a:x", "//a:y", "/a:r/a:x | /a:r/b:x",
]  # fmt: skip
LEFT = {"count(/a:r/@n)", "/a:r/a:x/a:y[.='2']", "/a:r/a:x[2]", "/a:r/a:x[q:y]", "//a:y", "/a:r/a:x | /a:r/b:x"}


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
        assert path in LEFT
        return
    expected = etree.XPath(path, namespaces=NS)(DOCUMENT)
    found = find_from_root(made, DOCUMENT)[0]
    if isinstance(expected, float):
        assert found == expected
    else:
        assert isinstance(expected, list)
        assert texts(every(found)) == texts(expected)


@pytest.mark.parametrize("path", [".", "a:y", "@k", "../b:x/a:y", "*", "a:z/a:y", "../@n", "a:q", "a:y/@m"])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_relative_path_is_walked_alike(path, number):
    start = DOCUMENT[number]
    expected = etree.XPath(path, namespaces=NS)(start)
    assert isinstance(expected, list)
    made = plan([path], NS)
    assert made.others == ()
    assert texts(every(find(made, start)[0])) == texts(expected)


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
            if isinstance(expected, float):
                assert walked[number] == expected, row.xpath
            else:
                assert every(walked[number]) == found_by_xpath(expected), row.xpath


def found_by_xpath(result: object) -> list:
    """Elements, and attributes as (element, name), as the walk gives them."""
    assert isinstance(result, list)
    return [node if isinstance(node, etree._Element) else (node.getparent(), node.attrname) for node in result]


@pytest.mark.parametrize("namespace", list(MAPPINGS))
def test_every_row_of_every_entry_finds_the_same_both_ways(namespace):
    table = MAPPINGS.get(namespace)
    assert table is not None
    root = etree.fromstring(forms_admin.sample(FORMS, MAPPINGS, namespace))
    for each in table.eaches:
        entries = each.find(root)
        assert isinstance(entries, list)
        for entry in entries:
            for group, start in ((each.own, entry), (each.shared, entry.getparent())):
                for number, (row, walked) in enumerate(zip(group.rows, find(group.plan, start), strict=True)):
                    if number not in group.plan.others:
                        assert every(walked) == found_by_xpath(row.find(entry)), row.xpath


def test_what_is_ignored_in_any_of_several_places_is_found_in_all_of_them():
    made = plan(["/a:r/@n | /a:r/a:x/@k"], NS, unions=[0])
    assert made.others == ()
    assert texts(every(find_from_root(made, DOCUMENT)[0])) == ["1", "v"]


def test_the_condition_of_one_path_is_no_condition_of_another():
    made = plan(["/a:r/a:x[@k='w']/a:y", "/a:r/a:x/a:y"], NS)
    held, free = find_from_root(made, DOCUMENT)
    assert every(held) == []
    assert len(every(free)) == 3
