"""The shipped model's corpus: OpenScore String Quartets, read into a corpus manifest.

    python -m provenance.openscore DIRECTORY -o provenance/data/openscore-string-quartets.json

``DIRECTORY`` holds ``scores.tsv``, ``composers.tsv`` and ``scores/<composer>/<title>/sq<id>.mxl`` as
published by OpenScore (https://github.com/OpenScore/StringQuartets).
"""

from __future__ import annotations

import argparse
import csv
from importlib import resources
from pathlib import Path

from generator.musicxml import read_musicxml
from generator.score import content_digest
from provenance.corpus import CorpusItem, CorpusManifest
from provenance.errors import CorpusError
from provenance.identity import file_digest

CORPUS_ID = "openscore-string-quartets"
SHIPPED = "openscore-string-quartets.json"


def shipped_manifest() -> CorpusManifest:
    """Return the manifest of the corpus that the built-in model learned from."""
    return CorpusManifest.parse(resources.files("provenance").joinpath("data", SHIPPED).read_bytes())


def read_corpus(directory: Path) -> CorpusManifest:
    """Read, hash and describe every score of a copy of the corpus.

    Raises:
        CorpusError: A table is missing, or lists a score that is not there.
    """
    composers = {row["path"]: row for row in _table(directory / "composers.tsv")}
    items = [_item(directory, row, composers) for row in _table(directory / "scores.tsv")]
    return CorpusManifest.of(
        id=CORPUS_ID,
        title="OpenScore String Quartets (110 quartets)",
        source="https://github.com/OpenScore/StringQuartets at commit 2c723a5b",
        licence="CC0-1.0",
        items=items,
    )


def _item(directory: Path, row: dict[str, str], composers: dict[str, dict[str, str]]) -> CorpusItem:
    path = directory / "scores" / row["path"] / f"sq{row['id']}.mxl"
    composer = composers[row["path"].split("/", maxsplit=1)[0]]
    if not path.is_file():
        raise CorpusError(f"{path} is listed in scores.tsv and is not there: the copy of the corpus is incomplete.")
    return CorpusItem(
        identifier=f"sq{row['id']}",
        title=row["name"],
        composer=composer["name"],
        born=_year(composer["born"]),
        died=_year(composer["died"]),
        first_published=None,
        source=row["link"],
        licence="CC0-1.0",
        file_digest=file_digest(path),
        content_digest=content_digest(read_musicxml(path)),
    )


def _table(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file, delimiter="\t"))
    except OSError as error:
        raise CorpusError(f"{path} cannot be read ({error.strerror}): give the folder that holds it.") from error


def _year(text: str) -> int | None:
    return int(text) if text else None


def main() -> None:
    """Write the manifest of a copy of the corpus."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    read_corpus(arguments.directory).to_file(arguments.output)


if __name__ == "__main__":
    main()
