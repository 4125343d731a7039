"""Reading MusicXML: every construct that changes the music, and files that are none."""

import contextlib
import io
import os
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator import musicxml
from generator.errors import ScoreError
from generator.musicxml import read_musicxml
from generator.score import TICKS_PER_QUARTER, Score, content_digest

QUARTER = TICKS_PER_QUARTER
CORPUS = Path(os.environ.get("LINERNOTES_CORPUS", Path(__file__).parents[3] / "shared/corpus"))
SCORES = CORPUS / "openscore-string-quartets" / "scores"
ORIGIN = "the corpus OpenScore/StringQuartets @2c723a5b is not here"
CONTAINER = '<container><rootfiles><rootfile full-path="score.xml"/></rootfiles></container>'
START = (
    "<attributes><divisions>4</divisions><key><fifths>-3</fifths></key>"
    "<time><beats>3</beats><beat-type>4</beat-type></time></attributes>"
)


def note(step: str = "C", duration: int = 4, *, octave: int = 4, alter: str = "", extra: str = "") -> str:
    alteration = f"<alter>{alter}</alter>" if alter else ""
    pitch = f"<pitch><step>{step}</step>{alteration}<octave>{octave}</octave></pitch>"
    return f"<note>{extra}{pitch}<duration>{duration}</duration></note>"


def rest(duration: int) -> str:
    return f"<note><rest/><duration>{duration}</duration></note>"


def part(*measures: str, name: str = "P1") -> str:
    inside = "".join(
        measure if measure.startswith("<measure") else f"<measure>{measure}</measure>" for measure in measures
    )
    return f'<part id="{name}">{inside}</part>'


def document(*parts: str, head: str = "") -> bytes:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
        '"http://www.musicxml.org/dtds/partwise.dtd">'
        f'<score-partwise version="4.0">{head}{"".join(parts)}</score-partwise>'
    ).encode()


def one_bar(content: str) -> Score:
    (score,) = read_musicxml(document(part(START + content)))
    return score


def notes_of(score: Score, voice: int = 0) -> list[tuple[int, int, int]]:
    return [(note.onset, note.duration, note.pitch) for note in score.voices[voice].notes]


def zipped(xml: bytes, *, method: int = zipfile.ZIP_DEFLATED, extra: str = "") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        if extra:
            archive.writestr(extra, "something")
        archive.writestr("META-INF/container.xml", CONTAINER)
        archive.writestr("score.xml", xml)
    return buffer.getvalue()


def test_notes_rests_pitches_and_the_bar() -> None:
    score = one_bar(note("C") + rest(4) + note("F", alter="1", octave=5))
    assert notes_of(score) == [(0, QUARTER, 60), (2 * QUARTER, QUARTER, 78)]
    (bar,) = score.bars
    assert (bar.duration, bar.beats, bar.beat_type, bar.fifths) == (3 * QUARTER, 3, 4, -3)
    assert bar.flags == frozenset()
    assert [voice.name for voice in score.voices] == ["Part 1"]


def test_chords_share_an_onset() -> None:
    score = one_bar(note("C") + note("E", extra="<chord/>") + note("D", 8))
    assert notes_of(score) == [(0, QUARTER, 60), (0, QUARTER, 64), (QUARTER, 2 * QUARTER, 62)]


def test_backup_and_forward_place_second_voices() -> None:
    backup, forward = (f"<{tag}><duration>8</duration></{tag}>" for tag in ("backup", "forward"))
    score = one_bar(note("C", 8) + backup + note("A", 4, octave=3) + forward)
    assert notes_of(score) == [(0, QUARTER, 57), (0, 2 * QUARTER, 60)]
    assert score.length == 3 * QUARTER


def test_tuplets_are_exact() -> None:
    thirds = "".join(note("C", 8) for _ in range(3))
    (score,) = read_musicxml(document(part(START.replace(">4</divisions", ">12</divisions") + thirds)))
    assert [note.onset for note in score.voices[0].notes] == [0, QUARTER * 2 // 3, QUARTER * 4 // 3]


def test_ties_are_merged_across_bars() -> None:
    begin, both, end = (
        "".join(f'<tie type="{kind}"/>' for kind in kinds) for kinds in (["start"], ["stop", "start"], ["stop"])
    )
    (score,) = read_musicxml(
        document(
            part(
                START + note("C", 12, extra=begin),
                note("C", 12, extra=both),
                note("C", 4, extra=end) + note("C", 8),
            )
        )
    )
    assert notes_of(score) == [(0, 7 * QUARTER, 60), (7 * QUARTER, 2 * QUARTER, 60)]


def test_ties_join_only_what_meets() -> None:
    score = one_bar(note("C", extra='<tie type="start"/>') + rest(4) + note("C", extra='<tie type="stop"/>'))
    assert len(notes_of(score)) == 2


def test_grace_and_cue_notes_are_left_out() -> None:
    grace = "<note><grace/><pitch><step>B</step><octave>4</octave></pitch></note>"
    score = one_bar(grace + note("C") + note("D", extra="<cue/>") + note("E"))
    assert notes_of(score) == [(0, QUARTER, 60), (2 * QUARTER, QUARTER, 64)]


def test_unpitched_notes_take_time_only() -> None:
    score = one_bar("<note><unpitched/><duration>4</duration></note>" + note("C", 8))
    assert notes_of(score) == [(QUARTER, 2 * QUARTER, 60)]


def test_divisions_begin_a_movement() -> None:
    first, second = read_musicxml(document(part(START + note(duration=12), note(duration=12), START + note("D", 12))))
    assert [len(first.bars), len(second.bars)] == [2, 1]
    assert notes_of(second) == [(0, 3 * QUARTER, 62)]


def test_irregular_bars_keep_their_written_length() -> None:
    upbeat = f'<measure implicit="yes">{START}{note()}</measure>'
    (score,) = read_musicxml(document(part(upbeat, note(duration=12), "", note(duration=16))))
    assert [bar.duration // QUARTER for bar in score.bars] == [1, 3, 3, 4]
    assert [sorted(bar.flags) for bar in score.bars] == [
        ["irregular", "pickup"],
        [],
        [],
        ["irregular"],
    ]


def test_bars_take_the_longest_part() -> None:
    (score,) = read_musicxml(document(part(START + note()), part(START + note(duration=12), name="P2")))
    assert score.bars[0].duration == 3 * QUARTER


def test_repeats_and_bar_styles_become_flags() -> None:
    barline = '<barline><bar-style>light-heavy</bar-style><repeat direction="backward"/></barline>'
    score = one_bar(note(duration=12) + barline)
    assert score.bars[0].flags == {"final", "repeat-end"}


def test_additive_metres_are_summed() -> None:
    score = one_bar(
        "<attributes><time><beats>3+2</beats><beat-type>8</beat-type></time></attributes>" + note(duration=10)
    )
    assert (score.bars[0].beats, score.bars[0].beat_type) == (5, 8)


def test_tempos_stand_where_they_are_written() -> None:
    (score,) = read_musicxml(
        document(
            part(
                START + note(duration=12),
                '<sound tempo="60"/>'
                + note(duration=4)
                + '<direction><sound tempo="90.5"/></direction>'
                + note(duration=8),
            )
        )
    )
    assert [(t.onset // QUARTER, t.microseconds_per_quarter) for t in score.tempos] == [
        (0, 1_000_000),
        (3, 1_000_000),
        (4, 662_983),
    ]


def test_without_a_tempo_it_is_120() -> None:
    assert one_bar(note(duration=12)).tempos[0].microseconds_per_quarter == 500_000


def test_names_programs_and_title() -> None:
    head = (
        "<work><work-title>Quartet\n in C</work-title></work><part-list>"
        '<score-part id="P1"><part-name>Viola</part-name>'
        "<midi-instrument><midi-program>42</midi-program></midi-instrument></score-part>"
        "</part-list>"
    )
    (score,) = read_musicxml(document(part(START + note(duration=12)), head=head))
    assert score.title == "Quartet in C"
    assert (score.voices[0].name, score.voices[0].program) == ("Viola", 41)


def test_all_of_five_parts_are_read() -> None:
    parts = [part(START + note("CDEFG"[i], 12), name=f"P{i}") for i in range(5)]
    (score,) = read_musicxml(document(*parts))
    assert [voice.notes[0].pitch for voice in score.voices] == [60, 62, 64, 65, 67]


def test_copies_have_one_content_digest_and_other_music_another(tmp_path: Path) -> None:
    xml = document(part(START + note("C") + note("D", 8)))
    other = document(part(START + note("C") + note("E", 8)))
    file = tmp_path / "score.dat"
    file.write_bytes(zipped(xml))
    digests = {
        content_digest(read_musicxml(source))
        for source in (
            xml,
            file,
            zipped(xml, method=zipfile.ZIP_STORED),
            zipped(xml, extra="Thumbnails/thumbnail.png"),
            xml.decode().encode("utf-16").replace(b"U\0T\0F\0-\x008\0", b"U\0T\0F\0-\x001\x006\0"),
        )
    }
    assert len(digests) == 1
    assert content_digest(read_musicxml(other)) not in digests


def bomb() -> bytes:
    return zipped(b"<score-partwise>" + b" " * 3_000_000 + b"</score-partwise>")


def entities() -> bytes:
    return (
        b'<!DOCTYPE score-partwise [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
        b"<score-partwise>&b;</score-partwise>"
    )


def archive_without_container() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("score.xml", "<score-partwise/>")
    return buffer.getvalue()


def archive_without_rootfile() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("META-INF/container.xml", "<container/>")
    return buffer.getvalue()


def archive_of_many() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(musicxml.MAX_ARCHIVE_MEMBERS + 1):
            archive.writestr(str(number), "")
    return buffer.getvalue()


def encrypted() -> bytes:
    data = bytearray(zipped(document(part(START)), method=zipfile.ZIP_STORED))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(signature)
        while at >= 0:
            data[at + offset] |= 1
            at = data.find(signature, at + 1)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (lambda: b"", "is empty"),
        (lambda: b"<!doctype html><html><body>Not found</body></html>", "not a MusicXML|root"),
        (lambda: b"<html><body/></html>", "root <html>"),
        (lambda: b"\x89PNG\r\n\x1a\n", "not a MusicXML score"),
        (lambda: b"<score-partwise>", "not a MusicXML score"),
        (lambda: b"<score-timewise/>", "root <score-timewise>"),
        (lambda: b"<score-partwise/>", "no part with a measure"),
        (lambda: b'<?xml version="1.0" encoding="klingon"?><a/>', "not a MusicXML score"),
        (lambda: zipped(document(part(START + note())))[:-40], "damaged"),
        (lambda: zipped(document(part(START + note())))[:200], "damaged"),
        (lambda: b"PK\x03\x04", "damaged"),
        (archive_without_container, "without 'META-INF/container.xml'"),
        (archive_without_rootfile, "does not say"),
        (archive_of_many, "1001 files"),
        (encrypted, "damaged or unusual"),
        (bomb, "unpacks to more than"),
        (entities, "entity 'a'"),
    ],
)
def test_what_is_no_score_is_refused(data: Callable[[], bytes], says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(musicxml, "MAX_XML_BYTES", 2_000_000)
    with pytest.raises(ScoreError, match=says):
        read_musicxml(data())


@pytest.mark.parametrize(
    "content",
    [
        note("H"),
        note(octave=50),
        note(alter="1e999999999"),
        "<note><pitch><step>C</step><octave>4</octave></pitch></note>",
        note(duration=-4),
        "<attributes><divisions>0</divisions></attributes>" + note(),
        "<attributes><key><fifths>many</fifths></key></attributes>",
        "<attributes><time><beats>4</beats><beat-type>0</beat-type></time></attributes>",
        "<attributes><time><beats>4</beats><beat-type>3</beat-type></time></attributes>",
        '<sound tempo="0"/>' + note(),
        '<sound tempo="1/0"/>' + note(),
        note(duration=10**30),
        note(duration=10**15),
    ],
)
def test_impossible_values_are_refused(content: str) -> None:
    with pytest.raises(ScoreError):
        one_bar(content)


@pytest.mark.parametrize(("limit", "says"), [("MAX_TAGS", "tags; up to 3"), ("MAX_ATTRIBUTES", "attributes; up to 3")])
def test_documents_that_would_fill_the_memory_are_not_built(
    limit: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few kilobytes that unpack to millions of empty elements once took gigabytes."""
    monkeypatch.setattr(musicxml, limit, 3)
    with pytest.raises(ScoreError, match=says):
        read_musicxml(document(part("<a b='1' c='2'/><d e='3' f='4'/>")))


def test_archives_that_mxl_does_not_have_are_refused() -> None:
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", method) as archive:
            archive.writestr("META-INF/container.xml", CONTAINER)
        with pytest.raises(ScoreError, match="compressed otherwise"):
            read_musicxml(made.getvalue())


def test_large_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(musicxml, "MAX_FILE_BYTES", 100)
    file = tmp_path / "large.mxl"
    file.write_bytes(bytes(101))
    with pytest.raises(ScoreError, match="larger than 100 bytes"):
        read_musicxml(file)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ScoreError, match=r"absent\.mxl cannot be read"):
        read_musicxml(tmp_path / "absent.mxl")


@given(st.data())
def test_damaged_bytes_raise_nothing_but_score_errors(data: st.DataObject) -> None:
    whole = zipped(document(part(START + note("C") + note("D", 8))))
    damaged = bytearray(whole)
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged[at] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(ScoreError):
        read_musicxml(bytes(damaged))


@pytest.mark.skipif(not SCORES.is_dir(), reason=ORIGIN)
@pytest.mark.slow
def test_the_whole_corpus_is_read() -> None:
    counts: Counter[str] = Counter()
    digests = set()
    for path in sorted(SCORES.rglob("*.mxl")):
        movements = read_musicxml(path)
        digests.add(content_digest(movements))
        counts["files"] += 1
        counts[f"of {len(movements[0].voices)} parts"] += 1
        counts["movements"] += len(movements)
        for movement in movements:
            counts["bars"] += len(movement.bars)
            counts["irregular bars"] += sum("irregular" in bar.flags for bar in movement.bars)
            counts["notes"] += sum(len(voice.notes) for voice in movement.voices)
    assert counts == {
        "files": 110,
        "of 4 parts": 109,
        "of 5 parts": 1,
        "movements": 389,
        "bars": 74_757,
        "irregular bars": 714,
        "notes": 1_065_862,
    }
    assert len(digests) == 110


@pytest.mark.skipif(not SCORES.is_dir(), reason=ORIGIN)
def test_a_corpus_score_is_found_again_when_saved_uncompressed() -> None:
    path = next(SCORES.rglob("sq14720995.mxl"))
    with zipfile.ZipFile(path) as archive:
        (name,) = (name for name in archive.namelist() if not name.startswith("META-INF"))
        xml = archive.read(name)
    digest = content_digest(read_musicxml(path))
    assert content_digest(read_musicxml(xml)) == digest
    assert content_digest(read_musicxml(zipped(xml))) == digest
