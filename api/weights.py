"""The models of a home: the built-in one, and those a user registered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.errors import UsageError
from api.licences import binding_licence, recorded_licence
from api.registration import model_statement
from generator.model import load_model, read_card, verify_weights
from licensing.terms import UNKNOWN_LICENCE
from provenance import store
from provenance.openscore import shipped_manifest
from provenance.source_predicate import ModelPredicate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from api.home import Home
    from generator.request import Controls, GenerationRequest
    from generator.score import Score
    from ledger.log import Receipt
    from provenance.identity import Digest

BUILT_IN = "quartet"
_FOLDER = "models"


@dataclass(frozen=True, slots=True)
class OpenedModel:
    """A model on record whose weights are at hand.

    Attributes:
        leaf_hash: Of its statement.
        directory: Of its weights; None for the built-in ones.
    """

    statement: ModelPredicate
    leaf_hash: Digest
    directory: Path | None
    device: str

    def compose(
        self, request: GenerationRequest, controls: Controls, progress: Callable[[int, int], None] | None
    ) -> Score:
        """Write a score with these weights, which are checked against the card first.

        Raises:
            ModelError: The weights were altered or cannot be used.
        """
        return load_model(self.directory, self.device).compose(request, controls, progress)  # type: ignore[arg-type]


def open_model(home: Home, name: str) -> OpenedModel:
    """Find a registered model.

    Args:
        home: Where it is registered.
        name: Its id; ``quartet`` for the built-in one.

    Raises:
        UsageError: No model of that id is registered, or its files are not those that were registered.
    """
    model_id = read_card().id if name == BUILT_IN else name
    with home.reading() as connection:
        found = store.find_registration(connection, "model", model_id)
        known = [registration.name for registration in store.registrations(connection, "model")]
    if found is None:
        raise UsageError(
            f"There is no model {name[:80]!r}; registered are {', '.join(known)}. Register a folder of weights first: "
            "linernotes model register FOLDER --licence SPDX"
        )
    statement = home.statement(found.leaf_hash).predicate
    if not isinstance(statement, ModelPredicate):
        raise UsageError(f"The entry {found.leaf_hash} is not a model.")
    directory = None if model_id == read_card().id else _folder(home, statement.weights_digest)
    if read_card(directory).weights_digest != statement.weights_digest:
        raise UsageError(f"The weights of {model_id} are not those that were registered; register them as a new model.")
    return OpenedModel(statement, found.leaf_hash, directory, home.settings.device)


def register_model(home: Home, directory: Path, licence: str, output_licence: str) -> tuple[ModelPredicate, Receipt]:
    """Put a folder of weights on record, and keep where it lies.

    Args:
        home: Where.
        directory: Holds ``model-card.json`` and the files it names.
        licence: SPDX expression of the weights; what the card says when empty. Where the card says something
            else, both bind.
        output_licence: What their maker grants in the output; unknown when empty.

    A licence that is not understood is recorded as ``LicenseRef-unknown``, never as it stands.

    Raises:
        ModelError: The folder is no model, or a file is not the one its card names.
        UsageError: A model of that id is registered already, or its licences are too long to be recorded.
    """
    card = verify_weights(directory)
    with home.reading() as connection:
        if store.find_registration(connection, "model", card.id) is not None:
            raise UsageError(f"A model {card.id} is registered already. Give the new weights an id of their own.")
        shipped = shipped_manifest()
        known = card.corpus is not None and card.corpus.id == shipped.id
        corpus = store.find_registration(connection, "corpus", shipped.id) if known else None
    statement = model_statement(
        card,
        corpus.leaf_hash if corpus else "",
        shipped if corpus else None,
        binding_licence(card.licence, licence),
        recorded_licence(output_licence) or UNKNOWN_LICENCE,
    )
    link = _folder(home, card.weights_digest)
    link.unlink(missing_ok=True)
    link.symlink_to(directory.resolve(), target_is_directory=True)
    [receipt] = home.append([home.sign(statement)])
    return statement.predicate, receipt


def _folder(home: Home, weights_digest: str) -> Path:
    """Where a registered model's files lie: a link, named by their digest, to the user's folder."""
    return home.root / _FOLDER / weights_digest.removeprefix("sha256:")
