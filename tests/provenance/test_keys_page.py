"""The page about keys says what the code does."""

import re
from pathlib import Path
from typing import get_args

from provenance import errors
from provenance.admission import Limits
from provenance.errors import AdmissionError
from provenance.key_predicate import RevocationPredicate
from provenance.keyring import REVOKERS, VOUCHERS
from provenance.kind import PREDICATES
from provenance.predicate import Role

PAGE = (Path(__file__).parents[2] / "docs" / "keys.md").read_text(encoding="utf-8")
ABOUT_KEYS = {"key", "rotation", "revocation"}


def rows(columns: int) -> list[list[str]]:
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("|")]
    return [row for row in cells if len(row) == columns and "---" not in row[0]][1:]


def test_the_table_of_roles_is_the_code_s() -> None:
    table = {row[0].strip("`"): row for row in rows(5)}
    assert set(table) == set(get_args(Role))
    for role, (_, _, signs, vouched_for_by, revoked_by) in table.items():
        kinds = {kind for kind, each in PREDICATES.items() if role in each.SIGNED_BY} - ABOUT_KEYS
        assert set(re.findall(r"`(\w+)`", signs)) == kinds, role
        roles = set(get_args(Role))
        named = set(re.findall(r"\w+", vouched_for_by.split(" (")[0])) & roles
        assert named == VOUCHERS[role], role
        assert set(re.findall(r"\w+", revoked_by)) & roles == REVOKERS[role], role


def test_every_refusal_is_in_the_table_and_every_name_in_it_is_a_refusal() -> None:
    named = set(re.findall(r"`(\w+Error)`", PAGE))
    bases = {"AdmissionError", "KeyringError"}
    refusals = {
        name for name, each in vars(errors).items() if isinstance(each, type) and issubclass(each, AdmissionError)
    }
    assert named == refusals - bases


def test_the_limits_and_reasons_are_the_code_s() -> None:
    limits = Limits()
    assert f"of more than {limits.max_entries}" in PAGE
    assert f"more than {limits.max_depth} levels deep" in PAGE
    assert limits.max_skew_seconds == 5 * 60
    for reason in get_args(RevocationPredicate.model_fields["reason"].annotation):
        assert f"`{reason}`" in PAGE


def test_the_code_on_the_page_runs() -> None:
    [code] = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    exec(compile(code, "docs/keys.md", "exec"), {})  # noqa: S102 - our own document
