import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.expression import Compound, Join, normal_form, structure

LISTED = ("MIT", "CC0-1.0", "CC-BY-NC-4.0", "LicenseRef-acme", "GPL-2.0-only WITH Classpath-exception-2.0")
EXPRESSIONS = st.recursive(
    st.sampled_from(LISTED),
    lambda parts: st.builds("({} {} {})".format, parts, st.sampled_from(Join), parts),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("found", "expression"),
    [
        ("mit", "MIT"),
        ("GPL-3.0", "GPL-3.0-only"),
        ("GPL-2.0+", "GPL-2.0-or-later"),
        ("mit or (apache-2.0 and cc0-1.0)", "MIT OR (Apache-2.0 AND CC0-1.0)"),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"),
        ("LicenseRef-acme AND MIT", "LicenseRef-acme AND MIT"),
        ("DocumentRef-spdx:LicenseRef-acme", "DocumentRef-spdx:LicenseRef-acme"),
    ],
)
def test_gives_the_normal_form(found: str, expression: str) -> None:
    assert normal_form(found) == expression


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cc by",
        "MIT and more",
        "(MIT",
        "MIT/Apache-2.0",
        "MIT OR",
        "GPL-2.0-only WITH MIT",
        "NONE",
        "LicenseRef-",
        "🎻",
    ],
)
def test_what_is_no_valid_expression_has_none(text: str) -> None:
    assert normal_form(text) is None


@pytest.mark.parametrize("reference", ["LicenseRef-MIT-Discord", "LicenseRef-GPL-2.0", "LicenseRef-MIT-TC"])
def test_a_reference_is_never_taken_for_a_listed_licence(reference: str) -> None:
    # The library has these names as aliases of MIT and the GPL; whoever used them may have meant other terms.
    assert normal_form(reference) == reference


@given(EXPRESSIONS)
def test_the_normal_form_is_stable_and_keeps_the_structure(text: str) -> None:
    expression = normal_form(text)
    assert expression is not None
    assert normal_form(expression) == expression
    assert _licences(structure(expression)) == _licences(structure(text))


@given(st.text(max_size=60))
def test_no_text_is_more_than_it_can_bear(text: str) -> None:
    structure(text)
    if (expression := normal_form(text)) is not None:
        assert structure(expression) is not None


def test_shows_what_holds_together_and_how() -> None:
    assert structure("MIT") == "MIT"
    assert structure("MIT OR (CC0-1.0 AND MIT)") == Compound(Join.ANY, ("MIT", Compound(Join.ALL, ("CC0-1.0", "MIT"))))
    assert structure("(MIT") is None
    assert structure("") is None


def _licences(part: str | Compound | None) -> set[str]:
    if isinstance(part, Compound):
        return set().union(*(_licences(entry) for entry in part.parts))
    return set() if part is None else {part}
