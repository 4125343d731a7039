"""Settings: ``LINERNOTES_*`` in the environment, or ``linernotes.toml`` in the home."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, ClassVar

import platformdirs
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from api.errors import UsageError

FILE = "linernotes.toml"


class Settings(BaseSettings):
    """Everything that can be chosen about a home.

    Attributes:
        home: Folder of the database, the objects and the keys.
        log_origin: Name of the log; made up at first use when left empty, and never changed afterwards.
        c2pa_chain: PEM certificate chain of your own C2PA signer, leaf first.
        c2pa_key: PEM private key that belongs to it.
        trust_anchors: PEM file of the C2PA roots you accept when verifying.
        policy: C2SP tlog-policy file of the logs you accept when verifying.
        rights_policy: Name or file of the policy that verdicts follow.
        device: Where models run.
        max_upload_bytes: Largest file the HTTP service takes.
    """

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix="LINERNOTES_", extra="forbid", frozen=True
    )

    home: Path
    log_origin: Annotated[str, Field(max_length=200)] = ""
    c2pa_chain: Path | None = None
    c2pa_key: Path | None = None
    trust_anchors: Path | None = None
    policy: Path | None = None
    rights_policy: str = ""
    device: Annotated[str, Field(pattern="^(auto|cpu|cuda)$")] = "auto"
    max_upload_bytes: Annotated[int, Field(gt=0)] = 512 * 1024 * 1024


def load_settings() -> Settings:
    """Read the environment, then ``linernotes.toml``; the environment wins.

    Raises:
        UsageError: A setting is unknown or has a value that cannot be used.
    """
    home = Path(os.environ.get("LINERNOTES_HOME") or platformdirs.user_data_dir("linernotes")).expanduser().absolute()
    try:
        text = (home / FILE).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{home / FILE} cannot be read: {error}.") from error
    try:
        values = {k: v for k, v in tomllib.loads(text).items() if f"LINERNOTES_{k.upper()}" not in os.environ}
        return Settings(**{**values, "home": home})
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{home / FILE} is not TOML: {error}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"The setting {name!r} cannot be used: {first['msg']}.") from error
