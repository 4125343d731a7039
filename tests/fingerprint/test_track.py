"""The one track of an m4a: files built by hand, real ones, and forgeries that play something else."""

import io
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fingerprint import track
from fingerprint.audio import Audio, decode, encode
from fingerprint.digest import content_digest
from fingerprint.errors import AudioError
from fingerprint.media import MediaType
from tests.fingerprint.movies import (
    RATE,
    Track,
    box,
    descriptions,
    edit_list,
    entry,
    handler,
    media_header,
    movie,
    movie_header,
    reference,
    stream_descriptor,
    table,
    times,
    track_header,
)

PICTURES = Track(kind=handler(b"vide"), sound=box(b"vmhd", bytes(12)), coding=descriptions(entry(kind=b"avc1")))


def read(data: bytes) -> track.Track:
    return track.read_track(io.BytesIO(data))


def run(*command: object) -> bytes:
    return subprocess.run([str(word) for word in command], capture_output=True, check=True).stdout


def test_one_track_is_read() -> None:
    found = read(movie(Track()))
    assert found.ranges == ((1, 10),)
    assert found.duration == 2
    assert found.description == b"decoder mp4a 2 2890137600 64 1210\npace 1/1\nstart 0/1\n"


def test_pictures_beside_it_are_passed_over() -> None:
    assert read(movie(PICTURES, Track())) == read(movie(Track(), PICTURES)) == read(movie(Track()))


@pytest.mark.parametrize(
    "same",
    [
        Track(header=track_header(wide=True)),
        Track(media=media_header(wide=True)),
        Track(edits=edit_list((2000, 0))),
        Track(edits=edit_list((2000, 0), wide=True)),
        Track(times=times((1, RATE), (1, RATE // 2)), header=track_header(1600)),
        Track(media=media_header(duration=1)),
        Track(coding=descriptions(entry(stream_descriptor(bits=1), box(b"btrt", bytes(12))))),
        Track(more=box(b"udta", box(b"name", b"a name"))),
        Track(more_media=box(b"elng", bytes(7))),
        Track(more_tables=table(b"sgpd", "I", [1]) + table(b"sbgp", "I", [1])),
        Track(runs=table(b"stsc", "I", [1, 1, 1], 1), chunks=table(b"stco", "I", [1, 6])),
    ],
)
def test_what_nobody_hears_changes_nothing(same: Track) -> None:
    found, plain = read(movie(same)), read(movie(Track()))
    assert (found.ranges, found.description) == (plain.ranges, plain.description)
    assert read(movie(Track(), header=movie_header(wide=True), more=box(b"udta", box(b"meta", bytes(4))))) == plain


@pytest.mark.parametrize(
    "other",
    [
        Track(coding=descriptions(entry(stream_descriptor(b"\x13\x90")))),
        Track(media=media_header(timescale=22_050), header=track_header(4000)),
        Track(edits=edit_list((1700, RATE // 4))),
    ],
)
def test_what_is_heard_is_in_the_description(other: Track) -> None:
    assert read(movie(other, header=movie_header(5000))).description != read(movie(Track())).description


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (movie(), "no audio track"),
        (movie(PICTURES), "no audio track"),
        (movie(Track(), Track()), "2 audio tracks"),
        (movie(Track(header=track_header(flags=0)), Track()), "2 audio tracks"),
        (movie(Track(kind=handler(b"text")), Track()), "of the kind b'text'"),
        (movie(Track(), Track(kind=handler(b"hint"))), "of the kind b'hint'"),
        (movie(Track(), replace(PICTURES, more_information=handler())), "of the kind b'vide'"),
        (movie(Track(header=track_header(flags=2))), "switched off"),
        (movie(Track(header=track_header(volume=0))), "softer, or on one side"),
        (movie(Track(sound=box(b"smhd", bytes(4), b"\xff\x00", bytes(2)))), "softer, or on one side"),
        (movie(Track(data=reference(flags=0))), "in another file"),
        (movie(Track(data=reference(count=2))), "in another file"),
        (movie(Track(data=reference(kind=b"alis"))), "in another file"),
        (movie(Track(edits=edit_list((1000, 0), (1000, RATE)))), "an edit list with 2 entries"),
        (movie(Track(edits=edit_list())), "an edit list with 0 entries"),
        (movie(Track(edits=edit_list((1000, 0)))), "leaves out some of its sound"),
        (movie(Track(edits=edit_list((1000, RATE)))), "leaves out some of its sound"),
        (movie(Track(edits=edit_list((2000, -1)))), "leaves out some of its sound"),
        (movie(Track(edits=edit_list((2000, 0), rate=0x8000))), "at another speed"),
        (movie(Track(), header=movie_header(rate=0x20000)), "a speed or a volume of its own"),
        (movie(Track(), header=movie_header(volume=0)), "a speed or a volume of its own"),
        (movie(Track(), header=movie_header(1000)), "say it is shorter"),
        (movie(Track(header=track_header(1000))), "say it is shorter"),
        (movie(Track(), more=box(b"mvex")), "a box b'mvex' in b'moov'"),
        (movie(Track(), more=box(b"cmov")), "a box b'cmov' in b'moov'"),
        (movie(Track(), more=box(b"udta", bytes(Track()))), "a box b'trak' among its tags"),
        (movie(Track(more=box(b"udta", edit_list((1, 1))))), "a box b'edts' among its tags"),
        (movie(Track(more_tables=table(b"ctts", "I", [1, 1], 1))), "a box b'ctts' in b'stbl'"),
        (movie(Track(more_tables=descriptions(entry()))), "two boxes b'stsd'"),
        (movie(Track(more_media=handler(b"vide"))), "two boxes b'hdlr'"),
        (movie(Track(media=media_header(timescale=0))), "a time scale of 0"),
        (movie(Track(media=box(b"mdhd", b"\x02", bytes(40)))), "a header of version 2"),
        (movie(box(b"trak")), "no box b'mdia'|no box b'tkhd'"),
    ],
)
def test_what_players_play_differently_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(AudioError, match=said):
        read(data)


@settings(max_examples=300)
@given(st.data())
def test_any_damage_is_a_track_or_refused(data: st.DataObject) -> None:
    damaged = bytearray(movie(Track(edits=edit_list((2000, 0)))))
    for position in data.draw(st.lists(st.integers(0, len(damaged) - 1), max_size=4)):
        damaged[position] ^= data.draw(st.integers(1, 255))
    try:
        found = read(bytes(damaged))
    except AudioError:
        return
    assert all(p + n <= len(damaged) for p, n in found.ranges)


@pytest.fixture(scope="session")
def song(tmp_path_factory: pytest.TempPathFactory, compose: Callable[..., Audio]) -> Path:
    """Music whose length is no whole number of milliseconds, as an m4a."""
    path = tmp_path_factory.mktemp("song") / "song.m4a"
    music = compose(5, 4.00037, 44_100)
    encode(music, path, media_type="audio/mp4")
    return path


def test_the_same_samples_as_ffmpeg(ffmpeg: str, file_of: Callable[[MediaType], Path], tmp_path: Path) -> None:
    path = file_of("audio/mp4")
    moved = tmp_path / "moved.m4a"
    run(ffmpeg, "-v", "error", "-i", path, "-c", "copy", "-movflags", "+faststart", "-metadata", "title=new", moved)
    for each in (path, moved):
        sound = run(ffmpeg, "-v", "error", "-i", each, "-map", "0:a", "-c", "copy", "-f", "data", "-")
        data = each.read_bytes()
        assert b"".join(data[p : p + n] for p, n in read(data).ranges) == sound


@pytest.mark.parametrize(
    "options", [("-movflags", "+faststart"), ("-f", "mp4"), ("-metadata", "title=A title", "-f", "ipod")]
)
def test_packing_it_anew_changes_neither_the_digest_nor_the_sound(
    options: tuple[str, ...], ffmpeg: str, song: Path, tmp_path: Path
) -> None:
    """Ffmpeg writes another length for the last sample each time it rounds the whole to milliseconds."""
    anew = tmp_path / "anew.m4a"
    run(ffmpeg, "-v", "error", "-i", song, "-c", "copy", *options, anew)
    assert content_digest(anew) == content_digest(song)
    # What is left of the encoder's padding at the end is up to how the packer rounds.
    frames = min(len(decode(anew).samples), len(decode(song).samples))
    assert (decode(anew).samples[:frames] == decode(song).samples[:frames]).all()
    assert len(decode(song).samples) - frames < 1024


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-map", "1:a", "-map", "0:a", "-c:a:0", "copy", "-c:a:1", "aac", "-disposition:a:0", "0"), "2 audio tracks"),
        (("-map", "0:a", "-map", "1:a", "-c", "aac"), "2 audio tracks"),
        (("-map", "1:a", "-c", "copy", "-movflags", "+frag_keyframe+empty_moov", "-f", "mp4"), "moof|mvex|no samples"),
        (("-map", "1:a", "-c", "copy", "-f", "mov"), "a box b'hdlr' in b'minf'"),
    ],
)
def test_what_ffmpeg_makes_of_it_that_plays_something_else(
    options: tuple[str, ...], said: str, ffmpeg: str, song: Path, tmp_path: Path
) -> None:
    forged = tmp_path / "forged.m4a"
    sine = ("-f", "lavfi", "-i", "sine=frequency=440:duration=4")
    run(ffmpeg, "-v", "error", *sine, "-i", song, *options, forged)
    for reader in (content_digest, decode):
        with pytest.raises(AudioError, match=said):
            reader(forged)


def test_the_sound_of_a_film_is_found(ffmpeg: str, song: Path, tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    pictures = ("-f", "lavfi", "-i", "color=size=32x32:duration=4")
    run(ffmpeg, "-v", "error", *pictures, "-i", song, "-c:v", "mpeg4", "-c:a", "copy", film)
    assert content_digest(film) == content_digest(song)
    assert len(decode(film).samples) >= 4 * 44_100


def test_another_decoder_configuration_is_another_sound(ffmpeg: str, song: Path, tmp_path: Path) -> None:
    assert ffmpeg
    data = bytearray(song.read_bytes())
    at = data.index(b"\x05\x80\x80\x80", data.index(b"esds")) + 5
    assert data[at : at + 2] == b"\x12\x08"  # AAC-LC, 44.1 kHz, mono
    data[at : at + 2] = b"\x13\x88"  # 22.05 kHz
    half = tmp_path / "half.m4a"
    half.write_bytes(data)
    assert content_digest(half) != content_digest(song)
