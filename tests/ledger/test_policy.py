from itertools import combinations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.errors import NoteError, PolicyError, ProofError, QuorumError, SignatureError
from ledger.keys import Ed25519Signer
from ledger.merkle import leaf_hash
from ledger.note import Note, NoteSigner, NoteVerifier, Signature, SignatureType
from ledger.policy import MAX_LOGS, MAX_POLICY_BYTES, Group, Policy, TrustedLog, Witness
from ledger.proof import TlogProof

LEAF = leaf_hash(b"entry")


def key(number: int) -> Ed25519Signer:
    return Ed25519Signer(Ed25519PrivateKey.from_private_bytes(number.to_bytes(32, "big")))


def log_verifier(number: int) -> NoteVerifier:
    return NoteVerifier(f"example.com/log{number}", key(number).verifier.public_key)


def witness_verifier(number: int) -> NoteVerifier:
    name = f"example.com/w{number}"
    return NoteVerifier(name, key(100 + number).verifier.public_key, SignatureType.COSIGNATURE)


def checkpoint_note(witnesses: tuple[int, ...] = (), log: int = 0) -> bytes:
    signer = NoteSigner(f"example.com/log{log}", key(log))
    note = Note.parse(sign_checkpoint(Checkpoint(signer.name, 1, LEAF), signer))
    message = b"cosignature/v1\ntime 1700000000\n" + note.text.encode()
    stamp = (1_700_000_000).to_bytes(8, "big")
    lines = [
        Signature(v.name, v.key_id, stamp + key(100 + number).sign(message))
        for number in witnesses
        for v in [witness_verifier(number)]
    ]
    return Note(note.text, (*note.signatures, *lines)).format()


EXAMPLE = "\n".join(
    [
        "# the example of C2SP tlog-policy, with keys",
        f"log {log_verifier(0).vkey}",
        "",
        *(f"witness X{n} {witness_verifier(n).vkey}" for n in (1, 2, 3)),
        "group X-witnesses 2 X1 X2 X3",
        " \t ",
        *(f"\twitness  Y{n}\t{witness_verifier(n + 3).vkey} https://y{n}.example/ " for n in (1, 2, 3)),
        "group Y-witnesses any Y1 Y2 Y3",
        "  # both",
        "group X-and-Y all X-witnesses Y-witnesses",
        "quorum X-and-Y",
    ]
)


def test_the_example_of_the_specification() -> None:
    policy = Policy.parse(EXAMPLE)
    assert policy.groups[-1] == Group("X-and-Y", 2, ("X-witnesses", "Y-witnesses"))
    assert policy.witnesses[3].url == "https://y1.example/"
    for count in range(7):
        for witnesses in combinations(range(1, 7), count):
            note = checkpoint_note(witnesses)
            enough = sum(n <= 3 for n in witnesses) >= 2 and any(n > 3 for n in witnesses)
            if enough:
                assert policy.check(note).size == 1
            else:
                with pytest.raises(QuorumError, match="does not reach the quorum"):
                    policy.check(note)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    words = st.text(st.characters(min_codepoint=33, exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
    urls = st.none() | words
    logs = tuple(TrustedLog(log_verifier(n), draw(urls)) for n in range(draw(st.integers(0, 3))))
    names = draw(st.lists(words.filter(lambda word: word != "none"), max_size=6, unique=True))
    split = draw(st.integers(0, len(names)))
    witnesses = tuple(Witness(name, witness_verifier(n), draw(urls)) for n, name in enumerate(names[:split]))
    free, groups = list(names[:split]), list[Group]()
    for name in names[split:]:
        if free:
            count = draw(st.integers(1, len(free)))
            members, free = free[:count], [*free[count:], name]
            groups.append(Group(name, draw(st.integers(1, count)), tuple(members)))
    quorum = draw(st.sampled_from(["none", *names[:split], *(group.name for group in groups)]))
    return Policy(logs, witnesses, quorum, tuple(groups))


@given(policies())
def test_round_trip(policy: Policy) -> None:
    assert Policy.parse(policy.format()) == policy
    assert Policy.parse(policy.format().decode()) == policy


def test_names_are_octets() -> None:
    vkeys = [witness_verifier(n).vkey.encode() for n in (1, 2)]
    data = b"witness K %s\nwitness \xe2\x84\xaa %s\nwitness \xff %s\nquorum \xff\n" % (
        *vkeys,
        witness_verifier(3).vkey.encode(),
    )
    policy = Policy.parse(data)
    assert len({witness.name for witness in policy.witnesses}) == 3
    assert policy.format() == data


def test_a_policy_without_witnesses() -> None:
    policy = Policy.parse(f"log {log_verifier(0).vkey}\nquorum none\n")
    assert policy.check(checkpoint_note()).origin == "example.com/log0"
    assert policy.check(checkpoint_note((1, 2))).origin == "example.com/log0"
    with pytest.raises(PolicyError, match="does not accept"):
        policy.check(checkpoint_note(log=1))
    with pytest.raises(NoteError):
        policy.check(b"no note")


def test_only_a_quorum_that_is_missing_is_called_so() -> None:
    """It can be there a minute later; a signature that is false, or of a log that is not trusted, stays so."""
    policy = Policy.parse(EXAMPLE)
    for note in (checkpoint_note(log=1), checkpoint_note((1, 2, 4))[:-9] + b"AAAAAAA=\n"):
        with pytest.raises(PolicyError) as refused:
            policy.check(note)
        assert not isinstance(refused.value, QuorumError)


def test_signatures_that_the_policy_knows_are_none_of_them_false() -> None:
    policy = Policy.parse(EXAMPLE)
    for log, witnesses in ((0, (1, 4)), (1, (1, 4)), (1, ()), (1, (8, 9))):
        policy.require_none_false(checkpoint_note(witnesses, log))
    for log, place in ((0, 0), (0, 1), (1, 1)):
        note = Note.parse(checkpoint_note((1,), log))
        lines = list(note.signatures)
        lines[place] = Signature(lines[place].name, lines[place].key_id, bytes(len(lines[place].signature)))
        with pytest.raises(SignatureError):
            policy.require_none_false(Note(note.text, tuple(lines)).format())
    with pytest.raises(NoteError):
        policy.require_none_false(b"no note")


def test_no_log_accepts_nothing() -> None:
    with pytest.raises(PolicyError):
        Policy.parse("quorum none").check(checkpoint_note())


def test_a_false_cosignature_by_a_known_witness_is_refused() -> None:
    policy = Policy.parse(EXAMPLE.replace("quorum X-and-Y", "quorum none"))
    assert policy.check(checkpoint_note((1,)))
    note = Note.parse(checkpoint_note((1,)))
    wrong = Signature(note.signatures[1].name, note.signatures[1].key_id, bytes(72))
    with pytest.raises(PolicyError, match="does not verify"):
        policy.check(Note(note.text, (note.signatures[0], wrong)).format())


def test_witnesses_cannot_stand_in_for_the_log() -> None:
    policy = Policy.parse(EXAMPLE)
    note = Note.parse(checkpoint_note((1, 2, 3, 4, 5, 6)))
    with pytest.raises(PolicyError, match="no trusted key of that name"):
        policy.check(Note(note.text, note.signatures[1:]).format())


def test_a_proof_under_a_policy() -> None:
    policy = Policy.parse(EXAMPLE)
    proof = TlogProof(0, (), checkpoint_note((1, 2, 4)))
    assert policy.verify(proof, LEAF).size == 1
    with pytest.raises(ProofError):
        policy.verify(proof, leaf_hash(b"other"))
    with pytest.raises(PolicyError):
        policy.verify(TlogProof(0, (), checkpoint_note((1, 4))), LEAF)


LOG = f"log {log_verifier(0).vkey}"
WITNESS = f"witness W {witness_verifier(1).vkey}"
SAME_KEY = NoteVerifier("other", log_verifier(0).public_key).vkey


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no quorum line"),
        (LOG, "no quorum line"),
        ("quorum none\nquorum none", "Line 2"),
        ("quorum", "Line 1"),
        ("quorum W", "not defined"),
        (f"quorum W\n{WITNESS}", "not defined above"),
        ("log\nquorum none", "Line 1"),
        ("log x\nquorum none", "not of the form"),
        (f"{LOG} url more\nquorum none", "Line 1"),
        (f"{LOG}\nlog {SAME_KEY}\nquorum none", "same public key"),
        (f"log {witness_verifier(1).vkey}\nquorum none", "ED25519 is needed"),
        (f"witness W {log_verifier(0).vkey}\nquorum none", "COSIGNATURE is needed"),
        (f"{WITNESS}\n{WITNESS}\nquorum none", "same public key"),
        (f"{WITNESS}\nwitness W {witness_verifier(2).vkey}\nquorum none", "given twice"),
        (f"witness none {witness_verifier(1).vkey}\nquorum none", "reserved"),
        (f"{WITNESS}\ngroup W any W\nquorum W", "given twice"),
        (f"{WITNESS}\ngroup G any none\nquorum G", "not defined"),
        (f"{WITNESS}\ngroup G any W W\nquorum G", "a member of a group already"),
        (f"{WITNESS}\ngroup G any W\ngroup H any W\nquorum H", "a member of a group already"),
        (f"{WITNESS}\ngroup G any G\nquorum G", "not defined"),
        (f"{WITNESS}\ngroup G any\nquorum G", "Line 2"),
        (f"{WITNESS}\ngroup G 0 W\nquorum G", "not all, any or a number"),
        (f"{WITNESS}\ngroup G 2 W\nquorum G", "needs 2 of its 1"),
        (f"{WITNESS}\ngroup G 01 W\nquorum G", "not all, any or a number"),
        (f"{WITNESS}\ngroup G -1 W\nquorum G", "not all, any or a number"),
        (f"{WITNESS}\ngroup G ANY W\nquorum G", "not all, any or a number"),
        (f"{LOG}\r\nquorum none", "control character"),
        (f"{LOG}\nquorum none\x00", "control character"),
        ("# \x7f\nquorum none", "control character"),
        ("Quorum none", "Line 1"),
        ("quorum\u00a0none", "Line 1"),
        ("#" * (MAX_POLICY_BYTES + 1), "longer than"),
        ("witness W \udcff+00000000+AQ==\nquorum none", "Line 1"),
    ],
)
def test_what_is_no_policy_is_refused(text: str, why: str) -> None:
    with pytest.raises(PolicyError, match=why):
        Policy.parse(text)


def test_limits() -> None:
    logs = tuple(TrustedLog(log_verifier(number)) for number in range(MAX_LOGS + 1))
    assert len(Policy(logs[:-1]).logs) == MAX_LOGS
    with pytest.raises(PolicyError, match="65 logs"):
        Policy(logs)


@pytest.mark.parametrize("word", ["", "two words", "tab\there", "line\nbreak"])
def test_what_cannot_be_written_is_refused(word: str) -> None:
    with pytest.raises(PolicyError, match="cannot stand in a policy"):
        Policy((), (Witness(word, witness_verifier(1)),))
    with pytest.raises(PolicyError, match="cannot stand in a policy"):
        Policy((TrustedLog(log_verifier(0), word),))
    with pytest.raises(PolicyError, match="is no witness or group"):
        Policy((), (), "nobody")


def test_a_text_that_no_octets_stand_for_is_refused() -> None:
    assert Policy.parse("quorum none\n# \udcff\n") == Policy(())
    with pytest.raises(PolicyError, match="half of a character"):
        Policy.parse("quorum none\n# \ud800\n")
