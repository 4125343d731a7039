"""Keys that are replaced and stolen, as those meet it who have nothing but files: by command, and by HTTP."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from api import tokens
from api.history import recording
from api.home import Home
from api.renditions import ensure_rendition
from api.settings import Settings, load_settings
from generator.midi import read_midi, write_midi
from ledger.keys import Ed25519Signer
from ledger.note import NoteSigner
from tests.api.conftest import serving
from tests.conftest import Outcome, Run, Studio
from tests.ledger.local_tsa import LocalTsa, served

LONG_AGO = "2020-01-01T00:00:00Z"


@pytest.fixture
def nobody(tmp_path: Path) -> Path:
    """The home of a stranger."""
    return tmp_path / "nobody"


@pytest.fixture
def run(linernotes: Run, studio: Studio) -> Run:
    """Runs a command that has to succeed, in the studio unless another home is given."""

    def run(*arguments: object, home: Path = studio.home) -> Outcome:
        done = linernotes(*arguments, home=home)
        assert done.code == 0, (done.out, done.err)
        return done

    return run


@pytest.fixture
def generate(run: Run, tmp_path: Path) -> Callable[[str], Path]:
    def generate(name: str) -> Path:
        run("generate", "a calm adagio", "--bars", 3, "--seed", 5, "-o", tmp_path / name)
        return tmp_path / name

    return generate


def vkey(studio: Studio) -> str:
    return (studio.home / "keys" / "log.vkey").read_text().strip()


def policy_of(path: Path, *vkeys: str) -> Path:
    path.write_text("".join(f"log {each}\n" for each in vkeys) + "quorum none\n")
    return path


def results(done: Outcome) -> dict[str, str]:
    return {check["id"]: check["result"] for check in done.json["checks"]}


def detail(done: Outcome, name: str) -> str:
    return next(check["detail"] for check in done.json["checks"] if check["id"] == name)


def entries(run: Run) -> int:
    found = run("log", "fsck", "--json").json
    assert found["problems"] == []
    return found["entries"]


# Theft


def steal(run: Run, studio: Studio, generate: Callable[[str], Path], folder: Path) -> None:
    """The service key is stolen after `before.wav` and `before.zip`; the owner revokes it, and the home goes on."""
    owner, log = folder / "owner.pem", ("--log", vkey(studio))
    run("key", "new", "--role", "owner", *log, "-o", owner, "--registration", folder / "owner.key")
    run("key", "register", folder / "owner.key", "--role", "owner")
    recording_id = run("show", generate("before.wav"), "--json").json["recording_id"]
    run("export", recording_id, "-o", folder / "before.zip")
    first_of_the_thief = entries(run)
    generate("after.wav")
    run("export", recording_id, "-o", folder / "after.zip")
    with pytest.MonkeyPatch.context() as clock:
        clock.setattr("provenance.statement.now", lambda: LONG_AGO)
        generate("dated-back.wav")
    run("key", "evidence", "-o", folder / "keys-of-then")
    home = Home(load_settings())
    home.close()
    end = ("--reason", "compromised", "--from-index", first_of_the_thief, "--key", owner)
    run("key", "revoke", home.service.keyid, *end)
    service = studio.home / "keys" / "service.pem"
    service.unlink()
    run("key", "new", "--role", "service", *log, "-o", service, "--registration", folder / "service.key")
    run("key", "register", folder / "service.key", "--role", "service", "--vouch-with", owner)
    generate("recovered.wav")
    assert entries(run) > first_of_the_thief
    run("key", "evidence", "-o", folder / "keys")
    policy_of(folder / "policy", vkey(studio))


def test_a_service_key_is_stolen(
    run: Run, linernotes: Run, studio: Studio, generate: Callable[[str], Path], tmp_path: Path, nobody: Path
) -> None:
    """What the revocation spares holds; what the thief signed does not, whatever time it states."""
    steal(run, studio, generate, tmp_path)

    def verify(name: str, *options: object) -> Outcome:
        return linernotes("verify", tmp_path / name, "--policy", tmp_path / "policy", "--json", *options, home=nobody)

    for name, spared in (("before.wav", True), ("before.zip", True), ("recovered.wav", False)):
        done = verify(name, "--keys", tmp_path / "keys")
        assert done.code == 0, done.out
        said = detail(done, "envelope-signature")
        assert "entries of the log" in said
        assert ("is spared and counts" in said) == spared
        if name == "before.zip":
            assert "is spared and counts" in detail(done, "package-signature")

    for name, check in (
        ("after.wav", "envelope-signature"),
        ("dated-back.wav", "envelope-signature"),
        ("after.zip", "package-signature"),
    ):
        done = verify(name, "--keys", tmp_path / "keys")
        failed = {each for each, result in results(done).items() if result == "fail"}
        assert (done.code, {check} <= failed <= {check, "licence"}) == (1, True), done.out
        assert "does not count" in detail(done, check)
        assert "(compromised)" in detail(done, check)
        without = verify(name)
        assert without.code == 0  # it cannot be told, and that is said
        assert "whether it was revoked since is not known" in detail(without, check)
        of_then = verify(name, "--keys", tmp_path / "keys-of-then")
        assert of_then.code == 0
        assert "not ended; as of" in detail(of_then, check)

    refuse_false_evidence(linernotes, tmp_path, nobody)
    ask_by_http(studio, tmp_path)


def refuse_false_evidence(linernotes: Run, folder: Path, nobody: Path) -> None:
    command = ("verify", folder / "before.wav", "--json", "--keys")
    stranger = NoteSigner("example.com/log", Ed25519Signer.generate()).vkey
    other = policy_of(folder / "other", stranger)
    refused = linernotes(*command, folder / "keys", "--policy", other, home=nobody)
    assert (refused.code, refused.out) == (2, "")
    assert "The evidence of keys is refused" in refused.err
    (folder / "altered").write_bytes((folder / "keys").read_bytes().replace(b"index 0", b"index 1", 1))
    for rubbish in (folder / "altered", folder / "before.wav", folder / "nothing"):
        assert linernotes(*command, rubbish, home=nobody).code == 2


def ask_by_http(studio: Studio, folder: Path) -> None:
    home = Home(Settings(home=studio.home, device="cpu"))
    secret = tokens.create(home, "reader", ("read",))[1]
    with serving(home) as url, httpx.Client(base_url=url, headers={"Authorization": f"Bearer {secret}"}) as client:

        def ask(name: str, **brought: str) -> httpx.Response:
            parts = {part: (part, (folder / file).read_bytes()) for part, file in brought.items()}
            return client.post("/v1/verifications", files={"file": (name, (folder / name).read_bytes())} | parts)

        def judged(answer: httpx.Response) -> tuple[bool, str]:
            assert answer.status_code == 200, answer.text
            checks = {each["id"]: each["detail"] for each in answer.json()["checks"]}
            return answer.json()["verified"], checks["envelope-signature"]

        for name, verified, said in (
            ("before.wav", True, "is spared and counts"),
            ("after.wav", False, "does not count"),
            ("dated-back.wav", False, "does not count"),
        ):
            found = judged(ask(name, keys="keys", policy="policy"))
            assert (found[0], said in found[1]) == (verified, True)
        assert "is not known: no evidence of keys was given" in judged(ask("after.wav"))[1]
        refused = ask("before.wav", keys="policy")
        assert (refused.status_code, "The uploaded keys" in refused.text) == (422, True), refused.text
        assert "/staging/" not in refused.text
    home.close()


# Replacement


def test_files_of_every_time_hold_with_the_keys_of_their_time(
    run: Run, linernotes: Run, studio: Studio, generate: Callable[[str], Path], tmp_path: Path, nobody: Path
) -> None:
    """A service key is replaced, the log handed over twice; recordings of before are edited, exported and converted."""
    vkeys = [vkey(studio)]
    run("export", studio.recording_id, "-o", tmp_path / "early.zip")
    run("key", "rotate")
    second = generate("second.wav")
    for _ in range(2):
        told = run("key", "rotate", "--role", "log")
        vkeys.append(vkey(studio))
        assert vkeys[-1] in told.out
    generate("later.flac")
    early = policy_of(tmp_path / "early", vkeys[0])
    everything = policy_of(tmp_path / "everything", *vkeys)

    for name in (studio.wav, second, tmp_path / "early.zip"):  # untouched since, and still under the first key
        assert linernotes("verify", name, "--policy", early, home=nobody).code == 0

    score = read_midi(studio.midi)
    notes = score.voices[0].notes
    higher = replace(score.voices[0], notes=(replace(notes[0], pitch=notes[0].pitch + 1), *notes[1:]))
    write_midi(replace(score, voices=(higher, *score.voices[1:])), tmp_path / "edited.mid")
    run("edit", studio.recording_id, "--file", tmp_path / "edited.mid", "-o", tmp_path / "edited.wav")
    edited = run("show", tmp_path / "edited.wav", "--json").json["recording_id"]
    run("export", studio.recording_id, "-o", tmp_path / "late.zip")
    run("export", edited, "-o", tmp_path / "edited.zip")
    opened = Home(load_settings())
    converted = ensure_rendition(opened, recording(opened, studio.recording_id), "audio/mpeg")
    (tmp_path / "converted.mp3").write_bytes(opened.objects.path(converted.asset_digest).read_bytes())
    opened.close()
    run("log", "evidence", tmp_path / "converted.mp3")
    run("key", "evidence", "-o", tmp_path / "keys")

    made = ["later.flac", "edited.wav", "edited.zip", "late.zip", "converted.mp3"]
    for name in (studio.wav, second, tmp_path / "early.zip", *(tmp_path / each for each in made)):
        for options, home in (
            (("--policy", everything), nobody),
            (("--policy", everything, "--keys", tmp_path / "keys"), nobody),
            ((), studio.home),
        ):
            done = linernotes("verify", name, "--json", *options, home=home)
            assert (done.code, results(done)["log-trust"]) == (0, "pass"), (name, done.out)
    assert results(linernotes("verify", tmp_path / "converted.mp3", "--json", home=nobody))["content-digest"] == "pass"
    for name in made:
        done = linernotes("verify", tmp_path / name, "--policy", early, "--json", home=nobody)
        assert done.code == 1, name
        assert "fail" in {results(done)["log-trust"], results(done).get("package-log-trust")}
    refused = linernotes("verify", studio.wav, "--policy", early, "--keys", tmp_path / "keys", home=nobody)
    assert (refused.code, f"log {vkeys[-1]}" in " ".join(refused.err.split())) == (2, True)
    assert entries(run) > 20


def test_a_time_stamp_of_after_the_handover_counts_for_a_file_of_before(
    run: Run, studio: Studio, tmp_path: Path, nobody: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("key", "rotate", "--role", "log")
    tsa, roots = LocalTsa.make(tmp_path / "tsa"), tmp_path / "roots.pem"
    roots.write_bytes(tsa.root.pem)
    with served(tsa.respond) as url:
        monkeypatch.setenv("LINERNOTES_TSA_URL", url)
        monkeypatch.setenv("LINERNOTES_TSA_ROOTS", str(roots))
        run("log", "stamp")
        run("log", "evidence", studio.wav)
    for name in ("URL", "ROOTS"):
        monkeypatch.delenv(f"LINERNOTES_TSA_{name}")
    done = run("verify", studio.wav, "--tsa-roots", roots, "--json", home=nobody)
    assert results(done)["timestamp"] == "pass"


def test_the_commands_are_used_wrongly(linernotes: Run, studio: Studio, tmp_path: Path) -> None:
    for wrong in (
        ("rotate", "--role", "owner"),
        ("rotate", "one.pem"),
        ("rotate", "one.pem", "two.pem", "--role", "log"),
        ("evidence", "-o", tmp_path / "no" / "folder"),
    ):
        assert linernotes("key", *wrong, home=studio.home).code == 2


def test_a_certificate_is_revoked(run: Run, linernotes: Run, studio: Studio, tmp_path: Path, nobody: Path) -> None:
    """A manifest states no place in the log; the entry that was made when the file was finished does."""
    home = Home(load_settings())
    keyid = home.signer_exhibit.statement().predicate.keyid
    home.close()
    run("export", studio.recording_id, "-o", tmp_path / "package.zip")
    run("key", "revoke", keyid, "--reason", "ceased")
    run("key", "evidence", "-o", tmp_path / "keys")
    policy = policy_of(tmp_path / "policy", vkey(studio))
    command = ("--policy", policy, "--keys", tmp_path / "keys", "--json")
    alone = linernotes("verify", studio.wav, *command, home=nobody)
    assert (alone.code, "when this file was finished" in detail(alone, "c2pa-ledger")) == (1, True)
    assert linernotes("verify", tmp_path / "package.zip", *command, home=nobody).code == 0
    run("log", "evidence", studio.wav)
    beside = linernotes("verify", studio.wav, *command, home=nobody)
    assert (beside.code, "is spared and counts" in detail(beside, "c2pa-ledger")) == (0, True)
    refused = linernotes("generate", "a calm adagio", "--bars", 3, "-o", tmp_path / "more.wav", home=studio.home)
    assert (refused.code, "c2pa_chain" in refused.err) == (2, True)
    assert [entry["kind"] for entry in run("key", "rotate", "--json").json["entries"]] == ["key", "rotation"]
