"""Statements of every kind as JSON documents, drawn from the schemas of the predicates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from provenance.document import MAX_SAFE_INTEGER
from provenance.kind import PREDICATES
from provenance.predicate import TYPE_PREFIX
from provenance.statement import STATEMENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]
_TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20)
_MOMENTS = st.datetimes().map(lambda moment: moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0"))


def documents(kind: str) -> st.SearchStrategy[Json]:
    """Draw the members of statements of one kind, in no particular order."""
    schema = PREDICATES[kind].model_json_schema()
    schema["properties"]["known"] = {"const": dict(PREDICATES[kind].KNOWN)}
    schema["properties"]["time"] = {"moment": True}
    subject = st.fixed_dictionaries(
        {"name": _TEXT, "digest": st.fixed_dictionaries({"sha256": st.binary(min_size=32, max_size=32).map(bytes.hex)})}
    )
    return st.fixed_dictionaries(
        {
            "_type": st.just(STATEMENT_TYPE),
            "predicateType": st.just(f"{TYPE_PREFIX}{kind}/v1"),
            "subject": st.lists(subject, min_size=1, max_size=3),
            "predicate": _values(schema, schema.get("$defs", {})),
        }
    )


def _values(schema: Json, defs: Json) -> st.SearchStrategy[Any]:
    [draw] = [draw for member, draw in _DRAWN.items() if member in schema][:1] or [_BY_TYPE.get(schema.get("type", ""))]
    assert draw is not None, f"no values are known for {schema}"
    return draw(schema, defs)


def _matching(schema: Json, _defs: Json) -> st.SearchStrategy[str]:
    prefix, _, digits = schema["pattern"].strip("^$").partition("[0-9a-f]{64}")
    if digits == "" and prefix.endswith(":"):
        return st.binary(min_size=32, max_size=32).map(lambda drawn: prefix + drawn.hex())
    return st.from_regex(schema["pattern"].strip("^$"), fullmatch=True)


def _members(schema: Json, defs: Json) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({name: _values(each, defs) for name, each in schema["properties"].items()})


_DRAWN: dict[str, Callable[[Json, Json], st.SearchStrategy[Any]]] = {
    "$ref": lambda schema, defs: _values(defs[schema["$ref"].rpartition("/")[2]], defs),
    "const": lambda schema, _: st.just(schema["const"]),
    "enum": lambda schema, _: st.sampled_from(schema["enum"]),
    "anyOf": lambda schema, defs: st.one_of([_values(each, defs) for each in schema["anyOf"]]),
    "moment": lambda _schema, _defs: _MOMENTS,
    "pattern": _matching,
}
_BY_TYPE: dict[str, Callable[[Json, Json], st.SearchStrategy[Any]]] = {
    "null": lambda _schema, _defs: st.none(),
    "integer": lambda schema, _: st.integers(schema.get("minimum", 0), schema.get("maximum", MAX_SAFE_INTEGER)),
    "string": lambda _schema, _defs: _TEXT,
    "array": lambda schema, defs: st.lists(_values(schema["items"], defs), min_size=1, max_size=3),
    "object": _members,
}
