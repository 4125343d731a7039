"""An edit over HTTP that its maker signs: the key stays where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from mido import MetaMessage, MidiFile

from api import store
from api.signing import signed
from ledger.envelope import Envelope
from ledger.keys import Ed25519Signer
from provenance.identity import digest
from provenance.statement import parse
from tests.api.editing import Contributor, contributor, transposed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from api.home import Home

    Problem = Callable[[httpx.Response, int], dict[str, object]]

DSSE = {"Content-Type": "application/vnd.dsse.envelope.v1+json"}


@pytest.fixture
def ada(home: Home, tmp_path: Path) -> Contributor:
    return contributor(home, tmp_path)


@pytest.fixture
def ask(everything: httpx.Client, recording_id: str, ada: Contributor, tmp_path: Path) -> Callable[..., httpx.Response]:
    (tmp_path / "notes.mid").write_bytes(everything.get(f"/v1/recordings/{recording_id}/midi").content)
    edited = transposed(tmp_path / "notes.mid", tmp_path / "edited.mid").read_bytes()

    def ask(party: str = ada.party_id, of: str = recording_id, file: bytes = edited) -> httpx.Response:
        data = {"party": party, "role": "Arranger"}
        return everything.post(f"/v1/recordings/{of}/edits/drafts", files={"file": ("e.mid", file)}, data=data)

    return ask


def test_asked_for_signed_and_sent(home: Home, everything: httpx.Client, ada: Contributor, ask) -> None:
    response = ask()
    assert response.status_code == 201, response.text
    draft, at = response.json(), response.headers["location"]
    assert at == f"/v1/drafts/{draft['draft_id']}"
    assert everything.get(at).json() == draft
    assert (draft["state"], draft["party"], draft["keyids"]) == ("waiting", ada.party_id, [ada.key.keyid])
    handed = everything.get(f"{at}/statement")
    assert handed.headers["content-type"] == "application/vnd.in-toto+json"
    assert draft["statement_digest"] == digest(handed.content)
    assert everything.get(f"/v1/recordings/{draft['recording_id']}").status_code == 404

    envelope = signed(handed.content, ada.key)
    sent = everything.post(f"{at}/signatures", content=envelope, headers=DSSE)
    assert sent.status_code == 201, sent.text
    made = sent.json()
    assert sent.headers["location"] == f"/v1/recordings/{draft['recording_id']}"
    entry = everything.get(f"/v1/log/entries/{made['log_index']}").content
    assert Envelope.parse(entry).payload == handed.content
    assert {each.keyid for each in Envelope.parse(entry).signatures} == {ada.key.keyid, home.service.keyid}
    again = everything.post(f"{at}/signatures", content=envelope, headers=DSSE)
    assert (again.status_code, again.json()) == (201, made)
    shown = everything.get(at).json()
    assert (shown["state"], shown["recording"]) == ("recorded", made)
    lineage = everything.get(f"{sent.headers['location']}/lineage").json()
    [edit] = [node for node in lineage["nodes"] if node["kind"] == "edit"]
    assert [(each["role"], each["party"]) for each in edit["signed_by"]] == [("party", ada.party_id), ("service", "")]
    assert everything.get(f"{sent.headers['location']}/audio").status_code == 200


def test_who_asks_is_told_what_was_left_out(
    everything: httpx.Client, recording_id: str, ada: Contributor, ask, tmp_path: Path
) -> None:
    name = "Kunigunde Zwetschkenbaum"
    (tmp_path / "notes.mid").write_bytes(everything.get(f"/v1/recordings/{recording_id}/midi").content)
    file = MidiFile(transposed(tmp_path / "notes.mid", tmp_path / "named.mid", 3))
    file.tracks[-1][:0] = [MetaMessage(kind, text=name) for kind in ("lyrics", "marker")]
    file.save(tmp_path / "named.mid")
    response = ask(file=(tmp_path / "named.mid").read_bytes())
    at = response.headers["location"]
    assert response.json()["left_out"] == everything.get(at).json()["left_out"] == ["lyrics", "markers"]
    assert name not in response.text
    envelope = signed(everything.get(f"{at}/statement").content, ada.key)
    for _ in range(2):
        made = everything.post(f"{at}/signatures", content=envelope, headers=DSSE).json()
        assert made["left_out"] == ["lyrics", "markers"]
    assert everything.get(at).json()["recording"] == made
    assert ask().json()["left_out"] == []


def test_what_is_refused(
    home: Home, everything: httpx.Client, client, ada: Contributor, ask, problem: Problem, tmp_path: Path
) -> None:
    at = ask().headers["location"]
    payload = everything.get(f"{at}/statement").content
    bea = contributor(home, tmp_path, "Bea")
    size = home.log.size()
    for body in (
        b"",
        b"{}",
        signed(payload, bea.key),
        signed(payload, home.service),
        signed(payload, ada.key, bea.key),
    ):
        problem(everything.post(f"{at}/signatures", content=body, headers=DSSE), 422)
    good = signed(payload, ada.key)
    problem(everything.post(f"{at}/signatures", content=good), 415)
    problem(everything.post(f"{at}/signatures", content=b"x" * 70_000, headers=DSSE), 413)
    for other, status in ((client("admin"), 404), (client("submit"), 403), (client(), 401)):
        problem(other.post(f"{at}/signatures", content=good, headers=DSSE), status)
        problem(other.get(at), status)
        problem(other.get(f"{at}/statement"), status)
        problem(other.delete(at), status)
    problem(everything.post("/v1/statements", content=good, headers=DSSE), 422)  # the home's signature is missing
    assert home.log.size() == size
    assert everything.delete(at).status_code == 200
    problem(everything.get(at), 404)
    problem(everything.post(f"{at}/signatures", content=good, headers=DSSE), 404)


def test_what_nobody_could_sign_is_not_handed_out(ask, problem: Problem) -> None:
    assert "no key of it is on record" in str(problem(ask("nobody"), 422)["detail"])
    problem(ask(of="019aa0b2-6c1f-7d2e-9b57-3c1f6de0a412"), 404)
    problem(ask(file=b"\x89PNG"), 422)


@pytest.mark.parametrize("what", ["a file of it", "its sound"])
def test_a_file_that_was_altered_while_it_waited_is_no_lack_of_room(
    home: Home, everything: httpx.Client, ada: Contributor, ask, problem: Problem, what: str
) -> None:
    response = ask()
    draft_id, at = response.json()["draft_id"], response.headers["location"]
    payload = everything.get(f"{at}/statement").content
    with home.reading() as connection:
        draft = store.find_edit_draft(connection, draft_id)
    assert draft
    file = parse(payload).predicate.content.files[0].asset_digest  # type: ignore[attr-defined]
    name = (draft.mix if what == "its sound" else file).removeprefix("sha256:")
    (home.objects.root / "drafts" / draft_id / name[:2] / name[2:]).write_bytes(b"noise")
    found = problem(everything.post(f"{at}/signatures", content=signed(payload, ada.key), headers=DSSE), 500)
    assert found["type"] == "https://linernotes.org/problems/damaged-object"
    assert f"{draft_id} is missing, or was altered" in str(found["detail"])
    assert "Ask for the edit again" in str(found["detail"])
    assert everything.delete(at).status_code == 200


def test_an_erasure_withdraws_what_waits(
    home: Home, everything: httpx.Client, client, ada: Contributor, ask, problem: Problem
) -> None:
    draft = ask().json()
    erased = client("admin").post("/v1/erasures", json={"name": ada.party_id}).json()
    assert erased["withdrawn"] == [draft["draft_id"]]
    problem(everything.get(f"/v1/drafts/{draft['draft_id']}"), 404)


def test_a_statement_about_a_key_is_handed_out(
    home: Home, client: Callable[..., httpx.Client], ada: Contributor, problem: Problem
) -> None:
    submit = client("submit")

    def ask(**asked: object) -> httpx.Response:
        return submit.post("/v1/statements/drafts", json=asked)

    handed = ask(kind="revocation", predicate={"keyid": ada.key.keyid, "reason": "lost"})
    assert handed.status_code == 200, handed.text
    assert handed.headers["content-type"] == "application/vnd.in-toto+json"
    size = home.log.size()
    sent = submit.post("/v1/statements", content=signed(handed.content, ada.key), headers=DSSE)
    assert (sent.status_code, sent.json()["log_index"]) == (201, size)
    assert home.ring.now().term(ada.key.keyid).stop == size + 1
    for asked in (
        {"kind": "revocation", "predicate": {"keyid": ada.key.keyid, "reason": "lost"}},  # it is ended already
        {"kind": "revocation", "predicate": {"keyid": Ed25519Signer.generate().keyid, "reason": "lost"}},
        {"kind": "edit", "predicate": {}},
        {"kind": "party", "predicate": {}},
        {"kind": "nonsense", "predicate": {}},
        {"kind": "rotation", "predicate": {"old_keyid": 1, "new_keyid": []}},
        {"kind": "key", "predicate": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": 1}}}}}}}}}},
        {"kind": "key", "predicate": {"role": "\u202eparty"}},
    ):
        problem(ask(**asked), 422)
    problem(client("read").post("/v1/statements/drafts", json={"kind": "key", "predicate": {}}), 403)
