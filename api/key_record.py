"""Keys of a home's log: put on record, replaced, revoked, and what their signatures are worth."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from api.errors import NothingThereError, UsageError
from api.key_statements import registration_statement, revocation_statement, rotation_statement
from api.registration import certificate_statement
from api.schemas.signing import EndingShown, KeyTerm, Recorded
from api.signing import countersigned, leaf_of, signed
from api.witnessing import read_policy, submit_newest
from ledger.errors import LedgerError, SuccessionError
from provenance import store
from provenance.admission import receive
from provenance.key_predicate import KeyPredicate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.home import Home
    from api.submission import Intake
    from ledger.keys import Signer
    from provenance.key_term import Ending
    from provenance.keyring import Keyring

WITNESS_SECONDS: Final = 10.0
"""How long a handover waits for the witnesses."""
_log = logging.getLogger("linernotes")


def register_key(
    home: Home, intake: Intake, registration: bytes, *, role: str, party: str = "", voucher: Signer | None = None
) -> Recorded:
    """Vouch for a registration that its own key has signed, and put it on record.

    Args:
        home: Whose log; its service key vouches.
        intake: The way into the log.
        registration: The envelope, signed by the new key.
        role: The role that is granted; the registration must ask for this one.
        party: The party that the key belongs to, for the role ``party``.
        voucher: Another key that vouches: an owner's.

    Raises:
        UsageError: It is no registration, or asks for something else than is granted.
        NothingThereError: There is no such party.
        AdmissionError: It is refused.
    """
    predicate = receive(registration).statement.predicate
    if not isinstance(predicate, KeyPredicate):
        raise UsageError(f"The envelope holds a {predicate.KIND} statement, and no registration of a key.")
    if (predicate.role, predicate.party) != (role, party):
        asked = f"the role {predicate.role}" + (f" for the party {predicate.party[:80]!r}" if predicate.party else "")
        raise UsageError(
            f"The registration asks for {asked}, and you are granting the role {role}"
            + (f" for the party {party[:80]!r}" if party else "")
            + ": grant exactly what is asked for (--role, --party), if that is what you mean."
        )
    if party:
        _require_party(home, party)
    [recorded] = record(intake, [countersigned(registration, voucher or home.service)])
    return recorded


def record(intake: Intake, envelopes: Sequence[bytes]) -> list[Recorded]:
    """Put signed statements on record.

    Raises:
        AdmissionError: One of them is refused; nothing was appended.
    """
    receipts = intake.submit(envelopes)
    return [
        Recorded(kind=receive(data).statement.kind, leaf_hash=leaf_of(data), log_index=receipt.index)
        for data, receipt in zip(envelopes, receipts, strict=True)
    ]


def rotation(ring: Keyring, old: Signer, new: Signer) -> bytes:
    """Return the signed statement that puts a key in the place of another, both of which are on record.

    Raises:
        UnknownKeyError: One of them is not.
    """
    role = ring.term(old.keyid).key.role
    registered = ring.term(new.keyid).key
    return signed(rotation_statement(role, old.keyid, new.keyid, registered.leaf_hash).to_bytes(), old, new)


def revocation(ring: Keyring, keyid: str, by: Signer, reason: str, from_index: int | None = None) -> bytes:
    """Return the signed statement that ends a key.

    Raises:
        UnknownKeyError: It is not on record.
    """
    key = ring.term(keyid).key
    return signed(revocation_statement(keyid, key.leaf_hash, reason, from_index).to_bytes(), by)


def rotate_service_key(home: Home, intake: Intake) -> list[Recorded]:
    """Put a new service key in the place of the home's; what was interrupted, the home's next start ends.

    Args:
        home: Whose service key. Other processes that have it open have to open it again.
        intake: The way into its log.

    Returns:
        The new key's registration, the rotation, and the certificate for manifests, which the new key vouches for
        as well, unless it is ended, so that evidence made from now on needs the new key alone.

    Raises:
        AdmissionError: The home's key is not in office any more: another process was faster.
    """
    with home.alone():
        return renew_service_key(home, intake)


def renew_service_key(home: Home, intake: Intake) -> list[Recorded]:
    """Do what :func:`rotate_service_key` does, while the home is held ``alone``."""
    ring = intake.keyring()
    old = home.service
    ring.require(old.keyid, frozenset({"service"}), ring.size)
    new = home.custody.next_service()
    registered = signed(registration_statement("service", new.verifier, home.log_vkey).to_bytes(), new, old)
    rotated = rotation_statement("service", old.keyid, new.keyid, leaf_of(registered))
    envelopes = [registered, signed(rotated.to_bytes(), old, new)]
    certificate = certificate_statement(home.credential, home.log_vkey)
    if certificate.predicate.keyid not in ring.keys or ring.term(certificate.predicate.keyid).stop is None:
        envelopes.append(signed(certificate.to_bytes(), new))
    recorded = record(intake, envelopes)
    home.take_up_keys()
    return recorded


def rotate_log_key(home: Home, intake: Intake) -> list[Recorded]:
    """Hand the home's log over to a new key; what was interrupted is taken up by the next call or the next start.

    1. The new key is made, and kept durably beside the old one.
    2. It is registered.
    3. Both keys sign the rotation, and the checkpoint in which it is the newest entry: with that, the new key is in
       office, and takes the old one's place, which is gone.
    4. The witnesses of the settings get that checkpoint, the last that the old key signed.
    5. The service key is replaced too, so that evidence made from now on names the new key of the log.

    Args:
        home: Whose log. Other processes that have it open cannot sign any more, and have to open it again.
        intake: The way into its log.

    Returns:
        The registration, if it was not there yet, the rotation, and what :func:`rotate_service_key` records.

    Raises:
        SuccessionError: Another process was faster.
        LedgerError: The log cannot be handed over.
        AdmissionError: One of the statements is refused.
    """
    with home.alone():
        ring = intake.keyring()
        if ring.log[-1][0] != home.log_vkey:
            raise SuccessionError(
                f"The log was handed over to the key {ring.log[-1][0]} by another process. Nothing was done; run the "
                "command again, if that one is to be replaced too."
            )
        ring.require(home.service.keyid, frozenset({"service"}), ring.size)  # it has to vouch, and to be replaced
        new = home.custody.next_log()
        recorded = []
        if new.keyid not in ring.keys:
            registration = registration_statement("log", new.verifier, home.log_vkey)
            recorded += record(intake, [signed(registration.to_bytes(), new, home.service)])
        rotated = rotation(intake.keyring(), home.log_key, new)
        receipt = intake.hand_over(rotated, new)
        recorded.append(Recorded(kind="rotation", leaf_hash=leaf_of(rotated), log_index=receipt.index))
        _show_witnesses(home)
        return recorded + renew_service_key(home, intake)


def term_of(ring: Keyring, keyid: str) -> KeyTerm:
    """Say in which entries a key's signatures count.

    Raises:
        UnknownKeyError: It is not on record.
    """
    term = ring.term(keyid)
    return KeyTerm(
        keyid=keyid,
        role=term.key.role,
        party=term.key.party,
        log_index=term.key.index,
        leaf_hash=term.key.leaf_hash,
        stop=term.stop,
        ending=None if term.ending is None else shown_ending(term.ending),
    )


def shown_ending(ending: Ending) -> EndingShown:
    """Say what ended a key."""
    return EndingShown(
        from_index=ending.from_index,
        log_index=ending.index,
        by=ending.by,
        reason=ending.reason,
        successor=ending.successor,
    )


def _require_party(home: Home, party: str) -> None:
    with home.reading() as connection:
        found = store.find_registration(connection, "party", party)
    if found is None:
        raise NothingThereError(f"This home has no party {party[:80]!r}; `linernotes party list` shows those it has.")


def _show_witnesses(home: Home) -> None:
    """Let the witnesses see the checkpoint that both keys signed: some know the old key alone."""
    if home.settings.witness_policy is None:
        return
    try:
        answer = submit_newest(home, read_policy(home.settings.witness_policy), WITNESS_SECONDS)
        missing = [f"{each.witness}: {each.detail}" for each in answer.witnesses if each.result != "cosigned"]
    except (LedgerError, UsageError, OSError) as fault:
        missing = [str(fault)]
    for each in missing:
        _log.warning("A witness did not cosign the checkpoint that both keys signed; tell its operator. %s", each)
