"""All targets, and one by its name."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fuzz.target import Target

MODULES = ("ledger", "answers", "provenance", "fingerprint", "generator", "licensing", "api")


def every() -> list[Target]:
    """Return all targets."""
    return [target for module in MODULES for target in _targets(module)]


def named(name: str) -> Target:
    """Return one target; nothing is imported but what it needs.

    Raises:
        KeyError: There is none of that name.
    """
    module = name.partition(".")[0]
    targets = _targets(module) if module in MODULES else ()
    return {target.name: target for target in targets}[name]


def _targets(module: str) -> Sequence[Target]:
    targets: Sequence[Target] = import_module(f"fuzz.targets.{module}").TARGETS
    return targets
