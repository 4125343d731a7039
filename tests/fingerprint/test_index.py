"""Recognising recordings from clips, and never one that is not there."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, func, select, update

from fingerprint import store
from fingerprint.audio import Audio, decode, encode
from fingerprint.chroma import SECONDS_PER_ITEM, Fingerprint, fingerprint
from fingerprint.errors import DuplicateFingerprintError, InsufficientEvidenceError
from fingerprint.index import Index
from fingerprint.match import Match
from fingerprint.tables import FINGERPRINT, METADATA, POSTING_BUCKET
from ledger.database import open_engine, writing

STORED = 30
"""Of the forty pieces the first thirty are stored; the others are foreign."""


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory, prints: list[Fingerprint]) -> Index:
    engine = open_engine(tmp_path_factory.mktemp("library") / "index.db")
    METADATA.create_all(engine)
    index = Index(engine)
    with writing(engine) as connection:
        for number, each in enumerate(prints[:STORED]):
            index.add(connection, f"recording {number}", each)
    return index


def through_mp3(audio: Audio, path: Path) -> Audio:
    """The sound after mp3 at 128 kbit/s."""
    level = (160 - 128) / (160 - 8)  # the scale of libsndfile at this sample rate
    with soundfile.SoundFile(
        str(path), "w", 22_050, 1, format="MP3", compression_level=level, bitrate_mode="CONSTANT"
    ) as sound:
        sound.write(np.repeat(audio.samples, 2, axis=0))
    return decode(path)


@settings(max_examples=25)
@given(
    number=st.integers(0, STORED - 1),
    start=st.floats(0, 20),
    form=st.sampled_from(["pcm", "mp3", "quiet", "float", "24 bit"]),
)
def test_a_ten_second_clip_from_anywhere_is_found(
    library: Index,
    pieces: list[Audio],
    excerpt: Callable[[Audio, float, float], Audio],
    scratch: Callable[[str], Path],
    number: int,
    start: float,
    form: str,
) -> None:
    clip = excerpt(pieces[number], start, 10)
    if form == "mp3":
        clip = through_mp3(clip, scratch("mp3"))
    elif form == "quiet":
        clip = Audio(clip.samples // 10, clip.sample_rate)
    elif form == "float":
        clip = Audio(clip.samples / np.float32(32_768), clip.sample_rate)
    elif form == "24 bit":
        clip = Audio(np.left_shift(clip.samples, 16, dtype=np.int32), clip.sample_rate)
    best = library.identify(fingerprint(clip))[0]
    assert best.recording_id == f"recording {number}"
    assert best.score > 3
    assert best.bit_error_rate < 0.15
    assert best.duration > 6
    assert abs(best.reference_offset - best.query_offset - start) < 2 * SECONDS_PER_ITEM
    assert (best.tier, best.pitch_semitones, best.tempo_ratio) == (1, 0, 1)


@settings(max_examples=25)
@given(number=st.integers(STORED, 39), start=st.floats(0, 18), seconds=st.floats(5, 12))
def test_foreign_music_is_not_found(
    library: Index,
    pieces: list[Audio],
    excerpt: Callable[[Audio, float, float], Audio],
    number: int,
    start: float,
    seconds: float,
) -> None:
    assert library.identify(fingerprint(excerpt(pieces[number], start, seconds))) == []


def test_the_whole_recording_is_found_and_nothing_else(library: Index, prints: list[Fingerprint]) -> None:
    for number in range(5):
        [found] = library.identify(prints[number])
        assert found.recording_id == f"recording {number}"
        assert (found.query_offset, found.reference_offset, found.bit_error_rate) == (0, 0, 0)
        assert found.duration == pytest.approx(30, abs=0.2)


def test_a_recording_that_is_part_of_a_longer_clip(
    library: Index, pieces: list[Audio], excerpt: Callable[[Audio, float, float], Audio]
) -> None:
    parts = [pieces[35], excerpt(pieces[4], 8, 12), pieces[36], excerpt(pieces[9], 0, 15)]
    clip = Audio(np.concatenate([each.samples for each in parts]), parts[0].sample_rate)
    found = {each.recording_id: each for each in library.identify(fingerprint(clip))}
    assert set(found) == {"recording 4", "recording 9"}
    four, nine = found["recording 4"], found["recording 9"]
    assert four.query_offset == pytest.approx(30, abs=2.5)
    assert four.reference_offset - four.query_offset == pytest.approx(8 - 30, abs=0.2)
    assert nine.query_offset == pytest.approx(72, abs=2.5)
    assert nine.duration == pytest.approx(15, abs=2.5)


def test_a_clip_that_begins_before_the_recording(library: Index, pieces: list[Audio]) -> None:
    silence = np.zeros((5 * 11_025, 1), np.int16)
    clip = Audio(np.concatenate((silence, pieces[2].samples)), 11_025)
    [found] = library.identify(fingerprint(clip))
    assert found.recording_id == "recording 2"
    assert found.query_offset - found.reference_offset == pytest.approx(5, abs=0.2)


def test_recordings_with_the_same_sound_are_all_given(index: Index, engine: Engine, prints: list[Fingerprint]) -> None:
    with writing(engine) as connection:
        for name in ("c", "a", "b"):
            index.add(connection, name, prints[0])
        index.add(connection, "d", prints[1])
    assert [each.recording_id for each in index.identify(prints[0])] == ["a", "b", "c"]
    assert len(index.identify(prints[0], limit=2)) == 2


@pytest.mark.parametrize("seconds", [1, 2.5, 3.9])
def test_clips_that_are_too_short(
    library: Index, pieces: list[Audio], excerpt: Callable[[Audio, float, float], Audio], seconds: float
) -> None:
    with pytest.raises(InsufficientEvidenceError, match=f"lasts {seconds:.1f} seconds"):
        library.identify(fingerprint(excerpt(pieces[0], 5, seconds)))


def wave(*pitches: float, seconds: float = 12, beat: float = 0) -> Audio:
    time = np.arange(round(seconds * 11_025)) / 11_025
    sound = sum(np.sin(2 * np.pi * 440 * 2 ** (pitch / 12) * time) for pitch in pitches)
    if beat:
        sound = sound * np.exp(-4 * (time % beat))
    return Audio(np.rint(sound * 8000).astype(np.int16)[:, None], 11_025)


UNIFORM = {
    "a held note": wave(0),
    "a held chord": wave(0, 4, 7),
    "a chord held long": wave(0, 4, 7, seconds=60),
    "a note twice a second": wave(3, beat=0.5),
}


@pytest.mark.parametrize("name", UNIFORM)
def test_a_held_or_repeated_sound_says_nothing(
    name: str, index: Index, engine: Engine, prints: list[Fingerprint]
) -> None:
    with writing(engine) as connection:
        for each, sound in UNIFORM.items():
            index.add(connection, each, fingerprint(sound))
        for number, one in enumerate(prints):
            index.add(connection, f"recording {number}", one)
    with pytest.raises(InsufficientEvidenceError, match="changes so little"):
        index.identify(fingerprint(UNIFORM[name]))


def test_one_repeated_note_is_not_another(index: Index, engine: Engine) -> None:
    sounds = {f"{pitch} at {beat}": wave(pitch, beat=beat, seconds=30) for pitch in (-12, -9, 0) for beat in (0.7, 1)}
    with writing(engine) as connection:
        for name, sound in sounds.items():
            index.add(connection, name, fingerprint(sound))
    for name, sound in sounds.items():
        with suppress(InsufficientEvidenceError):
            assert {found.recording_id for found in index.identify(fingerprint(sound))} <= {name}


def test_an_empty_index(index: Index, prints: list[Fingerprint]) -> None:
    assert index.identify(prints[0]) == []


def test_a_recording_without_items_is_stored_and_never_found(
    index: Index, engine: Engine, compose: Callable[..., Audio], prints: list[Fingerprint]
) -> None:
    with writing(engine) as connection:
        for name in ("short", "shorter"):
            index.add(connection, name, fingerprint(compose(5, 2)))
        index.add(connection, "long", prints[0])
    assert [each.recording_id for each in index.identify(prints[0])] == ["long"]


def test_the_fingerprint_of_a_recording_is_given_back(library: Index, prints: list[Fingerprint]) -> None:
    assert [library.stored(f"recording {number}") for number in range(3)] == prints[:3]
    assert library.stored("nobody") is None


def test_all_copies_are_given_when_all_are_wanted(index: Index, engine: Engine, prints: list[Fingerprint]) -> None:
    with writing(engine) as connection:
        for number in range(30):
            index.add(connection, f"copy-{number:02}", prints[0])
    assert len(index.identify(prints[0])) == 10
    assert len(index.identify(prints[0], limit=None)) == 30


def test_a_recording_has_one_fingerprint(index: Index, engine: Engine, prints: list[Fingerprint]) -> None:
    with writing(engine) as connection:
        index.add(connection, "once", prints[0])
    with pytest.raises(DuplicateFingerprintError, match="once"), writing(engine) as connection:
        index.add(connection, "once", prints[1])
    with writing(engine) as connection:
        index.add(connection, "twice", prints[2])
        with pytest.raises(DuplicateFingerprintError, match="twice"), connection.begin_nested():
            index.add(connection, "twice", prints[1])
    assert index.identify(prints[1]) == []


def test_what_is_not_committed_is_not_found(index: Index, engine: Engine, prints: list[Fingerprint]) -> None:
    class ChangedMindError(Exception):
        pass

    def add_and_think_again() -> None:
        with writing(engine) as connection:
            index.add(connection, "never", prints[0])
            assert index.identify(prints[0]) == []
            raise ChangedMindError

    with pytest.raises(ChangedMindError):
        add_and_think_again()
    assert index.identify(prints[0]) == []
    with writing(engine) as connection:
        index.add(connection, "other", prints[1])
    assert [each.recording_id for each in index.identify(prints[1])] == ["other"]
    assert index.identify(prints[0]) == []


def test_another_index_on_the_same_database_sees_what_was_added(
    index: Index, engine: Engine, prints: list[Fingerprint]
) -> None:
    other = Index(engine)
    for number, each in enumerate(prints[:6]):
        with writing(engine) as connection:
            index.add(connection, f"recording {number}", each)
        assert [found.recording_id for found in other.identify(each)] == [f"recording {number}"]


def test_after_a_backup_was_restored_nothing_old_is_remembered(
    index: Index, engine: Engine, prints: list[Fingerprint]
) -> None:
    with writing(engine) as connection:
        for number in (0, 1, 2):
            index.add(connection, f"recording {number}", prints[number])
    assert len(index.identify(prints[2])) == 1
    with writing(engine) as connection:
        connection.execute(delete(FINGERPRINT).where(FINGERPRINT.c.recording_id != "recording 0"))
    assert index.identify(prints[2]) == []
    with writing(engine) as connection:
        index.add(connection, "recording 3", prints[3])
    assert [each.recording_id for each in index.identify(prints[3])] == ["recording 3"]


def everything(index: Index, prints: list[Fingerprint]) -> list[list[Match]]:
    return [index.identify(each) for each in prints]


def test_sealing_changes_no_answer(
    index: Index, engine: Engine, prints: list[Fingerprint], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Index(engine)
    monkeypatch.setattr("fingerprint.index.SEAL_ITEMS", 900)
    sealed = []
    for number, each in enumerate(prints):
        with writing(engine) as connection:
            index.add(connection, f"recording {number}", each)
            sealed.append(index.seal(connection))
    assert any(sealed)
    assert not all(sealed)
    after = everything(index, prints)
    assert [[found.recording_id for found in each] for each in after] == [
        [f"recording {number}"] for number in range(len(prints))
    ]
    assert everything(plain, prints) == after
    with writing(engine) as connection:
        segments = store.segments(connection)
        assert [one.end for one in segments[:-1]] == [two.start for two in segments[1:]]
        assert len(segments) <= 4
        index.rebuild(connection)
    assert everything(index, prints) == after
    with writing(engine) as connection:
        [segment] = store.segments(connection)
        assert (segment.start, segment.end) == (0, store.size(connection).end)
        assert not index.seal(connection)


def test_rebuilding_gives_the_same_rows(index: Index, engine: Engine, prints: list[Fingerprint]) -> None:
    with writing(engine) as connection:
        for number, each in enumerate(prints[:5]):
            index.add(connection, f"recording {number}", each)
    rows = []
    for _ in range(2):
        with writing(engine) as connection:
            index.rebuild(connection)
            rows.append(connection.execute(select(POSTING_BUCKET)).all())
    assert rows[0] == rows[1]
    assert rows[0]


def test_a_little_is_not_sealed(index: Index, engine: Engine, prints: list[Fingerprint]) -> None:
    with writing(engine) as connection:
        index.add(connection, "one", prints[0])
        assert not index.seal(connection)
        assert connection.scalar(select(func.count()).select_from(POSTING_BUCKET)) == 0


def test_an_mp3_file_of_a_clip_is_found(
    library: Index, pieces: list[Audio], excerpt: Callable[[Audio, float, float], Audio], tmp_path: Path
) -> None:
    path = tmp_path / "clip.wav"
    encode(excerpt(pieces[7], 3.21, 10), path, media_type="audio/mpeg")
    assert library.identify(fingerprint(decode(path)))[0].recording_id == "recording 7"


@pytest.fixture
def sealed(index: Index, engine: Engine, prints: list[Fingerprint], monkeypatch: pytest.MonkeyPatch) -> Index:
    """An index of two segments, and some recordings behind them."""
    monkeypatch.setattr("fingerprint.index.SEAL_ITEMS", 900)
    with writing(engine) as connection:
        for number, each in enumerate(prints):
            index.add(connection, f"recording {number}", each)
            if number in {29, 35}:
                assert index.seal(connection)
        assert len(store.segments(connection)) == 2
        assert list(index.faults(connection)) == []
    return index


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM posting_bucket",
        "DELETE FROM posting_bucket WHERE bucket = 3",
        "DELETE FROM posting_segment WHERE start_address = 0",
        "DELETE FROM posting_bucket WHERE segment = 0; DELETE FROM posting_segment WHERE start_address = 0",
        "UPDATE posting_bucket SET postings = zeroblob(length(postings)) WHERE segment = 0",
        "UPDATE posting_bucket SET postings = zeroblob(7) WHERE bucket = 2",
        "UPDATE posting_bucket SET postings = 'x' WHERE bucket = 2",
        "UPDATE posting_bucket SET bucket = bucket + 1000",
        "UPDATE posting_segment SET end_address = end_address - 1",
        "UPDATE posting_segment SET end_address = end_address + 1",
        "UPDATE posting_segment SET end_address = 68719476735",
        "UPDATE posting_segment SET end_address = 'x'",
        "UPDATE posting_segment SET posting_count = posting_count + 1",
        "UPDATE posting_segment SET bucket_bits = bucket_bits + 1",
        "INSERT INTO posting_segment VALUES (68000000000, 68719476735, 0, 1)",
        "INSERT INTO posting_bucket VALUES (5, 0, x'0000000000000000')",
        "UPDATE fingerprint SET start_address = -1 - start_address",
    ],
)
def test_altered_postings_are_found_and_made_again(
    sealed: Index, engine: Engine, prints: list[Fingerprint], change: str
) -> None:
    before = everything(Index(engine), prints)
    behind = sqlite3.connect(str(engine.url.database))  # which checks no foreign keys
    behind.executescript(change)
    behind.close()
    with writing(engine) as connection:
        assert list(sealed.faults(connection))
        sealed.is_due(connection)
        sealed.seal(connection)
        if "UPDATE fingerprint" in change:
            return
        sealed.rebuild(connection)
        assert list(sealed.faults(connection)) == []
    assert everything(sealed, prints) == before


def test_what_is_damaged_is_not_sealed_and_that_is_said(
    sealed: Index, engine: Engine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fingerprint.index.SEAL_ITEMS", 1)
    with writing(engine) as connection:
        connection.execute(update(FINGERPRINT).values(duration_ms="x"))
        assert sealed.is_due(connection)
        assert not sealed.seal(connection)
    assert "damaged" in caplog.text
