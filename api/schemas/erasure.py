"""What was erased."""

from pydantic import Field

from api.schemas.base import Answer


class ErasedField(Answer):
    """One private member that nobody can read any more.

    Attributes:
        leaf_hash: Of the statement it belonged to.
        field: Its name.
        log_index: Of the entry that says so.
    """

    leaf_hash: str
    field: str
    log_index: int


class Erasure(Answer):
    """What an erasure did.

    Attributes:
        erased: Every member.
        withdrawn: Ids of the edits that waited for a signature, and do not any more.
        left_to_do: Which files that were handed in are still kept, by an earlier release, with their texts; and what
            the owner of the tables or the administrator of the database server still has to do, until which the bytes
            of the values are in files of the server.
    """

    erased: list[ErasedField]
    withdrawn: list[str] = Field(default_factory=list)
    left_to_do: list[str]
