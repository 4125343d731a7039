"""Which voice a track is."""

import pytest

from generator.parts import Part, voices
from generator.score import QUARTET_PROGRAMS, QUARTET_VOICES, Note


def part(name: str, channel: int = 0, pitch: int = 60) -> Part:
    return Part(name, channel, None, (Note(0, 1, pitch),))


def names(*parts: Part) -> list[tuple[str, int]]:
    return [(voice.name, voice.notes[0].pitch if voice.notes else 0) for voice in voices(parts)]


def test_named_parts_sit_in_score_order() -> None:
    parts = [part(name, pitch=index) for index, name in enumerate(QUARTET_VOICES)]
    assert names(*reversed(parts)) == list(zip(QUARTET_VOICES, range(4), strict=True))


@pytest.mark.parametrize("first", ["Violin", "violin 1", " VIOLIN I"])
def test_other_spellings_of_a_name_are_known(first: str) -> None:
    assert names(part("Cello", pitch=4), part(first, pitch=1), part("violin", pitch=2), part("viola", pitch=3)) == list(
        zip(QUARTET_VOICES, (1, 2, 3, 4), strict=True)
    )


def test_unnamed_parts_sit_by_channel() -> None:
    assert names(part("", 3, 1), part("", 1, 2)) == [("Violin II", 2), ("Violoncello", 1)]


def test_unnamed_parts_sit_in_order_when_channels_do_not_tell() -> None:
    assert names(part("", 0, 1), part("", 0, 2), part("", 0, 3)) == [("Violin I", 1), ("Violin II", 2), ("Viola", 3)]
    assert names(part("", 7, 1), part("", 8, 2)) == [("Violin I", 1), ("Violin II", 2)]


def test_unnamed_parts_take_what_named_parts_leave() -> None:
    assert names(part("Viola", 0, 1), part("", 2, 2), part("", 3, 3)) == [
        ("Violin I", 2),
        ("Violin II", 3),
        ("Viola", 1),
    ]


def test_more_than_four_parts_are_no_quartet() -> None:
    assert names(*[part("", channel) for channel in range(5)]) == [(f"Voice {n}", 60) for n in range(1, 6)]


def test_a_foreign_name_keeps_every_name() -> None:
    assert names(part("Cello"), part("Piano")) == [("Cello", 60), ("Piano", 60)]


def test_a_foreign_name_without_notes_does_not_matter() -> None:
    assert names(Part("My song", 0, None, ()), part("Cello", 0)) == [("Violoncello", 60)]
    assert names(Part("Flute", 0, 73, ())) == [("Flute", 0)]


def test_programs_are_those_of_the_seats_when_the_file_is_silent() -> None:
    parts = [part("", channel) for channel in range(4)]
    assert tuple(voice.program for voice in voices(parts)) == QUARTET_PROGRAMS
    assert voices([Part("Cello", 0, 0, (Note(0, 1, 60),))])[0].program == 0
