"""Licences as they enter the public log: SPDX expressions, never the words in which they were given."""

from typing import Final

from api.errors import UsageError
from licensing.licence import understand
from licensing.terms import UNKNOWN_LICENCE

MAX_CHARACTERS: Final = 200
"""Of an expression in a statement."""


def recorded_licence(text: str) -> str:
    """Return a licence as it is recorded; empty when none was given.

    The log is public and for good, so that free text must not enter it: what is not understood is
    ``LicenseRef-unknown``, from which no terms follow.

    Raises:
        UsageError: The expression is too long to be recorded.
    """
    expression = understand(text).expression if text.strip() else ""
    if len(expression) > MAX_CHARACTERS:
        raise UsageError(
            f"The licence {expression[:80]}… has {len(expression)} characters; up to {MAX_CHARACTERS} are recorded. "
            "Name fewer licences."
        )
    return expression


def binding_licence(card: str, given: str) -> str:
    """Return what is recorded where a model's card says one thing and its user another: both bind.

    Raises:
        UsageError: The expression is too long to be recorded.
    """
    ours, theirs = recorded_licence(card), recorded_licence(given)
    if ours and theirs and ours != theirs:
        return recorded_licence(f"({ours}) AND ({theirs})")
    return theirs or ours or UNKNOWN_LICENCE
