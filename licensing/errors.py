"""What can go wrong when rights are described or a question about them is asked.

Every message is one paragraph: what was wrong (with the value), where, and what to do next.
"""

_SHOWN_CHARACTERS = 60


class LicensingError(Exception):
    """Base of every error of this package: says what was wrong, where, and what to do."""


class PartyError(LicensingError):
    """A party's kind, name or identifier is not what it must be."""


class IdentifierError(PartyError):
    """An ISNI or IPI name number whose form or check digits are wrong."""


class QuestionError(LicensingError):
    """A question that cannot be ruled on: its use, territory, date or asker is not one."""


class TerritoryError(QuestionError):
    """A territory that is not in ISO 3166-1."""


class ClosureError(LicensingError):
    """A lineage closure that contradicts itself, so that no verdict on it would be sound."""


class DataFileError(LicensingError):
    """A data file of terms, territories or policies breaks the form it must have."""


class PolicyError(LicensingError):
    """A policy that is not there, or that would let the unknown pass."""


def shown(text: str) -> str:
    """Return ``text`` quoted for a message, shortened when it is long."""
    return repr(text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…")
