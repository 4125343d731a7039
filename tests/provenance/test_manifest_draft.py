"""Drafts that say too little or something unknown."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from provenance.assertion import MiningPermission
from provenance.errors import ManifestError

if TYPE_CHECKING:
    from tests.provenance.conftest import Studio


def actions(definition: str) -> list[dict[str, Any]]:
    assertions = {each["label"]: each["data"] for each in json.loads(definition)["assertions"]}
    found = assertions["c2pa.actions.v2"]["actions"]
    assert isinstance(found, list)
    return found


def test_a_new_recording_is_created(studio: Studio) -> None:
    (created,) = actions(studio.new.to_definition("urn:c2pa:x"))
    assert created["action"] == "c2pa.created"
    assert created["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert created["parameters"]["org.linernotes.model"] == "quartet-1"


def test_an_edited_recording_is_opened_and_then_edited(studio: Studio) -> None:
    opened, *edits = actions(studio.edited.to_definition("urn:c2pa:x"))
    assert opened == {
        "action": "c2pa.opened",
        "parameters": {"ingredientIds": ["parent"], "org.linernotes.recording": studio.edited.recording_id},
    }
    assert {edit["action"] for edit in edits} == {"c2pa.edited"}
    assert {edit["digitalSourceType"].rpartition("/")[2] for edit in edits} == {"compositeWithTrainedAlgorithmicMedia"}


def test_an_unknown_source_type_is_refused(studio: Studio) -> None:
    with pytest.raises(ManifestError, match="'byMagic' is not a digital source type"):
        replace(studio.new, source_type="byMagic")  # type: ignore[arg-type] # what is refused


def test_what_is_no_iscc_is_refused(studio: Studio) -> None:
    with pytest.raises(ManifestError, match="not an ISCC"):
        replace(studio.new, iscc="EIDSJBBKJJ2IJICKMCHK")


@pytest.mark.parametrize("permission", [None, MiningPermission("constrained")])
@pytest.mark.parametrize("kind", ["ai_generative_training", "ai_inference", "ai_training", "data_mining"])
def test_all_four_permissions_have_to_be_clear(studio: Studio, kind: str, permission: MiningPermission | None) -> None:
    with pytest.raises(ManifestError, match="all four"):
        replace(studio.new, training_mining=replace(studio.new.training_mining, **{kind: permission}))
