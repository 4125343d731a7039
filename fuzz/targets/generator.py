"""What scores, prompts and models of strangers are read by."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from safetensors.torch import save

from fuzz.target import Target, file_of, folder, require, text_of
from generator import smf
from generator.card import (
    BUILT_IN,
    CARD_NAME,
    Architecture,
    ModelCard,
    WeightsFile,
    read_card,
    read_weights,
    weights_digest,
)
from generator.errors import AlteredWeightsError, MidiError, ModelCardError, ModelError, RequestError, ScoreError
from generator.midi import read, read_midi, write_midi
from generator.model import load_model
from generator.musicxml import read_musicxml
from generator.prompt import normalise, parse_key, parse_metre, read_prompt
from generator.quartet.card import ARCHITECTURE
from generator.quartet.conditions import MAX_BAR_FRAMES
from generator.quartet.network import NetworkShape, QuartetNetwork
from generator.quartet.sampling import QuartetModel
from generator.quartet.tokens import DELAY_STEPS
from generator.score import Bar, Digest, Note, Score, Tempo, Voice, content_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

_QUARTER = 20_160
_SIZES = struct.Struct(">5H")
SCORE = Score(
    "A piece",
    (Bar(0, 4 * _QUARTER, 4, 4, 1, frozenset({"double"})), Bar(4 * _QUARTER, 3 * _QUARTER, 3, 4, -2)),
    (Tempo(0, 500_000), Tempo(4 * _QUARTER, 400_000)),
    (
        Voice("Violin I", 40, (Note(0, _QUARTER, 60), Note(_QUARTER, 2 * _QUARTER, 64, 90))),
        Voice("Viola", 41, (Note(0, 7 * _QUARTER, 48),)),
    ),
)
_XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<score-partwise version="4.0"><work><work-title>A piece</work-title></work>
<part-list><score-part id="P1"><part-name>Violin</part-name><midi-instrument id="I"><midi-program>41</midi-program>
</midi-instrument></score-part></part-list><part id="P1"><measure number="1"><attributes><divisions>4</divisions>
<key><fifths>-3</fifths></key><time><beats>3+2</beats><beat-type>4</beat-type></time></attributes>
<direction><sound tempo="96.5"/></direction>
<note><pitch><step>C</step><alter>1</alter><octave>4</octave></pitch><duration>4</duration><tie type="start"/></note>
<note><chord/><pitch><step>E</step><octave>4</octave></pitch><duration>4</duration></note>
<backup><duration>2</duration></backup><forward><duration>6</duration></forward>
<note><grace/><pitch><step>D</step><octave>5</octave></pitch></note></measure>
<measure number="2" implicit="yes"><note><pitch><step>C</step><alter>1</alter><octave>4</octave></pitch>
<duration>4</duration><tie type="stop"/></note><barline><bar-style>light-heavy</bar-style>
<repeat direction="backward"/></barline></measure></part></score-partwise>"""
_CONTAINER = '<container><rootfiles><rootfile full-path="score.xml"/></rootfiles></container>'
_XML_WORDS = (
    *(b"<duration>", b"<divisions>", b"<beats>", b"<tie type='start'/>", b"<chord/>", b"<measure>", b"<part id='P1'>"),
    *(b"1/0", b"0x10", b"1_000", b"1e999", b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"encoding='cp037'", b"\xff\xfe<\0"),
)
_MIDI_WORDS = (
    b"MThd\0\0\0\6",
    b"MTrk",
    b"\xff\x51\3",
    b"\xff\x58\4",
    b"\xff\x59\2",
    b"\xff\x2f\0",
    b"\x80\xff\xff\x7f",
    b"\xf0",
)
_MOST_CHARACTERS = 2_000
_FEW_BARS = 1_000
"""A few bytes of MIDI can be 100,000 bars, which take a second to write and to read again."""
_CARD_WORDS = (b'"files":', b'"bytes":', b'"corpus":null', b'"parent":', b".safetensors", b"-1", b"1.5", b"true")


def _midi(data: bytes) -> None:
    score = read_midi(data)
    if len(score.bars) <= _FEW_BARS:
        sounds = max((note.end for voice in score.voices for note in voice.notes), default=0)
        require(read_midi(write_midi(score)).length >= sounds, "Notes lie behind the end of their score.")


def _compressed(members: dict[str, bytes], method: int) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return made.getvalue()


def _archives() -> list[bytes]:
    members = {"META-INF/container.xml": _CONTAINER.encode(), "score.xml": _XML}
    return [_compressed(members, method) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]


def _musicxml(data: bytes) -> None:
    for movement in read_musicxml(data):
        require(content_digest([movement]) == content_digest([movement]), "Music has two digests.")


def _prompt(data: bytes) -> None:
    text = text_of(data)
    require(normalise(normalise(text)) == normalise(text), "The normal form of a prompt has another one.")
    read_prompt(text)


def _score(data: bytes) -> None:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return  # what is stored is JSON
    score = Score.from_document(document)
    require(Score.from_document(score.to_document()) == score, "A score is not read as it was written.")


def _card(data: bytes) -> None:
    made = read_card(file_of(data, CARD_NAME).parent)
    require(ModelCard.from_document(made.to_document()) == made, "A card is not read as it was written.")
    with suppress(AlteredWeightsError):  # they are not in this folder
        read_weights(folder(), made)


def _shipped() -> list[bytes]:
    return [(BUILT_IN / CARD_NAME).read_bytes()]


def _model(data: bytes) -> None:
    """A folder with a network of any size (the first ten bytes), and a card that was written for its weights."""
    width, layers, heads, hidden, context = _SIZES.unpack(data[: _SIZES.size].ljust(_SIZES.size, b"\0"))
    weights = data[_SIZES.size :]
    file = WeightsFile("weights.safetensors", Digest("sha256:" + hashlib.sha256(weights).hexdigest()), len(weights))
    described = replace(
        read_card(),
        architecture=Architecture(ARCHITECTURE, width, layers, heads, hidden, context),
        files=(file,),
        weights_digest=weights_digest((file,)),
    )
    model = folder() / "model"
    model.mkdir(exist_ok=True)
    file_of(weights, f"model/{file.name}")
    file_of(json.dumps(described.to_document()).encode(), f"model/{CARD_NAME}")
    load_model(model, "cpu")


def _models() -> list[bytes]:
    small = NetworkShape(2, 1, 1, 1, 2 * MAX_BAR_FRAMES + DELAY_STEPS)
    sizes = _SIZES.pack(small.width, small.layers, small.heads, small.hidden, small.context)
    return [sizes + save(QuartetNetwork(small).state_dict())]


TARGETS: Sequence[Target] = (
    Target("generator.smf", smf.parse, (MidiError,), lambda: [write_midi(SCORE)], (smf.parse,), _MIDI_WORDS),
    Target("generator.midi", _midi, (ScoreError,), lambda: [write_midi(SCORE)], (read_midi, read), _MIDI_WORDS),
    Target("generator.musicxml", _musicxml, (ScoreError,), lambda: [_XML], (read_musicxml,), _XML_WORDS),
    Target(
        "generator.compressed",
        _musicxml,
        (ScoreError,),
        _archives,
        (),
        (b"PK\3\4", b"PK\1\2", b"PK\5\6", b"\x0c\0", b"\x0e\0"),
    ),
    Target(
        "generator.prompt",
        _prompt,
        (RequestError,),
        lambda: [
            "a busy allegro in D minor, 3/4, \u2669 = 96, no trills, two and a half minutes".encode(),
            b"key of B flat major at 120 bpm, sixteen bars, 1 min 30 s, not in a minor",
        ],
        (read_prompt,),
        (
            b"in ",
            b"key of ",
            b"not ",
            b"half a minute",
            b" and a half",
            b"9/8",
            b"#",
            "\u2669".encode(),
            "\u00bd".encode(),
            b"-",
        ),
        _MOST_CHARACTERS,
    ),
    Target(
        "generator.key",
        lambda data: parse_key(text_of(data)),
        (RequestError,),
        lambda: [b"e-flat minor", b"F#"],
        (parse_key,),
    ),
    Target(
        "generator.metre", lambda data: parse_metre(text_of(data)), (RequestError,), lambda: [b"3/4"], (parse_metre,)
    ),
    Target(
        "generator.score",
        _score,
        (ScoreError,),
        lambda: [json.dumps(SCORE.to_document()).encode()],
        (Score.from_document,),
        (b'"bars":', b'"notes":[[', b'"flags":["double"]', b"1.5", b"true"),
    ),
    Target(
        "generator.card",
        _card,
        (ModelCardError,),
        _shipped,
        (read_card, ModelCard.from_document, read_weights),
        _CARD_WORDS,
    ),
    Target(
        "generator.model",
        _model,
        (ModelError,),
        _models,
        (load_model, QuartetModel.load),
        (b'"dtype":"F32"', b'"shape":[', b'"data_offsets":[0,', b'"__metadata__":'),
        costly=True,
    ),
)
