"""The catalogue: which schema belongs to which namespace, imports only from our folders, many threads at once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from lxml import etree

from gateway.forms import Forms
from gateway.simulate import documents
from schemas.errors import FormError
from schemas.xmldoc import parse

NAMESPACE = "http://forms.example/wzor/1/"
ENTRY = """
[[form]]
namespace = "http://forms.example/wzor/1/"
code = "PROBA"
version = "1"
name_pl = "Próba"
name_en = "Trial"
file = "proba.xsd"
status = "reconstructed"
strict = true
signature = "required"
"""
SCHEMA = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://forms.example/wzor/1/"
  elementFormDefault="qualified">{}<xs:element name="Dokument" type="xs:string"/></xs:schema>"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "catalogue.toml").write_text(ENTRY, "utf-8")
    (tmp_path / "proba.xsd").write_text(SCHEMA.format(""), "utf-8")
    return tmp_path


def refusal(folder: Path, reference: str) -> FormError:
    (folder / "proba.xsd").write_text(SCHEMA.format(reference), "utf-8")
    with pytest.raises(FormError) as caught:
        Forms.load([folder]).closure(NAMESPACE)
    return caught.value


def test_the_packaged_catalogue_knows_letter_and_property_return_and_says_they_are_reconstructed():
    forms = Forms.load()
    letter, tax = forms.get(documents.LETTER), forms.get(documents.PROPERTY_RETURN)
    assert letter is not None
    assert tax is not None
    assert (letter.strict, tax.strict) == (False, True)
    assert tax.info.code == "DN-1"
    assert {letter.info.status, tax.info.status} == {"reconstructed"}


def test_a_folder_of_the_gmina_adds_a_form_and_overrides_one(folder):
    own = ENTRY.replace(NAMESPACE, documents.LETTER).replace('version = "1"', 'version = "gmina"')
    (folder / "catalogue.toml").write_text(ENTRY + own, "utf-8")
    forms = Forms.load([folder])
    added, overridden = forms.get(NAMESPACE), forms.get(documents.LETTER)
    assert added is not None
    assert overridden is not None
    assert overridden.info.version == "gmina"
    assert len(forms) == len(Forms.load()) + 1


def test_a_missing_import_is_named_before_anything_is_compiled(folder):
    error = refusal(
        folder,
        '<xs:import namespace="urn:a" schemaLocation="a.xsd"/><xs:import namespace="urn:b"/>',
    )
    assert error.code == "form.import_missing"
    assert error.facts["missing"] == "a.xsd, urn:b"


def test_a_remote_import_is_never_fetched_but_listed(folder):
    error = refusal(folder, '<xs:import namespace="urn:a" schemaLocation="http://127.0.0.1:9/a.xsd"/>')
    assert error.code == "form.import_missing"
    assert error.facts["missing"] == "http://127.0.0.1:9/a.xsd"


def test_an_import_from_outside_the_folders_is_refused(folder, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "a.xsd"
    outside.write_text(SCHEMA.format(""), "utf-8")
    error = refusal(folder, f'<xs:include schemaLocation="../{outside.parent.name}/a.xsd"/>')
    assert error.code == "form.import_missing"


def test_a_schema_that_includes_itself_is_refused(folder):
    (folder / "other.xsd").write_text(SCHEMA.format('<xs:include schemaLocation="proba.xsd"/>'), "utf-8")
    error = refusal(folder, '<xs:include schemaLocation="other.xsd"/>')
    assert error.code == "form.import_recursive"


def test_too_many_files_are_refused(folder):
    for number in range(201):
        namespaced = SCHEMA.replace("wzor/1/", f"wzor/{number + 2}/").format("")
        (folder / f"{number}.xsd").write_text(namespaced, "utf-8")
    imports = "".join(
        f'<xs:import namespace="http://forms.example/wzor/{n + 2}/" schemaLocation="{n}.xsd"/>' for n in range(201)
    )
    assert refusal(folder, imports).code == "form.import_limit"


def test_a_file_that_is_no_schema_is_named(folder):
    (folder / "proba.xsd").write_text("<a/>", "utf-8")
    with pytest.raises(FormError) as caught:
        Forms.load([folder]).closure(NAMESPACE)
    assert caught.value.code == "form.schema_unreadable"


def test_a_schema_with_an_unknown_type_says_what_libxml2_says(folder):
    (folder / "proba.xsd").write_text(SCHEMA.format("").replace("xs:string", "xs:nonsense"), "utf-8")
    with pytest.raises(FormError) as caught, Forms.load([folder]).schema(NAMESPACE):
        pass
    assert caught.value.code == "form.schema_invalid"
    assert "nonsense" in caught.value.facts["reason"]


def test_an_official_file_resolves_imports_by_url_from_the_catalogue(folder):
    mf = "http://crd.gov.pl/xml/schematy/dziedzinowe/mf/2018/08/24/eD/DefinicjeTypy/"
    reference = f'<xs:import namespace="{mf}" schemaLocation="{mf}StrukturyDanych_v5-0E.xsd"/>'
    (folder / "proba.xsd").write_text(SCHEMA.format(reference), "utf-8")
    with Forms.load([folder]).schema(NAMESPACE) as schema:
        assert schema is not None


def test_an_official_library_in_the_own_folder_replaces_ours_in_every_form(folder):
    adr = "http://crd.gov.pl/xml/schematy/adres/2009/11/09/"
    shipped = Forms.load().lookup(adr)
    assert shipped is not None
    (folder / "adres.xsd").write_bytes(shipped.read_bytes())
    library = f'[[library]]\nnamespace = "{adr}"\nfile = "adres.xsd"\nstatus = "official"\n'
    (folder / "catalogue.toml").write_text(ENTRY + library, "utf-8")
    files = Forms.load([folder]).closure(documents.LETTER).files
    assert folder / "adres.xsd" in files
    assert shipped not in files


@pytest.mark.parametrize(
    ("broken", "code", "key"),
    [
        (lambda text: text + "???", "form.catalogue_unreadable", None),
        (lambda text: text.replace('code = "PROBA"\n', ""), "form.catalogue_wrong", "code"),
        (lambda text: text.replace('"reconstructed"', '"guessed"'), "form.catalogue_wrong", "guessed"),
        (lambda text: text + 'colour = "red"\n', "form.catalogue_wrong", "colour"),
        (lambda text: text.replace("proba.xsd", "away.xsd"), "form.file_missing", None),
        (lambda text: text.replace("proba.xsd", "../proba.xsd"), "form.file_missing", None),
    ],
)
def test_a_mistake_in_the_catalogue_names_file_and_key(folder, broken, code, key):
    (folder / "catalogue.toml").write_text(broken(ENTRY), "utf-8")
    with pytest.raises(FormError) as caught:
        Forms.load([folder])
    assert caught.value.code == code
    assert str(folder / "catalogue.toml") == caught.value.facts["file"]
    if key:
        assert caught.value.facts["key"] == key


def test_a_template_of_the_integration_host_is_unknown_in_production(folder):
    (folder / "catalogue.toml").write_text(ENTRY + "test_host = true\n", "utf-8")
    assert Forms.load([folder]).get(NAMESPACE) is not None
    assert Forms.load([folder], production=True).get(NAMESPACE) is None


def test_the_integration_host_is_known_by_its_name_whatever_the_entry_says(folder):
    host = "http://int.epuap.gov.pl/fe-model-web/wzor_lokalny/gmina/proba/"
    (folder / "catalogue.toml").write_text(ENTRY.replace(NAMESPACE, host) + "test_host = false\n", "utf-8")
    assert Forms.load([folder]).get(host) is not None
    assert Forms.load([folder], production=True).get(host) is None


def test_five_hundred_schemas_cost_nothing_until_one_is_used(folder):
    entries = [
        ENTRY.replace("wzor/1/", f"wzor/{number}/").replace("proba.xsd", f"{number}.xsd") for number in range(500)
    ]
    for number in range(500):
        (folder / f"{number}.xsd").write_text("this is no schema, and nobody reads it", "utf-8")
    (folder / "catalogue.toml").write_text("".join(entries), "utf-8")
    assert len(Forms.load([folder])) >= 500


def test_threads_get_compiled_schemas_of_their_own_and_see_only_their_own_errors():
    forms = Forms.load()
    good = etree.fromstring(documents.property_return())
    bad = etree.fromstring(documents.property_return(year=None))
    wrong: list[str] = []

    def judge(tree: etree._Element, errors: int) -> None:
        for _ in range(40):
            with forms.schema(documents.PROPERTY_RETURN) as schema:
                assert schema is not None
                schema.validate(tree)
                if len(schema.error_log) != errors:
                    wrong.append(f"{len(schema.error_log)} instead of {errors}")

    threads = [threading.Thread(target=judge, args=pair) for pair in ((good, 0), (bad, 1), (good, 0), (bad, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_many_threads_may_compile_while_others_parse():
    """libxml2's loader of imports is a global that every parse exchanges for a moment."""
    done = threading.Event()
    document = documents.property_return()

    def parse_on() -> None:
        while not done.is_set():
            parse(document)

    forms = Forms.load()
    namespaces = [form.namespace for form in forms if form.file is not None]
    failed: list[BaseException] = []

    def compile_all(order: list[str]) -> None:
        try:
            for namespace in order:
                with forms.schema(namespace):
                    pass
        except Exception as error:
            failed.append(error)

    parsing = threading.Thread(target=parse_on)
    threads = [threading.Thread(target=compile_all, args=(namespaces[::step],)) for step in (1, -1, 1, -1)]
    for thread in (parsing, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    parsing.join()
    assert failed == []
