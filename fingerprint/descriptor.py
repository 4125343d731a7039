"""How the samples of a track are coded: the sample description, without what nobody hears.

ISO/IEC 14496-12, 8.5.2 and 12.2.3; for AAC also the elementary stream descriptor (ISO/IEC 14496-14, 6.7, and
14496-1, 7.2.6), of which the object type and the decoder's own configuration are heard, and the name of the stream, its
bit rates and the sizes of buffers are not.
"""

from typing import Final

from fingerprint.boxes import ambiguous, children, damaged, integers, layout, read

_ENTRY_HEADER: Final = 28
"""Bytes of a sample entry before the boxes in it: 8 of every entry, 20 of an audio entry."""
_AAC: Final = b"mp4a"
_AAC_ENTRY: Final = layout("mp4a", "esds", "btrt")
_PROTECTED: Final = frozenset({b"enca", b"drms", b"drmi"})

_STREAM: Final = 3
_DECODER: Final = 4
_CONFIGURATION: Final = 5
_SYNC_LAYER: Final = 6
_STREAM_HEADER: Final = 3
_DECODER_HEADER: Final = 13
_LENGTH_BYTES: Final = 4


def decoder_of(descriptions: bytes) -> str:
    """How the samples are coded, in words that are the same for the same sound.

    For AAC: `mp4a`, channels, 65,536 times the sample rate (both as the entry gives them), object type, and the
    decoder's configuration in hexadecimal. For anything else: its four letters, and the whole entry in hexadecimal.

    Args:
        descriptions: Content of the `stsd` box.

    Raises:
        AudioError: There are several descriptions, or the one breaks its form.
    """
    (count,) = integers(descriptions, 4, ">I", 1)
    entries = list(children(descriptions[8:]))
    if count != 1 or len(entries) != 1:
        raise ambiguous(f"{max(count, len(entries))} descriptions of one track")
    [(kind, entry)] = entries
    (reference, version) = (integers(entry, 6, ">H", 1)[0], integers(entry, 8, ">H", 1)[0])
    if reference != 1 or version != 0 or kind in _PROTECTED or not kind.isascii() or len(entry) < _ENTRY_HEADER:
        raise ambiguous(f"a description {kind!r} of a kind that is not known here")
    if kind != _AAC:
        return f"{kind.hex()} {entry.hex()}"
    channels, rate = integers(entry, 16, ">H", 1)[0], integers(entry, 24, ">I", 1)[0]
    object_type, configuration = _elementary_stream(read(entry[_ENTRY_HEADER:], _AAC_ENTRY)[b"esds"][4:])
    return f"mp4a {channels} {rate} {object_type} {configuration.hex()}"


def _elementary_stream(content: bytes) -> tuple[int, bytes]:
    """(object type, the decoder's configuration) of the descriptor in an `esds` box."""
    [(tag, stream)] = _descriptors(content, (_STREAM,))
    (flags,) = integers(stream, 2, ">B", 1)
    if tag != _STREAM or flags >> 5:
        raise ambiguous("a stream that depends on another")
    decoder, *_ = (inside for kind, inside in _descriptors(stream[_STREAM_HEADER:], (_DECODER, _SYNC_LAYER)))
    (object_type,) = integers(decoder, 0, ">B", 1)
    [(_, configuration)] = _descriptors(decoder[_DECODER_HEADER:], (_CONFIGURATION,))
    return object_type, configuration


def _descriptors(content: bytes, expected: tuple[int, ...]) -> list[tuple[int, bytes]]:
    """(tag, content) of the descriptors one behind the other; they must be the expected ones."""
    found = []
    position = 0
    while position < len(content):
        tag, position = content[position], position + 1
        length = 0
        for _ in range(_LENGTH_BYTES):
            (byte,) = integers(content, position, ">B", 1)
            length, position = length << 7 | byte & 0x7F, position + 1
            if not byte & 0x80:
                break
        if position + length > len(content):
            raise damaged("a stream descriptor that is cut off")
        found.append((tag, content[position : position + length]))
        position += length
    if tuple(tag for tag, _ in found) != expected:
        raise ambiguous("a stream descriptor of a kind that is not known here")
    return found
