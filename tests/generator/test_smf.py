"""The bytes of MIDI files, with mido as the second opinion."""

from io import BytesIO

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator import smf
from generator.errors import MidiError
from generator.smf import Event

END = b"\x00\xff\x2f\x00"


def track(*events: bytes) -> bytes:
    data = b"".join(events)
    return b"MTrk" + len(data).to_bytes(4) + data


def file(*tracks: bytes, form: int = 1, count: int | None = None, division: int = 96) -> bytes:
    numbers = (form, len(tracks) if count is None else count, division)
    return b"MThd\x00\x00\x00\x06" + b"".join(number.to_bytes(2) for number in numbers) + b"".join(tracks)


def events(*raw: bytes) -> tuple[Event, ...]:
    return smf.parse(file(track(*raw, END))).tracks[0][:-1]


messages = st.one_of(
    st.builds(
        mido.Message,
        st.sampled_from(["note_on", "note_off"]),
        channel=st.integers(0, 15),
        note=st.integers(0, 127),
        velocity=st.integers(0, 127),
        time=st.integers(0, 2**28 - 1),
    ),
    st.builds(mido.Message, st.just("program_change"), channel=st.integers(0, 15), program=st.integers(0, 127)),
    st.builds(mido.Message, st.just("control_change"), channel=st.integers(0, 15), value=st.integers(0, 127)),
    st.builds(mido.Message, st.just("pitchwheel"), pitch=st.integers(-8192, 8191)),
    st.builds(mido.Message, st.just("sysex"), data=st.lists(st.integers(0, 127), max_size=200)),
    st.builds(mido.MetaMessage, st.just("text"), text=st.text(st.characters(max_codepoint=255))),
    st.builds(mido.MetaMessage, st.just("lyrics"), text=st.text(st.characters(max_codepoint=255))),
    st.builds(mido.MetaMessage, st.just("set_tempo"), tempo=st.integers(0, 2**24 - 1)),
)
KINDS = {"note_on": smf.NOTE_ON, "note_off": smf.NOTE_OFF, "program_change": smf.PROGRAM}
METAS = {"text": smf.TEXT, "set_tempo": smf.SET_TEMPO}


@given(st.lists(st.lists(messages, max_size=20), min_size=1, max_size=3), st.integers(1, 0x7FFF))
def test_what_mido_writes_is_read(tracks: list[list[mido.Message]], division: int) -> None:
    buffer = BytesIO()
    mido.MidiFile(ticks_per_beat=division, tracks=[mido.MidiTrack(each) for each in tracks]).save(file=buffer)
    read = smf.parse(buffer.getvalue())
    assert (read.format, read.ticks_per_quarter) == (1, division)
    for written, found in zip(tracks, read.tracks, strict=True):
        expected = []
        tick = 0
        for message in written:
            tick += message.time
            data = bytes(message.bytes())
            if message.type in METAS:
                length = 3 if len(data) - 3 < 128 else 4
                expected.append(Event(tick, smf.META, METAS[message.type], data[length:]))
            elif message.type in KINDS:
                silent = message.type == "note_on" and message.velocity == 0
                kind = smf.NOTE_OFF if silent else KINDS[message.type]
                expected.append(Event(tick, kind, message.channel, data[1:]))
        assert found == (*expected, Event(tick, smf.META, smf.END_OF_TRACK, b""))


def test_running_status_holds_until_another_status() -> None:
    assert events(b"\x00\x91\x3c\x40", b"\x05\x3c\x00", b"\x00\xff\x01\x01a", b"\x05\x3e\x40") == (
        Event(0, smf.NOTE_ON, 1, b"\x3c\x40"),
        Event(5, smf.NOTE_OFF, 1, b"\x3c\x00"),
        Event(5, smf.META, smf.TEXT, b"a"),
        Event(10, smf.NOTE_ON, 1, b"\x3e\x40"),
    )


def test_a_track_may_lack_its_end() -> None:
    read = smf.parse(file(track(b"\x00\x90\x3c\x40", b"\x07\x3c\x00")))
    assert read.tracks[0][-1] == Event(7, smf.META, smf.END_OF_TRACK, b"")


def test_what_follows_the_end_is_not_read() -> None:
    assert smf.parse(file(track(END, b"\x00\x90\x3c\x40"))).tracks == ((Event(0, smf.META, smf.END_OF_TRACK, b""),),)


def test_unknown_chunks_are_passed_over() -> None:
    alien = b"XFIH\x00\x00\x00\x03abc"
    assert len(smf.parse(file(alien, track(END), alien, track(END), count=2)).tracks) == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "not a Standard MIDI File"),
        (b"MThd\x00\x00\x00\x02\x00\x01", "cut short"),
        (file(track(END), form=2), "format 2"),
        (file(track(END), division=0xE728), "film frames"),
        (file(track(END), division=0), "film frames"),
        (file(count=0), "0 tracks"),
        (file(count=1001), "1001 tracks"),
        (file(track(END), count=2), "track 2 of 2"),
        (file(track(END))[:-1], "cut short"),
        (file(track(b"\x00\x90\x3c")), "ends inside an event"),
        (file(track(b"\x00")), "ends inside an event"),
        (file(track(b"\x00\x3c\x40")), "unknown status byte 0x0"),
        (file(track(b"\x00\xf4")), "unknown status byte 0xf4"),
        (file(track(b"\x00\x90\x3c\x90")), "above 127"),
        (file(track(b"\xff\xff\xff\xff\x7f")), "more than four bytes"),
        (file(track(b"\x00\xff\x51\x02\x00\x00")), "2 instead of 3 bytes"),
    ],
)
def test_damage_is_named(data: bytes, message: str) -> None:
    with pytest.raises(MidiError, match=message):
        smf.parse(data)


def test_events_are_counted_over_all_tracks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smf, "MAX_EVENTS", 100)
    half = b"\x00\xc0\x00" + b"\x00\x00" * 48 + END
    assert sum(len(each) for each in smf.parse(file(track(half), track(half))).tracks) == 100
    with pytest.raises(MidiError, match="more than 100 events"):
        smf.parse(file(track(half), track(b"\x00\xc0\x00", half)))


def test_a_file_of_more_than_eight_mebibytes_is_refused() -> None:
    with pytest.raises(MidiError, match="at most 8388608"):
        smf.parse(b"MThd" + bytes(smf.MAX_BYTES))
