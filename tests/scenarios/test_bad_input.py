"""Rubbish in: one paragraph out, an exit code of the contract, no traceback, and a ledger that is whole."""

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from generator.midi import read_midi, write_midi
from generator.score import Score

RATE = 44_100


def noise(seconds: float, channels: int = 2) -> np.ndarray:
    samples = np.random.default_rng(1).normal(0, 0.1, (int(seconds * RATE), channels))
    return samples.astype(np.float32)


def sparse_wav(path: Path, hours: float) -> None:
    """A wav that claims, and has, hours of zeros without using the disk for them."""
    size = int(hours * 3600 * RATE) * 4
    with path.open("wb") as file:
        soundfile.write(file, np.zeros((1, 2), np.int16), RATE, format="WAV", subtype="PCM_16")
    header = bytearray(path.read_bytes())
    data = header.index(b"data")
    header[4:8] = min(size + data, 2**32 - 1).to_bytes(4, "little")
    header[data + 4 : data + 8] = min(size, 2**32 - 1).to_bytes(4, "little")
    with path.open("wb") as file:
        file.write(header)
        file.truncate(data + 8 + size)


@pytest.fixture
def rubbish(studio) -> dict[str, Path]:
    folder = studio.root / "rubbish"
    folder.mkdir()
    paths = {
        name: folder / f"{name}.wav"
        for name in ("empty", "truncated", "silent", "sample", "hours", "eight-bit", "seven", "png")
    }
    paths["empty"].touch()
    paths["truncated"].write_bytes(studio.wav.read_bytes()[:20_000])
    soundfile.write(paths["silent"], np.zeros((10 * RATE, 2), np.int16), RATE)
    soundfile.write(paths["sample"], np.zeros((1, 2), np.int16), RATE)
    sparse_wav(paths["hours"], 3)
    soundfile.write(paths["eight-bit"], noise(6), RATE, subtype="PCM_U8")
    soundfile.write(paths["seven"], noise(6, 7), RATE)
    paths["png"].write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(5000))
    return paths


NAMES = ("empty", "truncated", "silent", "sample", "hours", "eight-bit", "seven", "png")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", ["verify", "identify", "show"])
def test_what_is_no_usable_audio_is_explained(linernotes, rubbish, name: str, command: str) -> None:
    done = linernotes(command, rubbish[name])
    assert done.code in {1, 2, 3}, (done.out, done.err)
    told = done.err + done.out
    assert len(told.strip()) > 20
    if done.code == 2:
        assert done.err.startswith("linernotes: ")
        assert len(done.err.strip().splitlines()) == 1


def test_bad_audio_leaves_the_ledger_whole(linernotes, rubbish) -> None:
    for path in rubbish.values():
        linernotes("check", path, "--use", "sync", "--territory", "DE")
    assert linernotes("log", "fsck").code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("check", "{id}", "--use", "sync", "--territory", "XQ"), 2, "XQ"),
        (("check", "{id}", "--use", "sync", "--territory", "Germany"), 2, "DE"),
        (("check", "{id}", "--use", "sync", "--territory", "DE", "--date", "1066-10-14"), 2, "1066"),
        (("check", "{id}", "--use", "sync", "--territory", "DE", "--date", "tomorrow"), 2, "tomorrow"),
        (("check", "{id}", "--use", "world-domination", "--territory", "DE"), 2, "world-domination"),
        (("show", "01a1f8a9-e7bd-7c3b-a0fa-000000000000"), 3, "no recording"),
        (("lineage", "nonsense"), 2, "neither"),
        (("verify", "/nowhere/at/all.wav"), 2, "no file"),
        (("generate", "x", "--seconds", "3", "-o", "{root}/a.wav"), 2, "5 to 300"),
        (("generate", "x", "--seconds", "100000", "-o", "{root}/a.wav"), 2, "5 to 300"),
        (("generate", "x", "--key", "H minor", "-o", "{root}/a.wav"), 2, "H minor"),
        (("generate", "x", "--bars", "4", "-o", "{root}/a.xyz"), 2, ".xyz"),
        (("generate", "x", "--bars", "4", "-o", "{root}/nowhere/a.wav"), 2, "nowhere"),
        (("generate", "x", "--bars", "4", "--model", "gpt", "-o", "{root}/a.wav"), 2, "gpt"),
        (("generate", "x" * 1_000_000, "-o", "{root}/a.wav"), 2, "2000"),
        (("export", "{id}", "-o", "{root}/take.wav"), 2, "exists already"),
        (("export", "{id}", "-o", "{root}/a.mid", "--as", "opera"), 2, "opera"),
        (("audit", "membership"), 2, "--composer"),
        (("party", "add", "--name", " "), 2, "name"),
        (("party", "add", "--name", "A", "--isni", "0000000121032684"), 2, "0000000121032683"),
        (("log", "proof", "999999", "-o", "{root}/p"), 3, "999999"),
        (("log", "proof", "zz", "-o", "{root}/p"), 2, "zz"),
        (("token", "create", "--name", "t", "--scope", "everything"), 2, "everything"),
        (("edit", "{id}", "--file", "{root}/take.wav", "-o", "{root}/e.wav"), 2, "MIDI"),
        (("edit", "{id}", "--file", "{root}/take.mid", "-o", "{root}/e.wav"), 2, "nothing was changed"),
        (("edit", "{id}", "--file", "{root}/none.mid", "-o", "{root}/e.wav"), 2, "none.mid"),
        (("edit", "{id}", "--file", "{root}/take.mid", "--party", "nobody", "-o", "{root}/e.wav"), 2, ""),
        (("audit", "membership", "--composer", "🎻"), 2, "neither letters nor digits"),
        (("audit", "membership", "--title", "-"), 2, "neither letters nor digits"),
        (("audit", "membership", "--title", "String Quartet", "--composer", "🎻"), 2, "The composer '🎻'"),
        (("audit", "membership", "--title", "x" * 501), 2, "501 characters"),
        (("audit", "membership", "--title", " "), 2, "empty"),
        (("party", "add", "--name", "J\udcff"), 2, "U+DCFF"),
        (("party", "add", "--name", "a\x00b"), 2, "U+0000"),
        (("party", "add", "--name", "two\nlines"), 2, "one line"),
        (("party", "add", "--name", "\u200bA"), 2, "cannot be seen"),
        (("token", "create", "--name", "\udcff", "--scope", "read"), 2, "U+DCFF"),
        (("token", "create", "--name", " ", "--scope", "read"), 2, "name of a token is empty"),
        (("token", "create", "--name", "x" * 201, "--scope", "read"), 2, "201 characters"),
        (("check", "{id}", "--use", "sync", "--territory", "DE", "--via", "\udcff"), 2, "U+DCFF"),
        (("show", "--before", "9" * 26), 2, "--before"),
        (("show", "--before", "-1"), 2, "log index"),
        (("export", "{id}", "-o", "{root}/\udcff.zip"), 2, "U+DCFF"),
        (("export", "{id}", "-o", "/"), 2, "root of the file system"),
        (("show", "x" * 4000), 2, "longer than the name of any file"),
    ],
)
def test_wrong_use_is_explained(studio, linernotes, arguments: tuple[str, ...], code: int, words: str) -> None:
    filled = [part.format(id=studio.recording_id, root=studio.root) if len(part) < 100 else part for part in arguments]
    done = linernotes(*filled)
    assert done.code == code, (done.out, done.err)
    assert words in done.err
    assert len(done.err) < 2_000
    assert linernotes("log", "fsck").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        (b"party", b"add", b"--name", b"J\xff"),
        (b"token", b"create", b"--name", b"\xff", b"--scope", b"read"),
        (b"export", b"{id}", b"-o", b"{root}/\xff.zip"),
        (b"edit", b"{id}", b"--file", b"{root}/pipe"),
        (b"identify", b"{root}/pipe"),
        (b"audit", b"membership", b"--file", b"{root}/pipe"),
        (b"verify", b"{root}/take.wav", b"--policy", b"{root}/pipe"),
        (b"log", b"proof", b"0", b"-o", b"{root}/pipe"),
    ],
    ids=lambda arguments: b" ".join(arguments[:2]).decode(),
)
def test_bytes_that_are_no_text_and_pipes_that_nobody_fills(studio, linernotes, arguments: tuple[bytes, ...]) -> None:
    """As a shell gives them to a process of its own."""
    os.mkfifo(studio.root / "pipe")
    known = {b"{id}": studio.recording_id.encode(), b"{root}": bytes(studio.root)}
    filled = [part.replace(*next(((k, v) for k, v in known.items() if k in part), (b"", b""))) for part in arguments]
    done = subprocess.run(
        [*map(str.encode, COMMAND), *filled],
        env=environment(studio.home),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, b""), done.stderr
    assert done.stderr.startswith(b"linernotes: ")
    assert len(done.stderr.splitlines()) == 1
    assert linernotes("log", "fsck").code == 0


def test_a_midi_file_of_another_piece_is_refused(studio, linernotes) -> None:
    score = read_midi(studio.midi)
    voices = tuple(
        type(voice)(
            voice.name,
            voice.program,
            tuple(
                sorted(
                    type(note)(note.onset, note.duration, 40 + (note.pitch * 7 + i) % 40, note.velocity)
                    for i, note in enumerate(voice.notes)
                )
            ),
        )
        for voice in score.voices
    )
    other = studio.root / "other.mid"
    write_midi(Score("", score.bars, score.tempos, voices), other)
    done = linernotes("edit", studio.recording_id, "--file", other, "-o", studio.root / "e.wav")
    assert done.code == 2
    assert "another piece" in done.err


def test_emoji_are_reported_as_not_understood(studio, linernotes) -> None:
    done = linernotes("generate", "🎻🎻 slow 🌊", "--bars", 3, "--seed", 1, "-o", studio.root / "e.wav", "--json")
    assert done.code == 0
    assert "🌊" in "".join(done.json["unmatched_words"])


def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "LINERNOTES_HOME": str(home)}


COMMAND = [sys.executable, "-m", "api"]


def test_a_read_only_home_is_explained(studio) -> None:
    """A read-only mount, because permissions do not stop root."""
    script = 'mount --bind -o ro "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
    arguments = ["unshare", "--mount", "--map-root-user", "sh", "-c", script, "sh", str(studio.home)]
    if subprocess.run([*arguments, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets no test make a read-only mount of its own (unshare --mount)")
    done = subprocess.run(
        [*arguments, *COMMAND, "party", "add", "--name", "A"],
        env=environment(studio.home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "Read-only file system" in done.stderr
    assert "LINERNOTES_HOME" in done.stderr


def test_a_home_that_is_a_file_is_explained(linernotes, tmp_path) -> None:
    (tmp_path / "home").write_text("not a folder")
    done = linernotes("show", home=tmp_path / "home")
    assert done.code == 2
    assert "LINERNOTES_HOME" in done.err


def test_a_full_disk_loses_nothing(studio, linernotes) -> None:
    """The largest file a process may write stands in for a full disk: the system answers EFBIG."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))

    arguments = ["generate", "an allegro", "--bars", "8", "--seed", "2", "-o", str(studio.root / "full.wav")]
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=environment(studio.home),
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("linernotes: ")
    assert "Traceback" not in done.stderr
    assert not (studio.root / "full.wav").exists()
    report = linernotes("log", "fsck", "--json")
    assert (report.code, report.json["problems"]) == (0, [])


def test_two_processes_make_one_home_and_one_set_of_keys(tmp_path, linernotes) -> None:
    home = tmp_path / "home"
    started = [
        subprocess.Popen(
            [*COMMAND, "party", "add", "--name", f"Person {n}"],
            env=environment(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for n in range(3)
    ]
    ended = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], ended
    report = linernotes("log", "fsck", "--json", home=home)
    assert (report.code, report.json["entries"]) == (0, 4 + 3)
    assert len(linernotes("party", "list", "--json").json["parties"]) == 1 + 3


@pytest.mark.parametrize("delay", [0.1, 1.0, 2.0])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_stopped_in_the_middle_the_ledger_stays_whole(studio, linernotes, delay: float, how: signal.Signals) -> None:
    target = studio.root / "stopped.wav"
    process = subprocess.Popen(
        [*COMMAND, "-v", "generate", "an allegro", "--seconds", "60", "--seed", "4", "-o", str(target)],
        env=environment(studio.home),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "process" in process.stderr.readline()
    time.sleep(delay)
    process.send_signal(how)
    _, err = process.communicate(timeout=120)
    assert "Traceback" not in err
    if target.exists():
        assert linernotes("verify", target).code == 0
    report = linernotes("log", "fsck", "--json")
    assert (report.code, report.json["problems"]) == (0, [])
    assert linernotes("show", "--json").code == 0
