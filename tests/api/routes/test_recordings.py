"""Recordings over HTTP: listed, shown, and given out in part and whole."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from api.history import renditions
from api.inspection import inspect
from fingerprint.audio import decode
from fingerprint.digest import content_digest
from fingerprint.media import sniff
from generator.midi import read_midi
from provenance.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from api.home import Home

    Problem = Callable[[httpx.Response, int], dict[str, object]]


@pytest.fixture(scope="module")
def audio(everything: httpx.Client, recording_id: str) -> httpx.Response:
    return everything.get(f"/v1/recordings/{recording_id}/audio")


@pytest.fixture(scope="module")
def of_24_bits(everything: httpx.Client, recording_id: str) -> dict[str, str]:
    """A second recording, made after the first."""
    assert recording_id
    asked = {"prompt": "slow", "seconds": 5, "seed": 24, "bits": 24}
    job = everything.post("/v1/generations", json=asked).headers["location"]
    everything.get(f"{job}/events")
    return dict(everything.get(job).json()["recording"])


def test_it_is_shown(everything: httpx.Client, recording_id: str) -> None:
    shown = everything.get(f"/v1/recordings/{recording_id}").json()
    assert shown["recording_id"] == recording_id
    assert shown["kind"] == "generation"
    assert "audio/wav" in [each["media_type"] for each in shown["renditions"]]


def test_its_lineage(everything: httpx.Client, recording_id: str) -> None:
    path = f"/v1/recordings/{recording_id}/lineage"
    assert everything.get(path).json()["notes"] == []
    lineage = everything.get(path, params={"notes": "true"}).json()
    assert len(lineage["notes"]) == lineage["contributions"][0]["notes"]
    assert lineage["contains_ai"] == "All"


def test_pages_are_linked_until_all_were_seen(
    home: Home, everything: httpx.Client, recording_id: str, of_24_bits: dict[str, str]
) -> None:
    seen, path = [], "/v1/recordings?limit=1"
    while path:
        response = everything.get(path)
        seen += [each["recording_id"] for each in response.json()["recordings"]]
        link = re.fullmatch(r'<(/v1/recordings\?[^>]+)>; rel="next"', response.headers.get("link", ""))
        assert bool(link) == bool(response.json()["next"])
        path = link[1] if link else ""
    assert {recording_id, of_24_bits["recording_id"]} <= set(seen)
    assert len(seen) == len(set(seen))
    indices = [everything.get(f"/v1/recordings/{each}").json()["log_index"] for each in seen]
    assert indices == sorted(indices, reverse=True)
    assert max(indices) < home.log.size()


@pytest.mark.parametrize("query", ["cursor=50", "cursor=", "limit=0", "limit=1001", "limit=many"])
def test_a_page_that_cannot_be(everything: httpx.Client, problem: Problem, query: str) -> None:
    problem(everything.get(f"/v1/recordings?{query}"), 422)


@pytest.mark.parametrize("path", ["", "/lineage", "/audio", "/midi", "/exports"])
@pytest.mark.parametrize("name", ["019aa0b2-6c1f-7d2e-9b57-3c1f6de0a412", "unknown", "%00", "..%2f..", "🎻" * 40])
def test_an_unknown_recording(everything: httpx.Client, problem: Problem, path: str, name: str) -> None:
    found = problem(everything.get(f"/v1/recordings/{name}{path}"), 404)
    assert "/home" not in str(found)


def test_the_audio_is_the_file_that_was_recorded(home: Home, recording_id: str, audio: httpx.Response) -> None:
    [master] = [each for each in renditions(home, recording_id) if each.media_type == "audio/wav"]
    assert "sha256:" + hashlib.sha256(audio.content).hexdigest() == master.asset_digest
    assert audio.headers["etag"] == f'"{master.asset_digest}"'
    assert audio.headers["content-type"] == "audio/wav"
    assert audio.headers["content-disposition"] == f'attachment; filename="{recording_id}.wav"'
    assert audio.headers["accept-ranges"] == "bytes"


def test_its_head(everything: httpx.Client, audio: httpx.Response) -> None:
    head = everything.head(audio.url, headers={"Range": "bytes=0-9"})
    assert head.status_code == 200
    assert head.content == b""
    assert int(head.headers["content-length"]) == len(audio.content)
    assert head.headers["etag"] == audio.headers["etag"]


@pytest.mark.parametrize(
    ("asked", "start", "stop"), [("bytes=0-9", 0, 10), ("bytes=100-", 100, None), ("bytes=-7", -7, None)]
)
def test_a_part_of_it(
    everything: httpx.Client, audio: httpx.Response, asked: str, start: int, stop: int | None
) -> None:
    part = everything.get(audio.url, headers={"Range": asked})
    assert part.status_code == 206
    assert part.content == audio.content[start:stop]
    first = start if start >= 0 else len(audio.content) + start
    last = first + len(part.content) - 1
    assert part.headers["content-range"] == f"bytes {first}-{last}/{len(audio.content)}"
    assert part.headers["etag"] == audio.headers["etag"]


def test_parts_put_together_are_the_whole(everything: httpx.Client, audio: httpx.Response) -> None:
    step = len(audio.content) // 3 + 1
    parts = [
        everything.get(audio.url, headers={"Range": f"bytes={start}-{start + step - 1}"}).content
        for start in range(0, len(audio.content), step)
    ]
    assert b"".join(parts) == audio.content


def test_a_part_beyond_it(everything: httpx.Client, audio: httpx.Response, problem: Problem) -> None:
    response = everything.get(audio.url, headers={"Range": "bytes=99999999-"})
    problem(response, 416)
    assert response.headers["content-range"] == f"bytes */{len(audio.content)}"


@pytest.mark.parametrize("asked", ["bytes=0-1,3-4", "notes=0-1"])
def test_other_ranges_give_the_whole(everything: httpx.Client, audio: httpx.Response, asked: str) -> None:
    whole = everything.get(audio.url, headers={"Range": asked})
    assert whole.status_code == 200
    assert whole.content == audio.content


def test_a_part_of_an_older_file_is_not_given(everything: httpx.Client, audio: httpx.Response) -> None:
    same = {"Range": "bytes=0-9", "If-Range": audio.headers["etag"]}
    older = {"Range": "bytes=0-9", "If-Range": '"sha256:older"'}
    assert everything.get(audio.url, headers=same).status_code == 206
    assert everything.get(audio.url, headers=older).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_copy_that_is_still_good(everything: httpx.Client, audio: httpx.Response, method: str) -> None:
    headers = {"If-None-Match": f'"other", W/{audio.headers["etag"]}', "Range": "bytes=0-9"}
    fresh = everything.request(method, audio.url, headers=headers)
    assert fresh.status_code == 304
    assert fresh.content == b""
    assert fresh.headers["etag"] == audio.headers["etag"]
    assert everything.get(audio.url, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(("ending", "media_type"), [("flac", "audio/flac"), ("mp3", "audio/mpeg")])
def test_another_format_is_sealed_once_and_recorded(
    home: Home, everything: httpx.Client, recording_id: str, tmp_path: Path, ending: str, media_type: str
) -> None:
    path = f"/v1/recordings/{recording_id}/audio?format={ending}"
    first, second = everything.get(path), everything.get(path)
    assert first.content == second.content
    assert first.headers["content-type"] == media_type
    mixes = [each for each in renditions(home, recording_id) if each.part == "mix"]
    made = [each for each in mixes if each.media_type == media_type]
    assert [f'"{each.asset_digest}"' for each in made] == [first.headers["etag"]]
    given = tmp_path / "given"
    given.write_bytes(first.content)
    assert sniff(given) == media_type
    found = inspect(given, Trust())
    assert found.recording_id == recording_id
    assert {check.result for check in found.checks} == {"pass", "not-checked"}


def test_a_recording_of_24_bits_keeps_them(
    everything: httpx.Client, of_24_bits: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "take"
    path.write_bytes(everything.get(f"/v1/recordings/{of_24_bits['recording_id']}/audio?format=flac").content)
    assert decode(path).samples.dtype == np.int32
    assert content_digest(path) == of_24_bits["content_digest"]


def test_a_format_that_does_not_exist(everything: httpx.Client, recording_id: str, problem: Problem) -> None:
    problem(everything.get(f"/v1/recordings/{recording_id}/audio?format=ogg"), 422)


def test_the_notes(everything: httpx.Client, recording_id: str, tmp_path: Path) -> None:
    response = everything.get(f"/v1/recordings/{recording_id}/midi")
    assert response.headers["content-type"] == "audio/midi"
    midi = tmp_path / "notes.mid"
    midi.write_bytes(response.content)
    assert len(read_midi(midi).voices) == 4
    etag = {"If-None-Match": response.headers["etag"]}
    assert everything.get(response.url, headers=etag).status_code == 304
    assert everything.head(response.url).headers["etag"] == response.headers["etag"]
