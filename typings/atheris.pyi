"""The part of atheris 3.0.0 that the fuzzing uses; the package ships no types."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

def instrument_imports(
    include: Sequence[str] | None = None, exclude: Sequence[str] | None = None, enable_loader_override: bool = True
) -> AbstractContextManager[None]: ...
def Setup(args: Sequence[str], test_one_input: Callable[[bytes], None]) -> list[str]: ...
def Fuzz() -> None: ...
