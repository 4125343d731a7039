"""What can go wrong when a recording's history is written, read or checked."""


class ProvenanceError(Exception):
    """Base of every error of this package: says what was wrong, where, and what to do."""


class StatementError(ProvenanceError):
    """A statement is not an in-toto Statement v1 of a kind this project defines."""


class DisclosureError(ProvenanceError):
    """An opening does not belong to the commitment it is offered for."""


class CorpusError(ProvenanceError):
    """A corpus manifest is malformed, or its roots do not follow from its items."""


class RoleError(ProvenanceError):
    """What a person says they did is not on the list of roles."""


class LineageError(ProvenanceError):
    """A recording's history cannot be told from the statements at hand."""


class DifferenceError(ProvenanceError):
    """Two scores are not two states of one piece."""


class ObjectError(ProvenanceError):
    """A stored file is missing, altered, or cannot be written."""


class EvidenceError(ProvenanceError):
    """An evidence bundle or package is not what it must be."""


class UnknownRecordingError(ProvenanceError):
    """No recording of this home has that id or that audio."""


class CredentialError(ProvenanceError):
    """A C2PA certificate chain or key cannot be used for signing."""


class ManifestError(ProvenanceError):
    """A C2PA manifest cannot be written or read."""


class UnsupportedMediaError(ManifestError):
    """This audio format cannot carry an embedded manifest."""
