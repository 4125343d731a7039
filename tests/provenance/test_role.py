"""Roles: exactly those of DDEX that fit, and a hint for every other text."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provenance.errors import ProvenanceError, RoleError
from provenance.role import ROLES, require_role

ROOT = Path(__file__).parents[2]
XSD = ROOT / os.environ.get("LINERNOTES_STANDARDS", "../shared/standards") / "ddex" / "allowed-value-sets.xsd"
SCHEMA = "{http://www.w3.org/2001/XMLSchema}"
UPSTREAM = "DDEX allowed-value-sets (AVS 9), OpenAudio/ddex-proto @7927cea2"


@pytest.mark.skipif(not XSD.is_file(), reason=f"no copy of {UPSTREAM} in {XSD} (LINERNOTES_STANDARDS)")
def test_every_role_is_a_contributor_role_of_ddex() -> None:
    [found] = [kind for kind in ET.parse(XSD).iter(f"{SCHEMA}simpleType") if kind.get("name") == "ContributorRole"]  # noqa: S314 - a file of the standard
    allowed = {value.get("value") for value in found.iter(f"{SCHEMA}enumeration")}
    assert len(allowed) > len(ROLES)
    assert set(ROLES) <= allowed


def test_the_list_is_sorted_and_says_nothing_twice() -> None:
    assert list(ROLES) == sorted(set(ROLES))
    assert {"Composer", "Arranger", "Adapter", "Lyricist"} <= set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_taken_as_it_is(role: str) -> None:
    assert require_role(role) == role


@pytest.mark.parametrize(
    ("text", "meant"),
    [("arranger", "Arranger"), ("Componist", "Composer"), ("sound designer", "SoundDesigner"), ("Lyricst", "Lyricist")],
)
def test_a_near_miss_is_told_what_was_meant(text: str, meant: str) -> None:
    with pytest.raises(RoleError, match=f"Did you mean {meant}"):
        require_role(text)


def test_a_text_that_resembles_nothing_gets_the_list() -> None:
    with pytest.raises(RoleError) as caught:
        require_role("Wizard " + "of the north " * 1000)
    message = str(caught.value)
    assert message.startswith("'Wizard of")
    assert "Did you mean" not in message
    assert len(message) < 1000
    assert all(role in message for role in ROLES)


@given(st.text())
def test_nothing_else_is_a_role(text: str) -> None:
    if text not in ROLES:
        with pytest.raises(ProvenanceError):
            require_role(text)
