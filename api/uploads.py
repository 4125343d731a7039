"""Files that come in over HTTP: bounded, spooled to disk, and handed on under names of our own.

What is uploaded is written to the system's folder for temporary files while it arrives (``TMPDIR``), and is
gone when its request ends, however that ends. The name a client gives a file is never a path here.
"""

import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path, PureWindowsPath
from typing import Any, Final, Generic, TypeVar

from fastapi import HTTPException, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile

from api.allowance import allow
from api.home import Home
from api.schemas.request import Asked
from api.service import Running

_MAX_FIELD_BYTES: Final = 16 * 1024
_MAX_NAME: Final = 200
_PIECE: Final = 1 << 20
Fields = TypeVar("Fields", bound=Asked)


@dataclass(frozen=True, slots=True)
class Part:
    """A file that may come along.

    Attributes:
        what: In words.
        longest: Bytes that its format allows; no more are taken.
    """

    what: str
    longest: int

    def __str__(self) -> str:
        return f"{self.what}; at most {self.longest} bytes"


@dataclass(frozen=True, slots=True)
class Received(Generic[Fields]):
    """An upload.

    Attributes:
        fields: The text beside the files.
        files: By the name of their part, which is ours.
    """

    fields: Fields
    files: Mapping[str, UploadFile]

    @contextmanager
    def staged(self, home: Home) -> Iterator[Mapping[str, Path]]:
        """Give the files as paths, for as long as they are needed; blocks, so it is for worker threads.

        Raises:
            ObjectError: The home cannot be written to.
        """
        with home.objects.staging() as folder:
            for part, upload in self.files.items():
                with (folder / part).open("wb") as target:
                    shutil.copyfileobj(upload.file, target, _PIECE)
            yield {part: folder / part for part in self.files}

    def name(self, part: str) -> str:
        """What the client calls a file, for people to read."""
        given = PureWindowsPath(self.files[part].filename or "").name
        return "".join(char for char in given[:_MAX_NAME] if char.isprintable()).strip(". ") or part


class Upload(Generic[Fields]):
    """A dependency that reads ``multipart/form-data`` (RFC 7578) with exactly these parts.

    Attributes:
        fields: Which text fields there are.
        files: Parts that must be files, by name, with what they are.
        optional: Parts that may be; they are read into memory, as far as their formats allow.
    """

    def __init__(
        self, fields: type[Fields], files: Mapping[str, str], optional: Mapping[str, Part] | None = None
    ) -> None:
        self.fields = fields
        self.files = files
        self.optional = {} if optional is None else optional

    async def __call__(self, request: Request, service: Running) -> AsyncIterator[Received[Fields]]:
        """Read the body; what was spooled is closed when the request ends."""
        if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            detail = f"Send multipart/form-data with {self._wanted()}."
            raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail, {"Accept": "multipart/form-data"})
        allow(request, service.home.settings.max_upload_bytes)
        known = len(self.files) + len(self.optional)
        form = request.form(max_files=known, max_fields=len(self.fields.model_fields), max_part_size=_MAX_FIELD_BYTES)
        async with form as parts:
            yield self._received(parts)

    @property
    def described(self) -> dict[str, Any]:
        """The request body for OpenAPI."""
        schema = self.fields.model_json_schema()
        files = {
            name: {"type": "string", "format": "binary", "description": str(what)}
            for name, what in {**self.files, **self.optional}.items()
        }
        schema["properties"] = files | schema.get("properties", {})
        schema["required"] = [*self.files, *schema.get("required", [])]
        schema["additionalProperties"] = False
        example = {name: f"({what})" for name, what in self.files.items()}
        content = {"multipart/form-data": {"schema": schema, "example": example}}
        return {"requestBody": {"required": True, "content": content}}

    def _received(self, form: FormData) -> Received[Fields]:
        files = {name: part for name, part in form.multi_items() if isinstance(part, UploadFile)}
        text = {name: part for name, part in form.multi_items() if isinstance(part, str)}
        missing, unknown = self.files.keys() - files.keys(), files.keys() - self.files.keys() - self.optional.keys()
        if missing or unknown or len(files) + len(text) != len(form.multi_items()):
            raise HTTPException(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"The form needs {self._wanted()}, each part once, a file with a file name; it has "
                f"{', '.join(sorted({name[:40] for name in form})) or 'nothing'}.",
            )
        for name in self.optional.keys() & files.keys():
            size, longest = files[name].size or 0, self.optional[name].longest
            if size > longest:
                detail = f"The file {name!r} has {size} bytes, and at most {longest} are taken of it here."
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
        try:
            return Received(self.fields.model_validate(text), files)
        except ValidationError as error:
            raise RequestValidationError(error.errors(include_input=False, include_url=False)) from error

    def _wanted(self) -> str:
        words = [f"the file {name!r} ({what})" for name, what in self.files.items()]
        words += [f"perhaps the file {name!r} ({part.what})" for name, part in self.optional.items()]
        words += [f"perhaps the text {name!r}" for name in self.fields.model_fields]
        return ", ".join(words)
