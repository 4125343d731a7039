"""Files that are missing or altered, and what else lies among them; a whole home is tried in test_integrity.py."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from api.object_integrity import check
from provenance.objects import ObjectStore

if TYPE_CHECKING:
    from pathlib import Path

MISSING = "sha256:" + "0" * 64


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "objects")


def test_a_home_without_files(objects: ObjectStore) -> None:
    found = check(objects, {}, lambda _done, _total: None)
    assert (found.names, found.problems, found.strays) == (frozenset(), (), ())


def test_what_is_missing_altered_or_named_by_nobody(objects: ObjectStore) -> None:
    kept, altered, spare = (objects.put_bytes(data) for data in (b"kept", b"altered", b"spare"))
    objects.path(altered).write_bytes(b"noise")
    named = {kept: 1, altered: 2, MISSING: 3}
    told: list[tuple[int, int]] = []
    found = check(objects, named, lambda done, total: told.append((done, total)))
    assert [(each.where, "missing" in each.what) for each in found.problems] == [
        ("entry 3", True),
        (f"object {altered}", False),
    ]
    assert told == [(0, 3), (1, 3), (2, 3)]
    assert [each.where for each in found.unnamed(named)] == [f"object {spare}"]
    assert found.unnamed({**named, spare: 4}) == []  # an entry has come meanwhile


@pytest.mark.parametrize("name", [b".DS_Store", b"name\n2 entries, 0 problems", b"\xff", b"00" * 32])
def test_a_stray_is_named_in_one_line_of_text(objects: ObjectStore, name: bytes) -> None:
    folder = objects.path(objects.put_bytes(b"kept")).parent
    (folder / os.fsdecode(name)).touch()
    found = check(objects, {}, lambda _done, _total: None)
    [stray] = found.strays
    assert stray.where.startswith(f"file 'objects/{folder.name}/")
    assert stray.where.isprintable()
    assert stray.where.encode()
    assert found.problems == ()


def test_of_many_strays_the_first_are_named(objects: ObjectStore) -> None:
    objects.root.mkdir()
    for number in range(130):
        (objects.root / f"stray-{number:03}").touch()
    for ours in ("drafts", "staging"):
        (objects.root / ours).mkdir()
    strays = check(objects, {}, lambda _done, _total: None).strays
    assert len(strays) == 100
    assert strays[0].where == "file 'objects/stray-000'"
    assert strays[-1].what.endswith("(and 30 more)")


def test_files_that_cannot_be_listed(objects: ObjectStore) -> None:
    objects.root.write_bytes(b"no folder")
    [problem] = check(objects, {MISSING: 1}, lambda _done, _total: None).problems
    assert problem.what == "the stored files cannot be listed: Not a directory"
    assert problem.where == f"file {str(objects.root)!r}"
