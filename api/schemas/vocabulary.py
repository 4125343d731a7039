"""The words that steer a generation."""

from __future__ import annotations

from api.schemas.base import Answer


class RuleShown(Answer):
    """Words that mean the same, and what they set or hint at."""

    words: list[str]
    effects: list[str]


class Vocabulary(Answer):
    """All that a prompt can say.

    Attributes:
        forms: What is recognised by its form: keys, metres, tempos, lengths.
    """

    rules: list[RuleShown]
    forms: list[str]
    note: str
