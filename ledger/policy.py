"""C2SP tlog-policy: which logs are trusted, and how many witnesses have to have looked on.

log <vkey> [<url>]
witness <name> <vkey> [<url>]
group <name> all|any|<k> <name>...
quorum none|<name>
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from ledger.checkpoint import Checkpoint, signed_checkpoint
from ledger.errors import KeyRejectedError, NoteError, PolicyError, QuorumError, SignatureError, shown
from ledger.note import Note, NoteVerifier, SignatureType, open_note
from ledger.proof import TlogProof

MAX_POLICY_BYTES = 64 * 1024
MAX_LOGS = MAX_WITNESSES = MAX_GROUPS = 64
NONE = "none"
"""The quorum that needs no witness."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_SPACES = re.compile(r"[ \t]+")
_OCTETS = "surrogateescape"  # octets beyond ASCII are opaque, and go through unchanged


@dataclass(frozen=True, slots=True)
class TrustedLog:
    """A log whose checkpoints are accepted.

    Attributes:
        verifier: Its key; the key's name is the log's origin.
        url: Where it can be asked, or None.
    """

    verifier: NoteVerifier
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Witness:
    """A party that cosigns checkpoints.

    Attributes:
        name: What groups and the quorum call it.
        verifier: Its cosignature key.
        url: Where it can be asked, or None.
    """

    name: str
    verifier: NoteVerifier
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Members of whom a number has to have cosigned.

    Attributes:
        name: What later groups and the quorum call it.
        threshold: How many, from 1 to the number of members.
        members: Names of witnesses and of earlier groups.
    """

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """When a checkpoint is accepted: one of the logs signed it, and a quorum cosigned it.

    Attributes:
        logs: Logs that are trusted; none accepts no checkpoint.
        witnesses: Witnesses that are known.
        quorum: Name of a witness or group, or `NONE`.
        groups: Groups; each refers to witnesses and to groups before it.

    Raises:
        PolicyError: The parts contradict the rules of tlog-policy.
    """

    logs: tuple[TrustedLog, ...]
    witnesses: tuple[Witness, ...] = ()
    quorum: str = NONE
    groups: tuple[Group, ...] = ()

    def __post_init__(self) -> None:
        _require_few(len(self.logs), MAX_LOGS, "logs")
        _require_few(len(self.witnesses), MAX_WITNESSES, "witnesses")
        _require_few(len(self.groups), MAX_GROUPS, "groups")
        logs = [log.verifier for log in self.logs]
        witnesses = [witness.verifier for witness in self.witnesses]
        _require_keys(logs, SignatureType.ED25519, "log")
        _require_keys(witnesses, SignatureType.COSIGNATURE, "witness")
        for url in [*(log.url for log in self.logs), *(w.url for w in self.witnesses)]:
            if url is not None:
                _require_word(url, "URL")
        _require_structure(self)

    @classmethod
    def parse(cls, data: bytes | str) -> Self:
        """Reads a policy file.

        Args:
            data: Its octets, or its text.

        Returns:
            The policy; `format` writes it without comments, logs first, then witnesses.

        Raises:
            PolicyError: A line is not one of a policy, or the lines contradict each other.
        """
        octets = _octets(data) if isinstance(data, str) else data
        if len(octets) > MAX_POLICY_BYTES:
            raise PolicyError(
                f"A policy of {len(octets)} bytes is longer than the {MAX_POLICY_BYTES} that are "
                "read; leave out what is not needed."
            )
        reader = _Reader()
        for number, line in enumerate(octets.decode("utf-8", _OCTETS).split("\n"), start=1):
            words = [word for word in _SPACES.split(line) if word]
            if _CONTROL.search(line):
                raise reader.refused(number, line, "it holds a control character")
            if words and not words[0].startswith("#"):
                reader.read(number, line, words)
        if reader.quorum is None:
            raise PolicyError(
                "The policy has no quorum line; add `quorum none`, or the name of the witness or "
                "group that has to have cosigned."
            )
        return cls(tuple(reader.logs), tuple(reader.witnesses), reader.quorum, tuple(reader.groups))

    def format(self) -> bytes:
        """Returns the policy file."""
        rows: list[list[str | None]] = []
        rows.extend(["log", log.verifier.vkey, log.url] for log in self.logs)
        rows.extend(["witness", w.name, w.verifier.vkey, w.url] for w in self.witnesses)
        rows.extend(["group", g.name, str(g.threshold), *g.members] for g in self.groups)
        rows.append(["quorum", self.quorum])
        lines = (" ".join(word for word in row if word is not None) for row in rows)
        return "".join(f"{line}\n" for line in lines).encode("utf-8", _OCTETS)

    def check(self, checkpoint_note: bytes) -> Checkpoint:
        """Checks that a checkpoint satisfies the policy.

        Args:
            checkpoint_note: The signed checkpoint.

        Returns:
            The checkpoint.

        Raises:
            QuorumError: Too few witnesses cosigned it.
            PolicyError: No trusted log signed it, or a known signature is false.
            NoteError: The bytes are not a signed note.
            CheckpointError: The note is not a checkpoint.
        """
        known = self._known()
        try:
            note = open_note(checkpoint_note, known)
            checkpoint = signed_checkpoint(note, known)
        except SignatureError as fault:
            raise PolicyError(f"The policy does not accept the checkpoint: {fault}") from fault
        signed_by = {(signature.name, signature.key_id) for signature in note.signatures}
        cosigned = {
            witness.name for witness in self.witnesses if (witness.verifier.name, witness.verifier.key_id) in signed_by
        }
        if not self._reached(cosigned):
            raise QuorumError(
                f"The checkpoint of {shown(checkpoint.origin)} at size {checkpoint.size} is "
                f"cosigned by {shown(sorted(cosigned))}, which does not reach the quorum "
                f"{shown(self.quorum)}; ask the log for a checkpoint with more cosignatures."
            )
        return checkpoint

    def require_none_false(self, note: bytes) -> None:
        """Checks those signatures on a note that are by keys of the policy; there need not be any.

        Args:
            note: The signed note.

        Raises:
            SignatureError: One does not verify.
            NoteError: The bytes are not a signed note.
        """
        known = self._known()
        signers = {(signature.name, signature.key_id) for signature in Note.parse(note).signatures}
        if not signers.isdisjoint((verifier.name, verifier.key_id) for verifier in known):
            open_note(note, known)

    def verify(self, proof: TlogProof, leaf_hash: bytes) -> Checkpoint:
        """Checks that a log of the policy, seen by its witnesses, holds a leaf.

        Args:
            proof: The proof.
            leaf_hash: Hash of the leaf.

        Returns:
            The checkpoint under which the leaf was found.

        Raises:
            PolicyError: The checkpoint does not satisfy the policy.
            ProofError: The path does not lead from the leaf to the checkpoint's root.
        """
        checkpoint = self.check(proof.checkpoint_note)
        proof.inclusion(checkpoint).verify(leaf_hash, checkpoint.root_hash)
        return checkpoint

    def _known(self) -> list[NoteVerifier]:
        return [log.verifier for log in self.logs] + [witness.verifier for witness in self.witnesses]

    def _reached(self, cosigned: Iterable[str]) -> bool:
        reached = {NONE, *cosigned}
        for group in self.groups:  # each refers only to what comes before it
            if sum(member in reached for member in group.members) >= group.threshold:
                reached.add(group.name)
        return self.quorum in reached


class _Reader:
    """What the lines of a policy file have said so far."""

    def __init__(self) -> None:
        self.logs: list[TrustedLog] = []
        self.witnesses: list[Witness] = []
        self.groups: list[Group] = []
        self.quorum: str | None = None

    def read(self, number: int, line: str, words: Sequence[str]) -> None:
        match words:
            case ["log", vkey, *url] if len(url) <= 1:
                self.logs.append(TrustedLog(self._key(number, line, vkey), *url))
            case ["witness", name, vkey, *url] if len(url) <= 1:
                self.witnesses.append(Witness(name, self._key(number, line, vkey), *url))
            case ["group", name, threshold, *members] if members:
                self._require_defined(number, line, members)
                needed = self._threshold(number, line, threshold, len(members))
                self.groups.append(Group(name, needed, tuple(members)))
            case ["quorum", name] if self.quorum is None:
                if name != NONE:
                    self._require_defined(number, line, [name])
                self.quorum = name
            case _:
                raise self.refused(number, line, "it is not one of log, witness, group and (once) quorum")

    def refused(self, number: int, line: str, why: str) -> PolicyError:
        return PolicyError(
            f"Line {number} of the policy, {shown(line)}, is refused: {why}. Correct the line, as "
            "C2SP tlog-policy describes it."
        )

    def _key(self, number: int, line: str, vkey: str) -> NoteVerifier:
        try:
            return NoteVerifier.parse(vkey)
        except (NoteError, KeyRejectedError) as fault:
            raise self.refused(number, line, str(fault)) from fault

    def _threshold(self, number: int, line: str, text: str, members: int) -> int:
        words = {"any": 1, "all": members}
        if text in words:
            return words[text]
        if re.fullmatch(r"[1-9][0-9]{0,8}", text, re.ASCII):
            return int(text)
        raise self.refused(number, line, f"{shown(text)} is not all, any or a number from 1")

    def _require_defined(self, number: int, line: str, names: Sequence[str]) -> None:
        defined = {witness.name for witness in self.witnesses}
        defined.update(group.name for group in self.groups)
        for name in names:
            if name not in defined:
                raise self.refused(number, line, f"{shown(name)} is not defined above it")


def _octets(text: str) -> bytes:
    try:
        return text.encode("utf-8", _OCTETS)
    except UnicodeEncodeError as fault:
        raise PolicyError(
            f"The policy holds half of a character (as character {fault.start + 1}), which no "
            "octets stand for; give it as it lies in its file."
        ) from fault


def _require_structure(policy: Policy) -> None:
    defined: set[str] = set()
    for witness in policy.witnesses:
        _define(defined, witness.name)
    members: set[str] = set()
    for group in policy.groups:
        for member in group.members:
            if member not in defined or member in members:
                raise PolicyError(
                    f"The group {shown(group.name)} names {shown(member)}, which is not defined "
                    "before it, or is a member of a group already; a witness counts in one way "
                    "only. Correct the policy."
                )
            members.add(member)
        if not 1 <= group.threshold <= len(group.members):
            raise PolicyError(
                f"The group {shown(group.name)} needs {group.threshold} of its "
                f"{len(group.members)} members; give a number from 1 to that of its members."
            )
        _define(defined, group.name)
    if policy.quorum not in {NONE, *defined}:
        raise PolicyError(
            f"The quorum {shown(policy.quorum)} is no witness or group of the policy; define it, "
            f"or write `quorum {NONE}`."
        )


def _define(defined: set[str], name: str) -> None:
    _require_word(name, "name")
    if name in defined or name == NONE:
        raise PolicyError(
            f"The name {shown(name)} is given twice in the policy, or is the reserved {NONE!r}; "
            "witnesses and groups share one set of names. Choose another."
        )
    defined.add(name)


def _require_word(word: str, what: str) -> None:
    if not word or _SPACES.search(word) or _CONTROL.search(word) or "\n" in word:
        raise PolicyError(
            f"The {what} {shown(word)} is empty, or holds a space or a control character, and "
            "cannot stand in a policy; choose another."
        )


def _require_keys(verifiers: Sequence[NoteVerifier], signature_type: SignatureType, what: str) -> None:
    for verifier in verifiers:
        if verifier.signature_type is not signature_type:
            raise PolicyError(
                f"The {what} key {shown(verifier.vkey)} is of signature type "
                f"{verifier.signature_type.name}, where {signature_type.name} is needed; give the "
                f"key that this {what} publishes for the purpose."
            )
    if len({verifier.public_key for verifier in verifiers}) != len(verifiers):
        raise PolicyError(f"Two {what} lines of the policy hold the same public key; keep one of them.")


def _require_few(count: int, limit: int, what: str) -> None:
    if count > limit:
        raise PolicyError(
            f"A policy with {count} {what} has more than the {limit} that are read; leave out what is not needed."
        )
