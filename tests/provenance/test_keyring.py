"""Who may sign what, and where: every rule of the keyring, each broken in turn."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.entry import Entry
from ledger.envelope import Envelope
from ledger.keys import Ed25519Signer, Ed25519Verifier
from ledger.merkle import leaf_hash
from ledger.note import NoteSigner, NoteVerifier
from ledger.rotation import Succession, Tenure
from provenance.errors import (
    BadSignatureError,
    KeyringError,
    KeyTakenError,
    OtherLogError,
    PossessionError,
    ReplacedKeyError,
    RevocationError,
    RevokedKeyError,
    RotationError,
    UnknownKeyError,
    UnsoundKeyError,
    VouchingError,
    WrongPartyError,
    WrongRoleError,
)
from provenance.identity import digest, now
from provenance.key_predicate import KeyPredicate
from provenance.keyring import REVOKERS, VOUCHERS, Keyring, folded
from provenance.kind import PREDICATES
from provenance.predicate import Predicate
from provenance.signed_entry import SignedEntry, read_entry
from provenance.statement import Statement, parse
from tests.provenance.key_log import (
    TAKE,
    KeyLog,
    edit,
    leaf_of,
    new_key,
    party,
    registration,
    revocation,
    rotation,
    signed,
    stated,
)

ROLES = ("service", "owner", "party", "witness", "log")
CERTIFICATE = b"0\x03\x02\x01\x07"


@pytest.fixture
def log() -> KeyLog:
    return KeyLog()


def certificate(log: KeyLog, data: bytes = CERTIFICATE, **members: object) -> Statement[Predicate]:
    stands = {
        "role": "c2pa",
        "algorithm": "x509",
        "keyid": digest(data),
        "public_key": base64.b64encode(data).decode(),
        "log_vkey": log.vkey,
    }
    return stated(KeyPredicate, **(stands | members))


# Registration


def test_a_log_begins_with_a_service_key_and_names_its_own(log: KeyLog) -> None:
    assert {key.role for key in log.ring.keys.values()} == {"service", "log"}
    assert log.ring.log == ((log.vkey, 0),)
    assert log.ring.size == log.next == 2


@pytest.mark.parametrize("role", ["party", "witness", "log", "owner"])
def test_no_other_role_begins_a_log(role: str) -> None:
    log, key = KeyLog(), new_key()
    log.ring, log.entries = Keyring(), []
    with pytest.raises(VouchingError, match="signed by 0 besides itself"):
        log.append(registration(key, role, log.vkey, party="p" if role == "party" else ""), key)


def test_the_log_s_own_key_is_no_service_key() -> None:
    note = NoteSigner("example.org/log", new_key())
    with pytest.raises(KeyTakenError, match="registered since entry 0 as log"):
        KeyLog(note=note, service=note.key)


@pytest.mark.parametrize("role", ROLES)
def test_a_registration_is_signed_by_the_key_itself(log: KeyLog, role: str) -> None:
    statement = registration(new_key(), role, log.vkey, party=log.ada if role == "party" else "")
    with pytest.raises(PossessionError, match="not signed with that key"):
        log.append(statement, log.service)


@pytest.mark.parametrize("role", ROLES)
def test_a_registration_needs_somebody_who_vouches(log: KeyLog, role: str) -> None:
    """Or else anybody could make himself the service."""
    key, other = new_key(), log.register("witness")
    statement = registration(key, role, log.vkey, party=log.ada if role == "party" else "")
    with pytest.raises(VouchingError, match="signed by 0 besides itself"):
        log.append(statement, key)
    with pytest.raises(VouchingError, match="signed by 2 besides itself"):
        log.append(statement, key, log.service, other)
    with pytest.raises(WrongRoleError, match="registered as witness"):
        log.append(statement, key, other)
    log.append(statement, key, log.service)
    assert log.ring.keys[key.keyid].vouched_by == log.service.keyid


def test_a_certificate_is_registered_by_the_service_alone(log: KeyLog) -> None:
    index = log.append(certificate(log), log.service)
    assert log.ring.keys[digest(CERTIFICATE)].index == index
    with pytest.raises(WrongRoleError):
        log.append(certificate(log, b"other"), log.register("party"))


def test_a_certificate_may_be_vouched_for_again(log: KeyLog) -> None:
    """After a rotation of the service key, evidence needs the new one alone."""
    index = log.append(certificate(log), log.service)
    new = log.rotate("service", log.service)
    log.append(certificate(log), new)
    assert log.ring.keys[digest(CERTIFICATE)].index == index
    log.revoke(digest(CERTIFICATE), new)
    with pytest.raises(KeyTakenError):
        log.append(certificate(log), new)


@pytest.mark.parametrize("role", ROLES)
def test_a_key_has_one_role_once(log: KeyLog, role: str) -> None:
    key = log.register("party")
    with pytest.raises(KeyTakenError, match="as party: a key has one role, once"):
        log.append(registration(key, role, log.vkey, party=log.ada if role == "party" else ""), key, log.service)


def test_a_registration_for_another_log_is_refused(log: KeyLog) -> None:
    key = new_key()
    elsewhere = signed(registration(key, "party", KeyLog().vkey, party=log.ada), key, log.service)
    with pytest.raises(OtherLogError, match="made for the log"):
        log.add(elsewhere)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"public_key": base64.b64encode(bytes(32)).decode()}, "small order"),
        ({"public_key": base64.b64encode(b"\x01" + bytes(31)).decode()}, "small order"),
        ({"public_key": base64.b64encode(b"\xee" + b"\xff" * 30 + b"\x7f").decode()}, "canonical"),
        ({"public_key": base64.b64encode(b"\x02" + bytes(31)).decode()}, "not a point"),
        ({"public_key": base64.b64encode(bytes(31)).decode()}, "32 bytes long"),
        ({"public_key": "AAA"}, "not base64"),
        ({"keyid": digest(b"another")}, "but the key it registers is"),
        ({"algorithm": "x509"}, "not registered as x509"),
        ({"role": "c2pa", "party": ""}, "not registered as ed25519"),
        ({"party": ""}, "belongs to a party exactly when"),
        ({"role": "service"}, "belongs to a party exactly when"),
    ],
)
def test_keys_that_cannot_be_are_refused(log: KeyLog, members: dict[str, object], message: str) -> None:
    key = new_key()
    statement = registration(key, "party", log.vkey, **({"party": log.ada} | members))
    with pytest.raises(UnsoundKeyError, match=message):
        log.append(statement, log.service)


def test_the_first_registration_has_to_name_the_log() -> None:
    log, key = KeyLog(), new_key()
    log.ring, log.entries = Keyring(), []
    with pytest.raises(UnsoundKeyError, match="does not name the log's key"):
        log.append(registration(key, "service", "example.org/log"), key)


# What a role may sign


def test_a_party_signs_its_own_edits(log: KeyLog) -> None:
    key = log.register("party")
    index = log.edit(key)
    assert log.ring.term(key.keyid).spares(index)


def test_a_party_does_not_sign_for_another(log: KeyLog) -> None:
    key = log.register("party")
    with pytest.raises(WrongPartyError, match=f"belongs to the party {log.ada}"):
        log.edit(key, party_id="somebody else")
    with pytest.raises(WrongRoleError):
        log.append(party(party_id=log.ada), key)


def test_what_was_measured_is_signed_by_the_home_as_well(log: KeyLog) -> None:
    """A party knows what it did and on what terms; digests and counts of notes are the home's word."""
    key = log.register("party")
    statement = edit(log.ada, TAKE, log.ada_leaf)
    with pytest.raises(WrongRoleError, match="says what the home measured"):
        log.append(statement, key)
    log.append(statement, log.service)
    log.append(edit(log.ada, TAKE, log.ada_leaf), key, log.service)


@pytest.mark.parametrize("role", ["log", "witness", "owner"])
def test_other_roles_sign_no_statements(log: KeyLog, role: str) -> None:
    key = log.register(role)
    for act in (lambda: log.append(party(), key), lambda: log.edit(key)):
        with pytest.raises(WrongRoleError, match=f"registered as {role}"):
            act()


def test_one_right_signature_does_not_cover_for_a_wrong_one(log: KeyLog) -> None:
    key = log.register("witness")
    with pytest.raises(WrongRoleError):
        log.append(party(), log.service, key)


def test_every_statement_a_party_may_sign_names_the_party() -> None:
    for kind, predicate in PREDICATES.items():
        if "party" in predicate.SIGNED_BY and kind not in {"key", "rotation", "revocation"}:
            assert "party_id" in predicate.model_fields, kind


def test_a_key_signs_nothing_before_it_is_registered(log: KeyLog) -> None:
    with pytest.raises(UnknownKeyError, match="not registered in this log"):
        log.append(party(), new_key())
    key = log.register("service")
    entry = SignedEntry(9, leaf_of(log.entries[-1]), party(), frozenset({key.keyid}))
    with pytest.raises(UnknownKeyError, match="registered at entry 2, and signed entry 2"):
        log.ring.require(key.keyid, frozenset({"service"}), 2)
    assert log.ring.after(entry).size == 10


def test_a_certificate_signs_no_statement(log: KeyLog) -> None:
    from ledger.envelope import PAYLOAD_TYPE, EnvelopeSignature

    log.append(certificate(log), log.service)
    forged = Envelope(PAYLOAD_TYPE, party().to_bytes(), (EnvelopeSignature(digest(CERTIFICATE), bytes(64)),))
    with pytest.raises(WrongRoleError, match="signs no statements"):
        log.add(forged.to_bytes())


def test_a_key_signs_once(log: KeyLog) -> None:
    with pytest.raises(BadSignatureError, match="signed twice"):
        log.append(party(), log.service, log.service)


# Rotation


@pytest.mark.parametrize("role", ["service", "party", "witness", "log"])
def test_a_replaced_key_signs_nothing_more(log: KeyLog, role: str) -> None:
    old = {"service": log.service, "log": log.note.key}.get(role) or log.register(role)
    new = log.rotate(role, old)
    at = log.next - 1
    term = log.ring.term(old.keyid)
    assert (term.stop, term.ending.successor) == (at + 1, new.keyid)
    assert term.spares(at)
    assert not term.spares(at + 1)
    with pytest.raises(ReplacedKeyError, match=f"replaced by {new.keyid} at entry {at}"):
        log.ring.require(old.keyid, frozenset({role}), at + 1)
    assert log.ring.require(new.keyid, frozenset({role}), at + 1).keyid == new.keyid
    with pytest.raises(ReplacedKeyError):
        log.rotate(role, old, voucher=new if role == "service" else log.service)


def test_both_keys_sign_a_rotation_and_nobody_else(log: KeyLog) -> None:
    old, new = log.register("party"), log.register("party")
    statement = rotation("party", old, new, log.leaf(new))
    with pytest.raises(PossessionError, match=r"new key .* did not sign"):
        log.append(statement, old)
    with pytest.raises(RotationError, match="by the old key and the new one"):
        log.append(statement, new)
    with pytest.raises(RotationError, match="nobody else"):
        log.append(statement, old, new, log.service)
    log.append(statement, old, new)


def test_keys_that_cannot_follow_each_other(log: KeyLog) -> None:
    old, other, witness = log.register("party"), log.register("party", party="another"), log.register("witness")
    new = log.register("party")
    cases = [
        (rotation("party", old, other, log.leaf(other)), (old, other), RotationError),
        (rotation("party", old, witness, log.leaf(witness)), (old, witness), WrongRoleError),
        (rotation("service", old, new, log.leaf(new)), (old, new), WrongRoleError),
        (rotation("party", old, old, log.leaf(old)), (old,), RotationError),
        (rotation("party", old, new, log.leaf(old)), (old, new), RotationError),
        (rotation("party", old, stranger := new_key(), log.leaf(old)), (old, stranger), UnknownKeyError),
    ]
    for statement, signers, error in cases:
        with pytest.raises(error):
            log.append(statement, *signers)


def test_the_log_s_key_is_replaced_and_the_ring_says_from_which_size_on(log: KeyLog) -> None:
    first, new = log.vkey, log.rotate("log", log.note.key)
    after = NoteSigner("example.org/log", new)
    assert log.ring.log == ((first, 0), (after.verifier.vkey, log.next))
    keys = Succession(tuple(Tenure(NoteVerifier.parse(vkey), size) for vkey, size in log.ring.log))
    assert set(keys.signers(log.next)) == {log.note.verifier, after.verifier}
    log.rotate("log", new)
    assert [size for _, size in log.ring.log] == [0, log.next - 2, log.next]
    key = new_key()
    with pytest.raises(OtherLogError):
        log.append(registration(key, "party", log.note.verifier.vkey, party=log.ada), key, log.service)
    log.register("party")


def test_a_log_key_that_never_signed_checkpoints_hands_over_nothing(log: KeyLog) -> None:
    idle, other = log.register("log"), log.register("log")
    with pytest.raises(RotationError, match="does not sign this log's checkpoints"):
        log.append(rotation("log", idle, other, log.leaf(other)), idle, other)


# Revocation


def test_a_revocation_spares_what_came_before_its_index(log: KeyLog) -> None:
    key = log.register("party")
    first, second, third = log.edit(key), log.edit(key), log.edit(key)
    at = log.revoke(key, log.service, from_index=second)
    term = log.ring.term(key.keyid)
    assert [term.spares(index) for index in (first, second, third)] == [True, False, False]
    assert (term.ending.index, term.ending.by, term.ending.reason) == (at, log.service.keyid, "compromised")
    assert "is spared and counts, though" in term.verdict(first)
    assert f"does not count: {key.keyid} was revoked at entry {at}" in term.verdict(second)
    assert term.span().endswith(f"in entries 2 to {second - 1}, and in no later one: {term.ending}")
    with pytest.raises(RevokedKeyError, match=f"as of entry {second}"):
        log.edit(key)


def test_a_thief_cannot_win_by_the_time_he_states(log: KeyLog) -> None:
    """The key is stolen; whatever is signed with it after the revocation is refused, however old it says it is."""
    key = log.register("party")
    honest = log.edit(key, time="2026-11-20T12:00:00Z")
    log.revoke(key, log.service, from_index=honest + 1)
    for time in ("2020-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "2026-11-20T11:59:59Z", now()):
        with pytest.raises(RevokedKeyError):
            log.edit(key, time=time)
    assert log.ring.term(key.keyid).spares(honest)


def test_what_was_known_then_and_what_is_known_now(log: KeyLog) -> None:
    key = log.register("party")
    index = log.edit(key)
    log.fill(2)
    at = log.revoke(key, log.service, from_index=index)
    for size in range(log.next + 1):
        then = log.ring.at(size)
        if size <= 2:
            assert key.keyid not in then.keys
        else:
            assert then.term(key.keyid).spares(index) == (size <= at)
    assert log.ring.at(log.next) == log.ring
    assert log.ring.at(0) == Keyring()


def test_a_key_ends_itself_but_takes_nothing_back(log: KeyLog) -> None:
    """A grant that could be disowned alone would be worth nothing."""
    key = log.register("party")
    index = log.edit(key)
    for reach in (0, index, index + 1):
        with pytest.raises(RevocationError, match="nobody takes back alone"):
            log.revoke(key, key, from_index=reach)
    at = log.revoke(key, key, reason="ceased")
    assert log.ring.term(key.keyid).spares(index)
    assert log.ring.term(key.keyid).stop == at + 1
    with pytest.raises(RevokedKeyError):
        log.edit(key)
    with pytest.raises(RevokedKeyError):
        log.revoke(key, key)


@pytest.mark.parametrize("role", ["party", "witness", "service", "owner"])
@pytest.mark.parametrize("by", ["party", "witness", "service", "owner", "log"])
def test_who_may_revoke_whom(role: str, by: str) -> None:
    log = KeyLog()
    owner = log.register("owner")
    keys = {"owner": owner, "service": log.service, "party": log.register("party"), "witness": log.register("witness")}
    target = log.register(role, voucher=owner if role == "owner" else log.service)
    revoker = keys.get(by) or log.note.key
    if by in REVOKERS[role]:
        log.revoke(target, revoker)
        assert log.ring.term(target.keyid).stop == log.next - 1
    else:
        with pytest.raises((WrongRoleError, RevocationError)):
            log.revoke(target, revoker)


def test_no_role_may_be_revoked_by_its_own_or_by_one_that_it_may_revoke() -> None:
    for role, revokers in REVOKERS.items():
        assert role not in revokers
        assert not any(role in REVOKERS[above] for above in revokers)
    assert set(VOUCHERS) == set(REVOKERS)


def test_the_log_s_key_is_not_revoked(log: KeyLog) -> None:
    other = log.register("log")
    owner = log.register("owner")
    for by in (owner, log.service, other):
        with pytest.raises(RevocationError, match="replaced, not revoked"):
            log.revoke(other, by)
    with pytest.raises(RevocationError, match="the first entry"):
        log.append(revocation(log.note.key.keyid, log.ada_leaf), log.service)


def test_a_revocation_is_about_a_key_of_this_log(log: KeyLog) -> None:
    key, other = log.register("party"), log.register("party")
    with pytest.raises(RevocationError, match="names the registration"):
        log.append(revocation(key.keyid, log.leaf(other)), log.service)
    with pytest.raises(UnknownKeyError):
        log.append(revocation(new_key().keyid, log.leaf(other)), log.service)
    with pytest.raises(RevocationError, match="signed by one key, and this one by 2"):
        log.append(revocation(key.keyid, log.leaf(key)), key, log.service)


def test_a_revocation_does_not_reach_ahead(log: KeyLog) -> None:
    key = log.register("party")
    with pytest.raises(RevocationError, match="still to come"):
        log.revoke(key, log.service, from_index=log.next + 1)
    log.revoke(key, log.service, from_index=log.next)


def test_of_two_revocations_the_one_that_reaches_further_counts(log: KeyLog) -> None:
    key = log.register("party")
    first, second = log.edit(key), log.edit(key)
    log.revoke(key, log.service, from_index=second)
    log.revoke(key, log.service, from_index=first)
    log.revoke(key, log.service)
    assert log.ring.term(key.keyid).stop == first


def test_a_key_may_be_revoked_from_before_it_was_there(log: KeyLog) -> None:
    key = log.register("party")
    index = log.edit(key)
    log.revoke(key, log.service, from_index=0)
    term = log.ring.term(key.keyid)
    assert not term.spares(index)
    assert not term.spares(term.key.index)
    assert term.span().startswith("no signature of")


def test_a_replaced_key_can_still_be_revoked(log: KeyLog) -> None:
    """That it had been stolen before is found out after its place was taken."""
    old = log.register("party")
    first, second = log.edit(old), log.edit(old)
    new = log.rotate("party", old)
    mine = log.edit(new)
    log.revoke(old, log.service, from_index=second)
    assert log.ring.term(old.keyid).spares(first)
    assert not log.ring.term(old.keyid).spares(second)
    assert log.ring.term(new.keyid).spares(mine)  # the service vouched for the new key, not the stolen one


# The owner's key, and what stands on what


def test_the_owner_s_key_saves_a_home_whose_service_key_was_stolen(log: KeyLog) -> None:
    owner = log.register("owner")
    honest = log.register("party")
    log.fill()
    stolen_since = log.next
    accomplice = log.register("party", party="the thief's")
    thief = log.register("service")
    log.append(party(), thief)
    log.revoke(honest, log.service, from_index=0)  # the thief strikes a party out
    assert not log.ring.term(honest.keyid).spares(3)

    log.revoke(log.service, owner, from_index=stolen_since)
    assert log.ring.term(log.service.keyid).stop == stolen_since
    for key in (accomplice, thief):
        term = log.ring.term(key.keyid)
        assert term.stop == term.key.index
        assert f"vouched for it at entry {term.key.index}" in term.verdict(term.key.index + 1)
        with pytest.raises(RevokedKeyError, match=log.service.keyid):
            log.ring.require(key.keyid, frozenset({term.key.role}), log.next)
    assert log.ring.term(honest.keyid).stop is None  # what the thief struck out stands again
    with pytest.raises(RevokedKeyError):
        log.append(party(), log.service)

    log.service = log.register("service", voucher=owner)
    log.fill()
    log.edit(honest)


def test_an_owner_s_key_is_vouched_for_by_the_service_once_only(log: KeyLog) -> None:
    """Or else a stolen service key could make itself an owner, and revoke the true one's rights."""
    owner = log.register("owner")
    with pytest.raises(WrongRoleError, match="takes a key registered as owner"):
        log.register("owner")
    second = log.register("owner", voucher=owner)
    log.rotate("owner", owner, voucher=second)
    with pytest.raises(RevocationError, match="ended by itself alone"):
        log.revoke(second, log.ring.keys and log.register("owner", voucher=second))


def test_an_owner_s_key_that_ended_itself_does_not_open_the_door_to_the_service(log: KeyLog) -> None:
    owner = log.register("owner")
    log.revoke(owner, owner, reason="ceased")
    with pytest.raises(WrongRoleError):
        log.register("owner")


def test_the_ground_reaches_down_to_the_first_key(log: KeyLog) -> None:
    """The owner's voucher was itself vouched for by the first service key, at entry 2."""
    other = log.register("service")
    owner = log.register("owner", voucher=other)
    with pytest.raises(RevocationError, match="its own ground"):
        log.revoke(log.service, owner, from_index=2)
    log.revoke(log.service, owner, from_index=3)
    assert log.ring.term(log.service.keyid).stop == 3
    assert log.ring.term(owner.keyid).stop is None


def test_nobody_takes_away_the_ground_he_stands_on(log: KeyLog) -> None:
    log.fill(3)
    owner = log.register("owner")
    at = log.ring.keys[owner.keyid].index
    for reach in (0, 3, at):
        with pytest.raises(RevocationError, match="its own ground"):
            log.revoke(log.service, owner, from_index=reach)
    log.revoke(log.service, owner, from_index=at + 1)
    assert log.ring.term(owner.keyid).stop is None


def test_a_long_chain_of_rotations_is_walked_without_recursion(log: KeyLog) -> None:
    ring, service = log.ring, log.service
    index = log.next
    for _ in range(600):
        new = new_key()
        for statement, signers in (
            (registration(new, "service", log.vkey), {new.keyid, service.keyid}),
            (None, {service.keyid, new.keyid}),
        ):
            made = statement or rotation("service", service, new, ring.keys[new.keyid].leaf_hash)
            leaf = digest(made.to_bytes())
            ring = ring.after(SignedEntry(index, leaf, made, frozenset(signers)))
            index += 1
        service = new
    assert ring.term(service.keyid).stop is None
    assert ring.require(service.keyid, frozenset({"service"}), index)


# The fold itself


def entries(log: KeyLog) -> list[Entry]:
    return [Entry(index, leaf_hash(data), data, "") for index, data in enumerate(log.entries)]


def eventful() -> KeyLog:
    log = KeyLog()
    key = log.register("party")
    log.edit(key)
    log.fill()
    log.rotate("party", key)
    owner = log.register("owner")
    log.service, old = log.rotate("service", log.service), log.service
    log.revoke(old, owner, from_index=log.ring.keys[owner.keyid].index + 2)
    log.append(certificate(log), owner_vouched := log.register("service", voucher=owner))
    log.revoke(key, owner_vouched, from_index=3)
    return log


def test_folding_stored_entries_gives_the_same_ring() -> None:
    log = eventful()
    assert folded(Keyring(), entries(log)) == log.ring
    ring = Keyring()
    for entry in entries(log):
        ring = ring.after(read_entry(entry.index, entry.data, ring.keys))
    assert ring == log.ring


def test_folding_in_pieces_is_folding_at_once() -> None:
    log = eventful()
    every = entries(log)
    for cut in range(len(every) + 1):
        assert folded(folded(Keyring(), every[:cut]), every[cut:]) == log.ring
        assert folded(Keyring(), every[:cut]) == log.ring.at(cut)


def test_a_ring_looks_forward_only(log: KeyLog) -> None:
    [entry] = entries(log)[:1]
    with pytest.raises(ValueError, match="cannot be folded"):
        log.ring.after(read_entry(0, entry.data, {}))


def test_what_changes_a_ring_is_found_by_its_kind_and_not_by_its_words(log: KeyLog) -> None:
    log.append(party(party_id='x","predicateType":"https://linernotes.org/key/v1'), log.service)
    assert folded(Keyring(), entries(log)) == log.ring


def test_a_flipped_signature_is_noticed_in_the_fold() -> None:
    log = eventful()
    for entry in entries(log):
        envelope = Envelope.parse(entry.data)
        if parse(envelope.payload).kind in {"key", "rotation", "revocation"}:
            first = envelope.signatures[0]
            sig = bytes([first.sig[0] ^ 1]) + first.sig[1:]
            changed = Envelope(
                envelope.payload_type, envelope.payload, (type(first)(first.keyid, sig), *envelope.signatures[1:])
            ).to_bytes()
            with pytest.raises(BadSignatureError):
                read_entry(entry.index, changed, log.ring.at(entry.index).keys)


class Model:
    """The rules once more, as simply as can be: which of a party key's signatures count at the end."""

    def __init__(self) -> None:
        self.signed: list[int] = []
        self.stop: int | None = None

    def end(self, stop: int) -> None:
        self.stop = stop if self.stop is None else min(self.stop, stop)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["sign", "fill", "revoke", "resign"]), st.integers(0, 12)), max_size=12))
def test_a_key_s_term_is_what_a_simple_model_says(acts: list[tuple[str, int]]) -> None:
    log, model = KeyLog(), Model()
    key = log.register("party")
    for act, number in acts:
        ended = model.stop is not None
        try:
            if act == "sign":
                model.signed.append(log.edit(key))
            elif act == "fill":
                log.fill()
            elif act == "revoke":
                log.revoke(key, log.service, from_index=number)
                model.end(number)
            else:
                model.end(log.revoke(key, key) + 1)
        except RevokedKeyError:
            assert ended
            assert act in {"sign", "resign"}
        except RevocationError:
            assert act == "revoke"
            assert number > log.next
    term = log.ring.term(key.keyid)
    assert term.stop == model.stop
    for index in model.signed:
        assert term.spares(index) == (model.stop is None or index < model.stop)


@settings(max_examples=40)
@given(st.data())
def test_no_sequence_of_acts_makes_the_ring_contradict_itself(data: st.DataObject) -> None:
    """Any acts by anybody, most of them refused: the rest folds, and every question ends with an answer."""
    log = KeyLog()
    keys: list[Ed25519Signer] = [log.service, log.note.key]
    pick = st.sampled_from
    for _ in range(data.draw(st.integers(1, 14))):
        act = data.draw(pick(["register", "rotate", "revoke", "sign"]))
        by, other = data.draw(pick(keys)), data.draw(pick(keys))
        role = data.draw(pick(ROLES))
        try:
            if act == "register":
                keys.append(log.register(role, voucher=by))
            elif act == "rotate":
                log.append(rotation(role, by, other, log.leaf(other) or log.ada_leaf), by, other)
            elif act == "revoke":
                reach = data.draw(st.none() | st.integers(0, log.next))
                log.append(revocation(other.keyid, log.leaf(other) or log.ada_leaf, reach), by)
            else:
                log.append(party(), by)
        except KeyringError:
            continue
    assert folded(Keyring(), entries(log)) == log.ring
    for keyid, key in log.ring.keys.items():
        term = log.ring.term(keyid)
        for index in range(log.next + 2):
            assert term.verdict(index)
            allowed = term.spares(index) and index > key.index
            try:
                log.ring.require(keyid, frozenset({key.role}), index)
            except KeyringError:
                assert not allowed
            else:
                assert allowed


def test_verifiers_are_kept_with_their_keys(log: KeyLog) -> None:
    key = log.register("party")
    assert log.ring.keys[key.keyid].verifier == Ed25519Verifier(key.verifier.public_key)
