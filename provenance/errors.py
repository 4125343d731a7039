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


class DamagedObjectError(ObjectError):
    """A stored file is missing, or has other bytes than those that were stored."""


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


class AdmissionError(ProvenanceError):
    """Base of all that is refused before the log sees it."""


class OversizedEntryError(AdmissionError):
    """An entry that is longer than this log takes."""


class OversizedBatchError(AdmissionError):
    """More entries at once than this log takes, or none."""


class MalformedEnvelopeError(AdmissionError):
    """An entry that is not a DSSE envelope in the one form that is stored."""


class WrongPayloadTypeError(AdmissionError):
    """An envelope whose payload does not call itself an in-toto statement."""


class InvalidTextError(AdmissionError):
    """Bytes that should be text and are not UTF-8."""


class MalformedJsonError(AdmissionError):
    """Text that should be JSON and is not."""


class DeepJsonError(AdmissionError):
    """JSON that is nested deeper than any statement."""


class DuplicateMemberError(AdmissionError):
    """A JSON object that names a member twice."""


class InexactNumberError(AdmissionError):
    """A number with a fraction or an exponent, or one beyond 2^53-1."""


class NotANumberError(AdmissionError):
    """NaN or an infinity where JSON has neither."""


class NotCanonicalError(AdmissionError):
    """A payload that is not in its RFC 8785 form."""


class UnknownPredicateError(AdmissionError):
    """A statement of a kind that this ledger does not know."""


class MalformedStatementError(AdmissionError):
    """A payload that is not the statement it says it is."""


class FutureTimeError(AdmissionError):
    """A statement that says it was made later than now."""


class DanglingLinkError(AdmissionError):
    """A link to an entry that is neither in the log nor earlier in the same batch."""


class KeyringError(AdmissionError):
    """Base of what is refused because of who signed it."""


class BadSignatureError(KeyringError):
    """A signature that does not verify, or is there twice."""


class UnknownKeyError(KeyringError):
    """A key that is not registered, or was not yet."""


class RevokedKeyError(KeyringError):
    """A key whose signatures no longer count, because it was revoked or because the key it stands on was."""


class ReplacedKeyError(RevokedKeyError):
    """A key in whose place another one has come."""


class WrongRoleError(KeyringError):
    """A key whose role does not allow it to sign such a statement."""


class WrongPartyError(KeyringError):
    """A party's key that signs for another party."""


class UnsoundKeyError(KeyringError):
    """A registration of a key that cannot be one: malformed, of small order, not canonical, or misnamed."""


class PossessionError(KeyringError):
    """A registration or rotation that the new key itself did not sign."""


class VouchingError(KeyringError):
    """A registration that no key signed besides the new one, or more than one did."""


class OtherLogError(KeyringError):
    """A registration that was made for another log."""


class KeyTakenError(KeyringError):
    """A registration of a key that is registered already."""


class RotationError(KeyringError):
    """A rotation between keys of which one cannot take the place of the other."""


class RevocationError(KeyringError):
    """A revocation by a key that may not decide this, or that reaches further than it may."""


class DuplicateStatementError(AdmissionError):
    """A statement whose random identifier another statement has already."""


class TextError(ProvenanceError):
    """Text that cannot be stored, shown or compared, or says nothing."""


class WrongLinkError(AdmissionError):
    """A statement that names an entry of another kind than it is about."""
