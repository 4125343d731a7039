"""MIDI files: written scores come back, files that editors saved hold the same notes, the rest is refused."""

import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import mido
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from generator import smf
from generator.errors import MidiError, ScoreError
from generator.midi import MAX_SECONDS, Reading, read, read_midi, write_midi
from generator.score import BAR_FLAGS, QUARTET_VOICES, TICKS_PER_QUARTER, Bar, Note, Score, Tempo, Voice

QUARTER = TICKS_PER_QUARTER
BAR = 4 * QUARTER


def without_nested(notes: Iterable[Note]) -> tuple[Note, ...]:
    """Drop notes that end before an earlier one of their pitch does."""
    kept: list[Note] = []
    last_end: dict[int, int] = {}
    for note in sorted(notes):
        if note.end >= last_end.get(note.pitch, 0):
            last_end[note.pitch] = note.end
            kept.append(note)
    return tuple(kept)


@st.composite
def bars_of(draw: st.DrawFn) -> tuple[Bar, ...]:
    bars: list[Bar] = []
    for _ in range(draw(st.integers(1, 5))):
        bar = Bar(
            start=bars[-1].end if bars else 0,
            duration=1,
            beats=draw(st.integers(1, 13)),
            beat_type=draw(st.sampled_from([1, 2, 4, 8, 16, 128])),
            fifths=draw(st.integers(-7, 7)),
            flags=frozenset(draw(st.sets(st.sampled_from(sorted(BAR_FLAGS)), max_size=2))),
        )
        shorter = st.integers(1, bar.nominal_duration)
        bars.append(replace(bar, duration=draw(st.just(bar.nominal_duration) | shorter)))
    return tuple(bars)


@st.composite
def scores(draw: st.DrawFn, names: tuple[str, ...] = QUARTET_VOICES, grid: int = 1) -> Score:
    bars = draw(bars_of()) if grid == 1 else tuple(Bar(index * BAR, BAR, 4, 4) for index in range(3))
    length = bars[-1].end
    onsets = draw(st.sets(st.integers(1, length), max_size=3))
    tempos = [Tempo(onset, draw(st.integers(1, 2_000_000))) for onset in (0, *sorted(onsets))]
    voices = []
    for name in names:
        notes = []
        for _ in range(draw(st.integers(0, 8))):
            onset = draw(st.integers(0, length // grid - 1))
            duration = draw(st.integers(1, length // grid - onset))
            notes.append(Note(onset * grid, duration * grid, draw(st.integers(0, 127)), draw(st.integers(1, 127))))
        voices.append(Voice(name, draw(st.integers(0, 127)), without_nested(notes)))
    title = draw(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20))
    return Score(title, bars, tuple(tempos), tuple(voices))


def a_score() -> Score:
    """Four bars with everything an editor may touch: repeated notes, triplets, a silent bar."""
    third = QUARTER // 3
    violin = [Note(index * third, third, 70 + index % 5) for index in range(12)]
    second = [Note(index * QUARTER, QUARTER, 67) for index in range(8)]
    viola = [Note(2 * BAR, BAR, 60, 100), Note(3 * BAR, BAR, 59)]
    cello = [Note(0, BAR, 48), Note(BAR, BAR // 2, 43), Note(3 * BAR, BAR, 36)]
    voices = zip(QUARTET_VOICES, (40, 40, 41, 42), (violin, second, viola, cello), strict=True)
    return Score(
        title="Ständchen",
        bars=tuple(Bar(index * BAR, BAR, 4, 4, fifths=-2) for index in range(4)),
        tempos=(Tempo(0, 600_000), Tempo(2 * BAR, 500_000)),
        voices=tuple(Voice(name, program, tuple(notes)) for name, program, notes in voices),
    )


@given(scores())
def test_a_written_score_comes_back(score: Score) -> None:
    assert read_midi(write_midi(score)) == score


@given(scores(names=("Flute", "Bassoon", "Flute")))
def test_other_ensembles_keep_their_names_and_order(score: Score) -> None:
    assert read_midi(write_midi(score)) == score


@settings(max_examples=10)
@given(scores())
def test_writing_is_deterministic(score: Score) -> None:
    assert write_midi(score) == write_midi(replace(score))


def test_a_file_can_be_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "air.mid"
    data = write_midi(a_score(), path)
    assert path.read_bytes() == data
    assert read_midi(path) == a_score()


def test_resolution_is_480_when_that_is_exact() -> None:
    assert mido.MidiFile(file=BytesIO(write_midi(a_score()))).ticks_per_beat == 480
    quintuplet = Voice("Viola", 41, (Note(0, QUARTER // 7, 60),))
    score = replace(a_score(), voices=(quintuplet,))
    assert mido.MidiFile(file=BytesIO(write_midi(score))).ticks_per_beat == TICKS_PER_QUARTER
    assert read_midi(write_midi(score)) == score


def test_mido_hears_the_same_file() -> None:
    file = mido.MidiFile(file=BytesIO(write_midi(a_score())))
    score = a_score()
    assert file.length == pytest.approx(score.seconds(score.length))
    assert [track.name.encode("latin-1").decode() for track in file.tracks] == ["Ständchen", *QUARTET_VOICES]
    assert [m.key for m in file.tracks[0] if m.type == "key_signature"] == ["Bb"]


@pytest.mark.parametrize(("fifths", "written"), [(8, -4), (-9, 3), (14, 2), (-14, -2)])
def test_keys_of_many_accidentals_are_respelt(fifths: int, written: int) -> None:
    score = replace(a_score(), bars=tuple(replace(bar, fifths=fifths) for bar in a_score().bars))
    assert {bar.fifths for bar in read_midi(write_midi(score)).bars} == {written}


def test_a_bar_longer_than_its_metre_comes_back_as_two() -> None:
    score = Score(
        "",
        (Bar(0, 5 * QUARTER, 4, 4), Bar(5 * QUARTER, BAR, 4, 4)),
        (Tempo(0, 500_000),),
        (Voice("Viola", 41, (Note(5 * QUARTER, QUARTER, 60),)),),
    )
    again = read_midi(write_midi(score))
    assert [(bar.start, bar.duration) for bar in again.bars] == [(0, BAR), (BAR, QUARTER), (5 * QUARTER, BAR)]
    assert again.voices == score.voices


def test_a_voice_without_a_name_and_a_tempo_after_the_end() -> None:
    score = replace(
        a_score(), voices=(Voice("", 40, (Note(0, BAR, 60),)),), tempos=(Tempo(0, 500_000), Tempo(9 * BAR, 1))
    )
    again = read_midi(write_midi(score))
    assert again.voices == (replace(score.voices[0], name="Violin I"),)
    assert again.tempos == (Tempo(0, 500_000),)


# What editors do to a file ------------------------------------------------------------------------

Absolute = list[tuple[int, mido.Message]]
Edit = Callable[[list[Absolute], random.Random], list[Absolute]]


def shuffled_within_ticks(tracks: list[Absolute], chance: random.Random) -> list[Absolute]:
    return [sorted(track, key=lambda event: (event[0], chance.random())) for track in tracks]


def meta_merged_into_first_voice(tracks: list[Absolute], _: random.Random) -> list[Absolute]:
    conductor = [event for event in tracks[0] if event[1].type != "track_name"]
    return [sorted(tracks[1] + conductor, key=lambda event: event[0]), *tracks[2:]]


def without_names(tracks: list[Absolute], _: random.Random) -> list[Absolute]:
    return [[event for event in track if event[1].type != "track_name"] for track in tracks]


def without_names_on_one_channel(tracks: list[Absolute], chance: random.Random) -> list[Absolute]:
    return [
        [(tick, message if message.is_meta else message.copy(channel=0)) for tick, message in track]
        for track in without_names(tracks, chance)
    ]


def shuffled_tracks(tracks: list[Absolute], chance: random.Random) -> list[Absolute]:
    return [tracks[0], *chance.sample(tracks[1:], 4)]


def one_track(tracks: list[Absolute], chance: random.Random) -> list[Absolute]:
    merged = [event for track in without_names(tracks, chance) for event in track]
    return [sorted(merged, key=lambda event: event[0])]


def with_aliases(tracks: list[Absolute], _: random.Random) -> list[Absolute]:
    names = {"Violin I": "Violin 1", "Violin II": "violin", "Violoncello": "CELLO "}
    return [
        [
            (
                tick,
                message.copy(name=names.get(message.name, message.name)) if message.type == "track_name" else message,
            )
            for tick, message in track
        ]
        for track in tracks
    ]


def ended_by_velocity_zero(tracks: list[Absolute], _: random.Random) -> list[Absolute]:
    return [
        [
            (
                tick,
                mido.Message("note_on", channel=message.channel, note=message.note, velocity=0)
                if message.type == "note_off"
                else message,
            )
            for tick, message in track
        ]
        for track in tracks
    ]


def with_controllers(tracks: list[Absolute], _: random.Random) -> list[Absolute]:
    noise = [
        (0, mido.Message("control_change", channel=0, control=7, value=100)),
        (5, mido.Message("pitchwheel", channel=0, pitch=100)),
        (9, mido.Message("sysex", data=(1, 2, 3))),
        (9, mido.MetaMessage("marker", text="A")),
    ]
    return [tracks[0], sorted(tracks[1] + noise, key=lambda event: event[0]), *tracks[2:]]


EDITS = (
    shuffled_within_ticks,
    meta_merged_into_first_voice,
    without_names,
    without_names_on_one_channel,
    shuffled_tracks,
    one_track,
    with_aliases,
    ended_by_velocity_zero,
    with_controllers,
)


def saved_again(data: bytes, edits: Iterable[Edit], resolution: int, seed: int = 0, kind: int = 1) -> bytes:
    """The file as another program would save it."""
    file = mido.MidiFile(file=BytesIO(data))
    tracks: list[Absolute] = []
    for track in file.tracks:
        tick = 0
        events = []
        for message in track:
            tick += message.time
            if message.type != "end_of_track":
                events.append((tick * resolution // file.ticks_per_beat, message))
        tracks.append(events)
    for edit in edits:
        tracks = edit(tracks, random.Random(seed))
    saved = mido.MidiFile(type=kind, ticks_per_beat=resolution)
    for events in tracks:
        track = saved.add_track()
        now = 0
        for tick, message in events:
            track.append(message.copy(time=tick - now))
            now = tick
    buffer = BytesIO()
    saved.save(file=buffer)
    return buffer.getvalue()


def sounding(score: Score) -> list[tuple[str, tuple[Note, ...]]]:
    return [(voice.name, voice.notes) for voice in score.voices]


@pytest.mark.parametrize("resolution", [96, 192, 384, 480, 960, 1920, 15360])
@pytest.mark.parametrize("edit", EDITS)
def test_a_file_saved_by_an_editor_has_the_same_notes(edit: Edit, resolution: int) -> None:
    score = a_score()
    kind = 0 if edit is one_track else 1
    again = read_midi(saved_again(write_midi(score), [edit], resolution, kind=kind))
    assert sounding(again) == sounding(score)
    assert again.tempos == score.tempos
    assert [(bar.start, bar.fifths) for bar in again.bars] == [(bar.start, bar.fifths) for bar in score.bars]


@given(
    scores(grid=QUARTER // 12),
    st.sampled_from([edit for edit in EDITS if edit is not without_names_on_one_channel]),
    st.sampled_from([96, 384, 960]),
    st.integers(),
)
def test_any_quartet_survives_any_edit(score: Score, edit: Edit, resolution: int, seed: int) -> None:
    again = read_midi(saved_again(write_midi(score), [edit], resolution, seed))
    by_name = dict(sounding(again))
    for voice in score.voices:
        # Within one tick an editor may swap notes of one pitch, so compare without velocities.
        found = sorted((note.onset, note.end, note.pitch) for note in by_name.get(voice.name, ()))
        assert found == sorted((note.onset, note.end, note.pitch) for note in voice.notes)


# Files that are read as documented ----------------------------------------------------------------


def a_file(*tracks: list[mido.Message], kind: int = 1, resolution: int = 480) -> bytes:
    buffer = BytesIO()
    mido.MidiFile(type=kind, ticks_per_beat=resolution, tracks=[mido.MidiTrack(track) for track in tracks]).save(
        file=buffer
    )
    return buffer.getvalue()


def on(pitch: int, time: int = 0, velocity: int = 80, channel: int = 0) -> mido.Message:
    return mido.Message("note_on", note=pitch, time=time, velocity=velocity, channel=channel)


def off(pitch: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("note_off", note=pitch, time=time, channel=channel)


def notes_of(data: bytes) -> list[tuple[int, int, int]]:
    [voice] = read_midi(data).voices
    return [(note.onset * 480 // QUARTER, note.end * 480 // QUARTER, note.pitch) for note in voice.notes]


def test_overlapping_notes_end_in_the_order_in_which_they_began() -> None:
    data = a_file([on(60), on(60, 100), off(60, 100), off(60, 100)])
    assert notes_of(data) == [(0, 200, 60), (100, 300, 60)]


def test_a_note_that_ends_where_it_begins_is_left_out() -> None:
    data = a_file([on(60), off(60), on(62), off(62, 10), off(64), on(64), on(65), off(65, 5)])
    assert notes_of(data) == [(0, 10, 62), (10, 15, 65)]


def test_a_repeated_note_may_begin_before_the_last_one_ends() -> None:
    data = a_file([on(60), on(60, 480), off(60), off(60, 480)])
    assert notes_of(data) == [(0, 480, 60), (480, 960, 60)]


def test_an_end_without_a_beginning_is_ignored() -> None:
    assert notes_of(a_file([off(60, 10), on(60, 10), off(60, 10)])) == [(20, 30, 60)]


def test_a_short_note_at_a_fine_resolution_keeps_a_tick() -> None:
    [voice] = read_midi(a_file([on(60, 1), off(60, 1)], resolution=32767)).voices
    assert voice.notes == (Note(1, 1, 60),)


def test_positions_go_to_the_nearest_tick() -> None:
    [voice] = read_midi(a_file([on(60, 1), off(60, 1)], resolution=384)).voices
    assert voice.notes == (Note(53, 105 - 53, 60),)  # 52.5 upwards, and 105


def test_without_tempo_and_metre_it_is_120_in_common_time() -> None:
    score = read_midi(a_file([on(60), off(60, 481)]))
    assert score.tempos == (Tempo(0, 500_000),)
    assert score.bars == (Bar(0, BAR, 4, 4),)


def test_a_late_first_tempo_is_preceded_by_120() -> None:
    late = mido.MetaMessage("set_tempo", tempo=400_000, time=480)
    assert read_midi(a_file([late, on(60), off(60, 1)])).tempos == (Tempo(0, 500_000), Tempo(QUARTER, 400_000))


def test_a_metre_inside_a_bar_cuts_it_short() -> None:
    waltz = mido.MetaMessage("time_signature", numerator=3, denominator=4, time=480)
    score = read_midi(a_file([waltz, on(60), off(60, 480)]))
    assert score.bars == (Bar(0, QUARTER, 4, 4), Bar(QUARTER, 3 * QUARTER, 3, 4))


def test_a_track_on_several_channels_is_one_voice_if_it_has_a_name() -> None:
    name = mido.MetaMessage("track_name", name="Violin I")
    other = [mido.MetaMessage("track_name", name="Viola"), on(50, channel=5), off(50, 9, channel=5)]
    plucked = [name, on(60), off(60, 480), on(60, channel=1), off(60, 480, channel=1)]
    assert [(v.name, len(v.notes)) for v in read_midi(a_file(plucked, other)).voices] == [("Violin I", 2), ("Viola", 1)]


def test_an_empty_piece_has_one_bar() -> None:
    score = read_midi(a_file([]))
    assert (score.voices, score.bars) == ((), (Bar(0, BAR, 4, 4),))


def test_names_that_are_not_utf8_are_read_as_latin_1() -> None:
    name = mido.MetaMessage("track_name", name="Fl\xf6te\x00")
    assert read_midi(a_file([name, on(60), off(60, 1)])).voices[0].name == "Flöte"


# Files that are refused ---------------------------------------------------------------------------


def test_a_note_that_never_ends_is_refused() -> None:
    with pytest.raises(MidiError, match="pitch 61 that begins at tick 7 of track 1 never ends"):
        read_midi(a_file([on(60), off(60, 7), on(61)]))


def test_more_than_an_hour_is_refused() -> None:
    slow = mido.MetaMessage("set_tempo", tempo=16_000_000)
    data = a_file([slow, on(60), off(60, 480 * 240)])
    with pytest.raises(MidiError, match=f"3840 s; at most {MAX_SECONDS} s"):
        read_midi(data)
    long = replace(a_score(), tempos=(Tempo(0, 16_000_000), Tempo(BAR, 0xFFFFFF)), bars=(Bar(0, 20 * BAR, 4, 4),) * 1)
    assert read_midi(write_midi(long)).length == 20 * BAR
    longer = replace(long, bars=(Bar(0, 90 * BAR, 4, 4),))
    with pytest.raises(MidiError, match="at most 3600 s"):
        write_midi(longer)


def test_a_rest_that_no_midi_file_can_say_is_refused() -> None:
    bar = 13_320 * QUARTER
    score = Score("", (Bar(0, bar, 1, 4),), (Tempo(0, 1_000),), (Voice("Viola", 41, (Note(1, 1, 60),)),))
    with pytest.raises(MidiError, match="Shorten the rest"):
        write_midi(score)


def test_too_many_bars_are_refused() -> None:
    tiny = mido.MetaMessage("time_signature", numerator=1, denominator=128)
    fast = mido.MetaMessage("set_tempo", tempo=1)
    with pytest.raises(MidiError, match="more than 100000 bars"):
        read_midi(a_file([tiny, fast, on(60), off(60, 480 * 4000)]))


def test_an_end_beyond_all_ticks_is_refused() -> None:
    with pytest.raises(MidiError, match="quarter notes"):
        read_midi(a_file([on(60), off(60, 2_000_000)], resolution=1))


def test_a_tempo_of_nothing_is_refused() -> None:
    with pytest.raises(MidiError, match="0 microseconds"):
        read_midi(a_file([mido.MetaMessage("set_tempo", tempo=0)]))


@pytest.mark.parametrize(
    ("find", "put", "message"),
    [
        (b"\xff\x58\x04\x04\x02", b"\xff\x58\x04\x00\x02", "metre 0/2"),
        (b"\xff\x58\x04\x04\x02", b"\xff\x58\x04\x04\x09", "metre 4/2"),
        (b"\xff\x59\x02\xfe", b"\xff\x59\x02\x70", "112 accidentals"),
    ],
)
def test_metres_and_keys_that_do_not_exist_are_refused(find: bytes, put: bytes, message: str) -> None:
    data = write_midi(a_score())
    assert find in data
    with pytest.raises(MidiError, match=message):
        read_midi(data.replace(find, put))


def test_a_large_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    path = tmp_path / "large.mid"
    with path.open("wb") as file:
        file.write(b"MThd")
        file.truncate(smf.MAX_BYTES + 1)
    with pytest.raises(MidiError, match="at most 8388608 are read"):
        read_midi(path)


@given(st.binary(max_size=200))
@example(b"")
@example(b"\x89PNG\r\n\x1a\n")
@example(b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0")
def test_other_bytes_are_refused_in_one_paragraph(data: bytes) -> None:
    with pytest.raises(MidiError) as caught:
        read_midi(data)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) > 40


@given(st.data())
def test_a_truncated_file_is_refused(data: st.DataObject) -> None:
    whole = write_midi(a_score())
    end = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(MidiError):
        read_midi(whole[:end])


@given(st.data())
def test_an_altered_file_is_read_or_refused_and_never_crashes(data: st.DataObject) -> None:
    altered = bytearray(write_midi(a_score()))
    for _ in range(data.draw(st.integers(1, 4))):
        altered[data.draw(st.integers(0, len(altered) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_midi(bytes(altered))
    except ScoreError as error:
        assert "\n" not in str(error)  # noqa: PT017 - most alterations are still music


WORDS = b"Kunigunde Zwetschkenbaum"


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (b"\xff\x01", "texts"),
        (b"\xff\x02", "copyright notices"),
        (b"\xff\x04", "instrument names"),
        (b"\xff\x05", "lyrics"),
        (b"\xff\x06", "markers"),
        (b"\xff\x07", "cue points"),
        (b"\xff\x08", "program names"),
        (b"\xff\x09", "device names"),
        (b"\xff\x0f", "texts"),
        (b"\xff\x7f", "sequencer-specific data"),
        (b"\xf0", "system-exclusive data"),
        (b"\xf7", "system-exclusive data"),
    ],
)
def test_words_in_a_file_are_told_by_kind_and_not_read(event: bytes, told: str) -> None:
    data = with_event(write_midi(a_score()), event, WORDS)
    assert WORDS in data
    reading = read(data)
    assert reading == Reading(a_score(), (told,))
    assert WORDS not in write_midi(reading.score)


def test_what_is_written_here_has_no_words_to_leave_out() -> None:
    assert read(write_midi(a_score())).left_out == ()


def with_event(data: bytes, event: bytes, words: bytes) -> bytes:
    """Put an event with words in front of the others of the first track."""
    at = data.index(b"MTrk") + 4
    length = int.from_bytes(data[at : at + 4])
    added = b"\0" + event + bytes([len(words)]) + words
    return data[:at] + (length + len(added)).to_bytes(4) + added + data[at + 4 :]
