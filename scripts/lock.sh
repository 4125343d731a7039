#!/bin/sh
# Pins every dependency except torch, with hashes, for all platforms. Needs uv (pip install uv).
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
grep -v '"torch==' pyproject.toml >"$work/pyproject.toml"
cp requirements/torch-needs.in README.md LICENSE "$work/"
here=$PWD
cd "$work"
uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
    --custom-compile-command "make lock" --group dev pyproject.toml torch-needs.in -o lock.txt
cp lock.txt "$here/requirements/lock.txt"
