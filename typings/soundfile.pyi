from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

class SoundFileError(Exception): ...
class SoundFileRuntimeError(SoundFileError, RuntimeError): ...
class LibsndfileError(SoundFileRuntimeError):
    @property
    def error_string(self) -> str: ...

class SoundFile:
    def __init__(
        self,
        file: str | int,
        mode: str = ...,
        samplerate: int | None = ...,
        channels: int | None = ...,
        subtype: str | None = ...,
        endian: str | None = ...,
        format: str | None = ...,
        closefd: bool = ...,
        compression_level: float | None = ...,
        bitrate_mode: str | None = ...,
    ) -> None: ...
    @property
    def frames(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def samplerate(self) -> int: ...
    @property
    def subtype(self) -> str: ...
    def read[T: np.generic](self, *, out: NDArray[T]) -> NDArray[T]: ...
    def write(self, data: NDArray[Any]) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

def write(
    file: str,
    data: NDArray[Any],
    samplerate: int,
    subtype: str | None = ...,
    *,
    format: str | None = ...,
    compression_level: float | None = ...,
    bitrate_mode: str | None = ...,
) -> None: ...
