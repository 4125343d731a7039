"""The part of mido that is used here: writing Standard MIDI Files."""

from os import PathLike
from typing import IO

class Message:
    type: str
    time: int
    def __init__(self, type: str, *, time: int = 0, **attributes: int) -> None: ...

class MetaMessage:
    type: str
    time: int
    def __init__(self, type: str, *, time: int = 0, **attributes: int | str) -> None: ...

class MidiTrack(list[Message | MetaMessage]): ...

class MidiFile:
    type: int
    ticks_per_beat: int
    charset: str
    tracks: list[MidiTrack]
    def __init__(
        self,
        filename: str | PathLike[str] | None = None,
        file: IO[bytes] | None = None,
        type: int = 1,
        ticks_per_beat: int = 480,
        charset: str = "latin1",
        debug: bool = False,
        clip: bool = False,
        tracks: list[MidiTrack] | None = None,
    ) -> None: ...
    def save(
        self, filename: str | PathLike[str] | None = None, file: IO[bytes] | None = None
    ) -> None: ...
