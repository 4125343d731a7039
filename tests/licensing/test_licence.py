from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.errors import DataFileError, LicensingError
from licensing.expression import normal_form
from licensing.licence import MAX_CHARACTERS, How, _index, mint, understand
from licensing.terms import UNKNOWN_LICENCE, LicenceDocument, shipped_table

DOCUMENTS = shipped_table().documents


@pytest.mark.parametrize(
    ("found", "expression", "how"),
    [
        ("CC0", "CC0-1.0", How.NAME),
        ("cc0 1.0 universal", "CC0-1.0", How.NAME),
        ("CC BY-NC 4.0", "CC-BY-NC-4.0", How.NAME),
        ("CC-BY-NC-4.0", "CC-BY-NC-4.0", How.NAME),
        ("Creative Commons Attribution-ShareAlike 3.0 Unported License", "CC-BY-SA-3.0", How.NAME),
        ("The MIT Licence.", "MIT", How.NAME),
        ("Apache License, Version 2.0", "Apache-2.0", How.NAME),
        ("GPLv3", "GPL-3.0-only", How.NAME),
        ("GPLv2+", "GPL-2.0-or-later", How.NAME),
        ("https://creativecommons.org/licenses/by-nc/4.0/", "CC-BY-NC-4.0", How.ADDRESS),
        ("http://www.creativecommons.org/licenses/by-nc-sa/2.0/legalcode", "CC-BY-NC-SA-2.0", How.ADDRESS),
        ("https://creativecommons.org/licenses/by-nd/4.0/deed.pt-br?ref=chooser-v1", "CC-BY-ND-4.0", How.ADDRESS),
        ("creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0", How.ADDRESS),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "CC-PDM-1.0", How.ADDRESS),
        ("http://creativecommons.org/licenses/by-nd-nc/1.0/", "CC-BY-NC-ND-1.0", How.ADDRESS),
        ("https://creativecommons.org/licenses/by/3.0/de/", "CC-BY-3.0-DE", How.ADDRESS),
        ("https://creativecommons.org/licenses/by-nc-sa/3.0/us/", "LicenseRef-CC-BY-NC-SA-3.0-US", How.ADDRESS),
        ("https://spdx.org/licenses/MIT.html", "MIT", How.ADDRESS),
        ("https://spdx.org/licenses/Zlib.html", "Zlib", How.ADDRESS),
        ("mit or apache-2.0", "MIT OR Apache-2.0", How.EXPRESSION),
        ("CC-BY-NC-4.0 OR LicenseRef-acme", "CC-BY-NC-4.0 OR LicenseRef-acme", How.EXPRESSION),
        ("LicenseRef-MIT-Discord", "LicenseRef-MIT-Discord", How.EXPRESSION),
    ],
)
def test_understands_exact_names_addresses_and_expressions(found: str, expression: str, how: How) -> None:
    understood = understand(found)
    assert (understood.expression, understood.how, understood.found) == (expression, how, found)


@pytest.mark.parametrize(
    "found",
    [
        "",
        "   ",
        "CC BY",
        "Creative Commons",
        "BSD",
        "Apache",
        "public domain",
        "royalty free",
        "free for commercial use",
        "All rights reserved",
        "MIT except no commercial use",
        "not MIT",
        "MIT-like",
        "MIT (research only)",
        "CC BY 4.0, non-commercial use only",
        "see LICENSE",
        "other",
        "NOASSERTION",
        "MIT/Apache-2.0",
        "(MIT",
        "https://example.org/licenses/MIT",
        "https://creativecommons.org/licenses/by/",
        "https://creativecommons.org/licenses/sampling+/1.0/",
        "https://creativecommons.org/licenses/by/4.0/ but no training",
        "MIT " * 400,
        "🎻",
    ],
)
def test_what_is_not_recognised_exactly_is_unknown(found: str) -> None:
    understood = understand(found)
    assert understood.expression == UNKNOWN_LICENCE
    assert understood.how is How.UNKNOWN


@pytest.mark.parametrize("document", DOCUMENTS.values(), ids=lambda document: document.id)
def test_every_name_and_address_of_a_document_leads_to_it(document: LicenceDocument) -> None:
    for name in (document.id, document.title, *document.names):
        assert understand(name.upper()).expression == document.id, name
    assert understand(f"The {document.id} Licence.").expression == document.id
    for address in document.urls:
        assert understand(f"http://www.{address}/").expression == document.id, address
        if address.startswith("creativecommons.org"):
            assert understand(f"https://{address}/legalcode.de").expression == document.id, address


RESTRICTIONS = st.sampled_from(
    ["non-commercial", "no AI training", "except where noted", "for research only", "not", "until 2027", "v2-modified"]
)


@given(st.sampled_from(sorted(DOCUMENTS)), RESTRICTIONS, st.booleans())
def test_a_known_name_with_a_restriction_beside_it_is_unknown(name: str, restriction: str, before: bool) -> None:  # noqa: FBT001
    found = f"{restriction} {name}" if before else f"{name}, {restriction}"
    assert understand(found).expression == UNKNOWN_LICENCE


@given(st.text(max_size=MAX_CHARACTERS + 5))
def test_never_fails_and_gives_only_valid_expressions(found: str) -> None:
    expression = understand(found).expression
    assert normal_form(expression) == expression


def test_two_documents_never_share_a_name() -> None:
    taken = replace(DOCUMENTS["MIT"], id="LicenseRef-impostor")
    with pytest.raises(DataFileError, match="stands for both MIT and LicenseRef-impostor"):
        _index((DOCUMENTS["MIT"], taken), addresses=False)


def test_mints_references_that_spdx_accepts() -> None:
    minted = mint("Suno Terms of Service 2025-12 (free plan)")
    assert minted == "LicenseRef-linernotes-suno-terms-of-service-2025-12-free-plan"
    assert normal_form(minted) == minted
    with pytest.raises(LicensingError, match="Latin letters"):
        mint("条款")
