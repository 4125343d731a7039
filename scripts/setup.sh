#!/bin/sh
# Makes everything the project needs: two system packages, a virtual environment, the pinned packages.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

has_chromaprint() {
    ldconfig -p 2>/dev/null | grep -q 'libchromaprint\.so\.1' && return 0
    for folder in /opt/homebrew/lib /usr/local/lib /usr/lib; do
        ls "$folder"/libchromaprint.* >/dev/null 2>&1 && return 0
    done
    return 1
}

missing=''
has_chromaprint || missing='libchromaprint1'
command -v ffmpeg >/dev/null 2>&1 || missing="$missing ffmpeg"
if [ -n "$missing" ] && command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then as_root=''; elif sudo -n true 2>/dev/null; then as_root='sudo -n'; else as_root=none; fi
    if [ "$as_root" != none ]; then
        say "Installing system packages: $missing"
        # shellcheck disable=SC2086  # both hold a list of words
        { $as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq $missing; } >&2 || true
    fi
fi
if ! has_chromaprint; then
    say "The chromaprint library is missing; audio cannot be fingerprinted without it. Install it, then run make again:"
    say "  Debian, Ubuntu:  sudo apt-get install libchromaprint1 ffmpeg"
    say "  Fedora:          sudo dnf install libchromaprint ffmpeg-free"
    say "  macOS:           brew install chromaprint ffmpeg"
    exit 1
fi
command -v ffmpeg >/dev/null 2>&1 || say "ffmpeg is not installed: everything works except reading and writing m4a (apt-get, dnf or brew install ffmpeg)."

python=${PYTHON:-}
for candidate in python3.11 python3.12 python3.13 python3; do
    [ -n "$python" ] && break
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && python=$candidate
done
[ -n "$python" ] || { say "Python 3.11 or newer is needed and none was found; name one with PYTHON=/path/to/python3 make setup."; exit 1; }

say "Making .venv with $("$python" --version)"
"$python" -m venv .venv || { say "Python's venv module is missing (Debian, Ubuntu: sudo apt-get install python3-venv)."; exit 1; }
.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/lock.txt
.venv/bin/pip install --quiet --disable-pip-version-check -r requirements/torch.txt
.venv/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
touch .venv/ready
