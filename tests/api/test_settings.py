import os
from pathlib import Path

import pytest

from api.errors import UsageError
from api.settings import load_settings
from provenance.errors import TextError


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("LINERNOTES_HOME", str(tmp_path))
    return tmp_path


def test_the_file_is_read_and_the_environment_wins(home, monkeypatch) -> None:
    (home / "linernotes.toml").write_text('device = "cpu"\nlog_origin = "example.org/log"\n')
    assert (load_settings().device, load_settings().log_origin) == ("cpu", "example.org/log")
    monkeypatch.setenv("LINERNOTES_DEVICE", "auto")
    assert load_settings().device == "auto"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("device = 'quantum'", "device"),
        ("surprise = 1", "surprise"),
        ("= 1", "TOML"),
        ("a = " + "[" * 2_000, "TOML"),
        ("a = " + "9" * 5_000, "TOML"),
        ("max_upload_bytes = 0", "max_upload"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(home, text: str, words: str) -> None:
    (home / "linernotes.toml").write_text(text)
    with pytest.raises(UsageError, match=words):
        load_settings()


def test_the_log_keeps_its_name(studio, linernotes, monkeypatch) -> None:
    monkeypatch.setenv("LINERNOTES_LOG_ORIGIN", "example.org/another")
    done = linernotes("log", "checkpoint")
    assert done.code == 2
    assert "keeps its name" in done.err


def test_a_log_can_be_named_at_first_use(linernotes, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("LINERNOTES_LOG_ORIGIN", "example.org/mine")
    done = linernotes("log", "checkpoint", home=tmp_path / "home")
    assert done.out.splitlines()[:2] == ["example.org/mine", "4"]


@pytest.mark.parametrize("name", ["policy", "trust_anchors", "c2pa_key", "rights_policy"])
def test_a_setting_that_leads_to_no_file_is_refused(home, monkeypatch, name: str) -> None:
    os.mkfifo(home / "pipe.toml")
    monkeypatch.setenv(f"LINERNOTES_{name.upper()}", str(home / "pipe.toml"))
    with pytest.raises(UsageError, match="a named pipe"):
        load_settings()


def test_a_settings_file_that_is_a_pipe_is_refused(home) -> None:
    os.mkfifo(home / "linernotes.toml")
    with pytest.raises(UsageError, match="a named pipe"):
        load_settings()


@pytest.mark.parametrize("path", ["/dev/null", "/nowhere/a\udcff", "~no-such-user/home"])
def test_a_home_that_cannot_be_one_is_refused(monkeypatch, path: str) -> None:
    monkeypatch.setenv("LINERNOTES_HOME", path)
    with pytest.raises((UsageError, TextError)):
        load_settings()
