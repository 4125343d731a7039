import os

import pytest

from provenance.errors import DamagedObjectError, ObjectError
from provenance.identity import digest
from provenance.objects import ObjectStore


def test_what_is_put_is_read_back_under_its_digest(tmp_path) -> None:
    objects = ObjectStore(tmp_path / "objects")
    name = objects.put_bytes(b"music")
    assert name == digest(b"music")
    assert objects.read(name) == b"music"
    assert list(objects.names()) == [name]
    assert objects.put_bytes(b"music") == name
    assert not list((tmp_path / "objects" / "staging").iterdir())


def test_what_lies_among_the_objects_and_is_none(tmp_path) -> None:
    objects = ObjectStore(tmp_path / "objects")
    assert list(objects.strays()) == []
    name = objects.put_bytes(b"music")
    folder = objects.path(name).parent
    (folder / ".DS_Store").touch()
    (folder / objects.path(name).name.upper()).touch()
    (folder / "folder").mkdir()
    others = ["00", "note", "zz", "mine"]
    (objects.root / "00").touch()
    for each in others[1:]:
        (objects.root / each).mkdir()
    assert list(objects.names()) == [name]
    assert {str(path) for path in objects.strays(["mine"])} == {
        "00",
        "note",
        "zz",
        *(f"{folder.name}/{each.name}" for each in folder.iterdir() if each != objects.path(name)),
    }


def test_a_missing_and_an_altered_object_are_reported(tmp_path) -> None:
    objects = ObjectStore(tmp_path)
    name = objects.put_bytes(b"music")
    objects.path(name).write_bytes(b"noise")
    assert not objects.is_intact(name)
    with pytest.raises(DamagedObjectError, match=r"altered.*Restore it from a backup"):
        objects.read(name)
    objects.path(name).unlink()
    with pytest.raises(DamagedObjectError, match=r"missing.*Restore it from a backup"):
        objects.read(name)


def test_a_full_disk_is_an_error_that_says_what_to_do(tmp_path, monkeypatch) -> None:
    def full(_handle: int) -> None:
        raise OSError(28, os.strerror(28))

    objects = ObjectStore(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ObjectError, match="No space left on device"):
        objects.put_bytes(b"music")
    assert not list(objects.names())
