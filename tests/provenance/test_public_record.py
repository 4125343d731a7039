"""The page that says what a mirror of the log can read is the code's own list."""

import re
from pathlib import Path

from provenance.kind import PREDICATES

PAGE = Path(__file__).parent.parent.parent / "docs" / "public-record.md"
WORDS = {"unmatched_words": "words not understood", "isni": "ISNI", "ipi": "IPI", "verdict": "the verdict"}


def test_the_page_names_every_statement_and_every_commitment() -> None:
    rows = {
        row[1]: row
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if (row := [cell.strip(" `") for cell in line.split("|")]) and len(row) == 5 and row[1] in PREDICATES
    }
    assert rows.keys() == PREDICATES.keys()
    for kind, predicate in PREDICATES.items():
        committed = {
            name
            for name, field in predicate.model_fields.items()
            if "hmac-sha256" in str(field.metadata) + str(field.annotation)
        }
        named = {name for name in predicate.model_fields if re.search(WORDS.get(name, name), rows[kind][3])}
        assert committed == named & committed, kind
        assert bool(committed) == bool(rows[kind][3]), kind
