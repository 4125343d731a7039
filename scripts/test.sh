#!/bin/sh
# Runs the whole suite on all cores, with coverage. Vectors and standards are looked for in ../shared.
set -eu
cd "$(dirname "$0")/.."
workers=$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
rm -f .coverage .coverage.*
.venv/bin/python -m pytest -n "$workers" --dist loadgroup -rs --cov --cov-report=term "$@"
