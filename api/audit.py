"""Was this work in what a model learned from? With a proof either way, or an honest "cannot tell"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from api.errors import UsageError
from api.weights import BUILT_IN, open_model
from generator.errors import GeneratorError
from generator.musicxml import read_musicxml
from generator.score import content_digest
from provenance import store
from provenance.identity import file_digest
from provenance.openscore import shipped_manifest
from provenance.text import require_line

if TYPE_CHECKING:
    from pathlib import Path

    from api.home import Home
    from provenance.corpus import CorpusItem, CorpusManifest, Doubt, MembershipProof
    from provenance.store import Registration

Answer = Literal["yes", "no", "cannot-tell"]
MAX_NAME = 500
FOUND = (
    "Found by name; the proof is of the item with its digests. Others may have the same name: compare the item, or ask "
    "by file to be sure."
)
ABSENT = (
    "No composer of an item has this name or one like it, and the manifest is whole: its roots were recomputed. Who "
    "goes by another name too is not found by this one; ask by file to be sure."
)
_BY_FILE = "Ask again by file, which needs no names."
_DOUBTS: dict[Doubt, str] = {
    "similar": f"No item has this name, and some have a similar one. {_BY_FILE}",
    "script": "The name is written in other letters than the names of the manifest, so that they cannot be compared. "
    f"Write it in those letters. {_BY_FILE}",
    "initials": f"Initials and particles do not tell one composer from another. Give the family name. {_BY_FILE}",
    "title": "No item has this title. A work goes by several titles, so that this proves nothing. Give the composer "
    f"too. {_BY_FILE}",
    "common-title": "Items have this title, and so have works of many composers. Say whose is meant: give the composer "
    f"too. {_BY_FILE}",
    "other-title": "Works by this composer are items, and none has this title. A work goes by several titles, so that "
    f"this proves nothing. {_BY_FILE}",
    "other-composer": f"An item has this title, and its composer has another name. {_BY_FILE}",
}


@dataclass(frozen=True, slots=True)
class Membership:
    """Whether a work is in a corpus.

    Attributes:
        asked: What was asked, in words.
        items: What was found; several when a name fits several.
        proofs: Of presence, one for each item; or of absence.
        candidates: Items with similar names, when nothing was found by name.
        note: What the answer does not say.
    """

    verdict: Answer
    model_id: str
    asked: str
    items: tuple[CorpusItem, ...]
    proofs: tuple[MembershipProof, ...]
    candidates: tuple[CorpusItem, ...]
    corpus: CorpusManifest
    registration: Registration
    note: str


def membership(
    home: Home, *, file: Path | None = None, title: str = "", composer: str = "", model: str = BUILT_IN
) -> Membership:
    """Answer for a score file, or for a title, a composer, or both.

    Raises:
        UsageError: Nothing was asked, or the model's corpus is not on record.
        TextError: A name that was asked for is no name.
    """
    if (file is None) == (not title and not composer):
        raise UsageError("Ask for a file, or for a title or composer: --file F, or --title T and --composer C.")
    title = require_line(title, "The title", most=MAX_NAME) if title else ""
    composer = require_line(composer, "The composer", most=MAX_NAME) if composer else ""
    model_id = open_model(home, model).statement.model_id
    corpus, registration = _corpus(home, model)
    if file is not None:
        return _by_file(file, model_id, corpus, registration)
    return _by_name(title, composer, model_id, corpus, registration)


def _by_file(path: Path, model_id: str, corpus: CorpusManifest, registration: Registration) -> Membership:
    try:
        of_file = corpus.prove("file", file_digest(path))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        of_content = corpus.prove("content", content_digest(read_musicxml(path)))
    except GeneratorError as error:
        proofs, unread = [of_file], str(error)
    else:
        proofs, unread = [of_file, of_content], ""
    found = [proof for proof in proofs if proof.present]
    verdict: Answer
    if found:
        verdict, note = "yes", "Found by its " + ("file digest" if found[0].key == "file" else "musical content") + "."
    elif unread:
        verdict, note = "cannot-tell", f"No item is this very file, and its music cannot be compared: {unread}"
    else:
        verdict, note = "no", "Neither this file nor its music, note for note, is an item. A changed copy is not found."
    items = tuple(proof.neighbours[0].item for proof in found[:1])
    shown = tuple(found[:1] or proofs)
    return Membership(verdict, model_id, f"file {path.name}", items, shown, (), corpus, registration, note)


def _by_name(
    title: str, composer: str, model_id: str, corpus: CorpusManifest, registration: Registration
) -> Membership:
    found = corpus.search(title=title, composer=composer)
    asked = ", ".join(f"{name} {value!r}" for name, value in (("title", title), ("composer", composer)) if value)
    proofs = tuple(corpus.prove("identifier", item.identifier) for item in found.found)
    if found.found:
        return Membership("yes", model_id, asked, found.found, proofs, (), corpus, registration, FOUND)
    verdict: Answer = "cannot-tell" if found.doubt else "no"
    note = _DOUBTS[found.doubt] if found.doubt else ABSENT
    return Membership(verdict, model_id, asked, found.found, proofs, found.similar, corpus, registration, note)


def _corpus(home: Home, model: str) -> tuple[CorpusManifest, Registration]:
    statement = open_model(home, model).statement
    shipped = shipped_manifest()
    with home.reading() as connection:
        registration = store.find_registration(connection, "corpus", shipped.id)
    if not statement.corpus or registration is None or statement.roots != shipped.roots:
        raise UsageError(
            f"The corpus of the model {statement.model_id} is not on record here: nobody can tell what it learned "
            "from. Its maker would have to publish a manifest."
        )
    return shipped, registration
