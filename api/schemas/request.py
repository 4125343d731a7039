"""What the HTTP interface is asked: JSON bodies, and the text fields beside an upload.

Values are only bounded here, and text is text; what they mean is checked where they are used, with a better message.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, FailFast, Field, field_validator
from pydantic_core import PydanticCustomError

from provenance.errors import TextError
from provenance.text import require_plain

_MAX_DEPTH: Final = 8


def _plain(text: str) -> str:
    try:
        return require_plain(text, "the text")
    except TextError as error:
        raise PydanticCustomError("text", "{reason}", {"reason": str(error).rstrip(".")}) from error


def _plain_members(members: dict[str, object]) -> dict[str, object]:
    _require_plain(members, _MAX_DEPTH)
    return members


def _require_plain(value: object, depth: int) -> None:
    if depth == 0:
        raise PydanticCustomError("depth", "nested more than {levels} levels deep", {"levels": _MAX_DEPTH})
    if isinstance(value, str):
        _plain(value)
    elif isinstance(value, dict):
        for name, member in value.items():
            _plain(name)
            _require_plain(member, depth - 1)
    elif isinstance(value, list):
        for item in value:
            _require_plain(item, depth - 1)


Words = Annotated[str, AfterValidator(_plain)]
"""Text in the query or a header of a request; a body (:class:`Asked`) has no other."""
Members = Annotated[dict[str, Any], Field(max_length=32), AfterValidator(_plain_members)]
"""Members of a predicate; what they have to be, its own type says."""
Short = Annotated[str, Field(max_length=200)]
Text = Annotated[str, Field(max_length=2_000)]


class Asked(BaseModel):
    """A request as it is read: nothing unknown, nothing converted."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", strict=True)

    @field_validator("*")
    @classmethod
    def _is_text(cls, value: object) -> object:
        return _plain(value) if isinstance(value, str) else value


class GenerationAsked(Asked):
    """A recording to be made; ``GET /v1/vocabulary`` lists the words that steer.

    Attributes:
        prompt: At most 2,000 characters.
        seed: The same seed gives the same notes; made up when left out.
        seconds: 5 to 300, met to the bar; not together with ``bars``.
        key: Such as ``D minor``.
        tempo: Quarter notes a minute.
        metre: Such as ``3/4``.
        density: sparse, medium or busy.
        register: low, middle or high.
        era: classical, early-romantic or late-romantic.
        bits: Of each sample: 16 or 24.
        model: Id of a registered model.
    """

    prompt: str
    seed: int | None = None
    bars: int | None = None
    seconds: int | None = None
    key: Short | None = None
    tempo: int | None = None
    metre: Short | None = None
    density: Short | None = None
    register_: Annotated[Short | None, Field(alias="register")] = None
    era: Short | None = None
    bits: int = 16
    model: Short = "quartet"


class CheckAsked(Asked):
    """A question about a recording.

    Attributes:
        use: What is to be done, such as ``commercial-release``.
        territory: ISO 3166-1 alpha-2 code, such as ``DE``.
        date: On which day, such as ``2026-12-24``; today when left out.
        via: Store or society through which.
    """

    use: Short
    territory: Short
    date: Short | None = None
    via: Short | None = None


class PartyAsked(Asked):
    """A person or organisation to be registered; name and numbers stay private.

    Attributes:
        isni: 16 digits; checked.
        ipi: IPI name number; checked.
    """

    name: str
    kind: Literal["person", "organisation"] = "person"
    isni: Short = ""
    ipi: Short = ""


class ErasureAsked(Asked):
    """Whose private values are to be erased.

    Attributes:
        name: Id of a recording or a party, or leaf hash of a statement.
        fields: Which of them; all when left out.
    """

    name: Annotated[Short, Field(min_length=1)]
    fields: Annotated[list[Short], FailFast(), Field(max_length=32)] = []


class StatementAsked(Asked):
    """A statement that is to be signed elsewhere.

    Attributes:
        kind: key, rotation or revocation.
        predicate: Its members; what the home knows may be left out.
        signers: Names of the keys that are to sign it, if not those that it is about.
    """

    kind: Annotated[Short, Field(min_length=1)]
    predicate: Members
    signers: Annotated[list[Short], FailFast(), Field(max_length=8)] = []


class EditFields(Asked):
    """Beside the changed MIDI file.

    Attributes:
        party: Who changed it; the home's owner when left out.
        role: DDEX ContributorRole, such as Composer or Arranger.
        licence: Terms on which that person lets the change be used (SPDX).
    """

    party: Annotated[Short, Field(min_length=1)] = ""
    role: Annotated[Short, Field(min_length=1)] = "Composer"
    licence: Text = ""


class MembershipFields(Asked):
    """Beside the score file.

    Attributes:
        model: Id of a registered model.
    """

    model: Short = "quartet"


class NoFields(Asked):
    """Nothing beside the files."""
