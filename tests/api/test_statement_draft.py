"""Statements made for keys elsewhere: complete, canonical, and asked beforehand what the log will ask."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from api.errors import UsageError
from api.home import Home
from api.settings import Settings
from api.signing import Handed, countersigned, open_key, signed
from api.statement_draft import KINDS, draft, read_asked
from api.submission import Intake
from ledger.keys import Ed25519Signer
from provenance.admission import read_statement
from provenance.errors import (
    AdmissionError,
    DuplicateMemberError,
    KeyTakenError,
    OtherLogError,
    ReplacedKeyError,
    RevocationError,
    RotationError,
    UnknownKeyError,
    UnsoundKeyError,
    WrongRoleError,
)
from provenance.kind import PREDICATES
from tests.api.editing import Contributor, contributor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    opened = Home(Settings(home=tmp_path / "home", device="cpu"))
    yield opened
    opened.close()


@pytest.fixture
def intake(home: Home) -> Intake:
    return Intake(home)


@pytest.fixture
def ada(home: Home, tmp_path: Path) -> Contributor:
    return contributor(home, tmp_path)


def registering(key: Ed25519Signer, party: str, **members: object) -> dict[str, object]:
    public_key = base64.b64encode(key.verifier.public_key).decode()
    return {"role": "party", "keyid": key.keyid, "public_key": public_key, "party": party, **members}


def test_the_kinds_are_those_that_a_party_s_key_signs_alone() -> None:
    assert set(KINDS) == {"key", "rotation", "revocation"}
    assert {kind for kind, each in PREDICATES.items() if "party" in each.SIGNED_BY} == {*KINDS, "edit"}


def test_a_key_is_registered_replaced_and_ended_by_drafts(home: Home, intake: Intake, ada: Contributor) -> None:
    new = Ed25519Signer.generate()
    made = draft(home, intake, "key", registering(new, ada.party_id))
    assert made.signers == (new.keyid, home.service.keyid)
    assert read_statement(made.payload).to_bytes() == made.payload
    size = home.log.size()
    intake.submit([countersigned(signed(made.payload, new), home.service)])
    made = draft(home, intake, "rotation", {"old_keyid": ada.key.keyid, "new_keyid": new.keyid})
    assert made.signers == (ada.key.keyid, new.keyid)
    intake.submit([signed(made.payload, ada.key, new)])
    made = draft(home, intake, "revocation", {"keyid": new.keyid, "reason": "ceased"})
    assert made.signers == (new.keyid,)
    intake.submit([signed(made.payload, new)])
    assert home.log.size() == size + 3


def test_nothing_of_it_is_kept(home: Home, intake: Intake, ada: Contributor) -> None:
    size = home.log.size()
    asked = ("revocation", {"keyid": ada.key.keyid, "reason": "lost"})
    one, two = draft(home, intake, *asked), draft(home, intake, *asked)
    assert one.payload != two.payload
    assert home.log.size() == size


def test_what_the_log_would_refuse_is_not_handed_out(home: Home, intake: Intake, ada: Contributor) -> None:
    new, stranger = Ed25519Signer.generate(), Ed25519Signer.generate()
    other_log = home.log_vkey.replace(home.log_vkey.split("+", maxsplit=1)[0], "example.org/other", 1)
    ends = {"keyid": ada.key.keyid, "reason": "lost"}
    for kind, members, signers, refusal in (
        ("key", registering(ada.key, ada.party_id), (), KeyTakenError),
        ("key", registering(new, ada.party_id, log_vkey=other_log), (), OtherLogError),
        ("key", registering(new, ada.party_id, public_key=base64.b64encode(bytes(32)).decode()), (), UnsoundKeyError),
        ("key", registering(new, ada.party_id), (new.keyid, ada.key.keyid), WrongRoleError),
        ("rotation", {"old_keyid": ada.key.keyid, "new_keyid": stranger.keyid}, (), UnknownKeyError),
        ("rotation", {"old_keyid": ada.key.keyid, "new_keyid": ada.key.keyid}, (), RotationError),
        ("revocation", {**ends, "from_index": 3}, (), RevocationError),
        ("revocation", {**ends, "from_index": 10_000}, (home.service.keyid,), RevocationError),
        ("revocation", {**ends, "registration": "sha256:" + "0" * 64}, (), RevocationError),
        ("revocation", ends, (stranger.keyid,), UnknownKeyError),
    ):
        with pytest.raises(refusal):
            draft(home, intake, kind, members, signers)
    intake.submit([signed(draft(home, intake, "revocation", ends).payload, ada.key)])
    with pytest.raises(AdmissionError) as refused:
        draft(home, intake, "revocation", ends)
    assert not isinstance(refused.value, ReplacedKeyError)


@pytest.mark.parametrize(
    ("kind", "members", "message"),
    [
        ("edit", {}, "Ask for a draft of the edit itself"),
        ("party", {}, "the home signs it"),
        ("symphony", {}, "there is none"),
        ("revocation", {"time": "2026-11-20T12:00:00Z"}, "time are filled in here"),
        ("revocation", {}, "Field required"),
        ("rotation", {"old_keyid": 7, "new_keyid": [1.5]}, "cannot be made of these members"),
        ("key", {"colour": "red"}, "cannot be made of these members"),
        ("key", {"role": float("nan")}, "cannot be made of these members"),
        ("key", {"role": "\ud800"}, "cannot be made of these members"),
    ],
)
def test_what_makes_no_statement(
    home: Home, intake: Intake, kind: str, members: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        draft(home, intake, kind, members)


def test_what_asks_for_no_statement() -> None:
    assert read_asked(b'{"kind":"key","predicate":{}}').signers == []
    for data in (b"{}", b"[]", b"7", b'{"kind":1,"predicate":{}}', b'{"kind":"key","predicate":{},"more":1}'):
        with pytest.raises(UsageError, match="asks for no statement"):
            read_asked(data)
    with pytest.raises(DuplicateMemberError):
        read_asked(b'{"kind":"key","predicate":{},"kind":"key"}')


def test_by_command_from_the_draft_to_the_log(
    linernotes, home: Home, ada: Contributor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINERNOTES_HOME", str(home.root))
    asked, handed, envelope = (tmp_path / name for name in ("asked.json", "revocation.statement", "envelope"))
    asked.write_text(json.dumps({"kind": "revocation", "predicate": {"keyid": ada.key.keyid, "reason": "lost"}}))
    done = linernotes("draft", asked, "-o", handed, "--json")
    assert done.code == 0, done.err
    assert (done.json["kind"], done.json["signers"]) == ("revocation", [ada.key.keyid])
    assert ada.key.keyid in linernotes("draft", asked, "-o", handed).out
    assert linernotes("sign", handed, "--key", ada.file, "-o", envelope).code == 0
    assert Handed.read(handed).signed(open_key(str(ada.file))) == envelope.read_bytes()
    assert linernotes("submit", envelope, "--json").json["entries"][0]["kind"] == "revocation"
    refused = linernotes("draft", asked, "-o", handed)
    assert (refused.code, "not count" in refused.err) == (2, True), refused.err
    asked.write_text("{")
    assert linernotes("draft", asked, "-o", handed).code == 2
