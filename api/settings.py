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
from api.files import require_usable
from ledger.bounded_file import read_bounded

FILE = "linernotes.toml"
MAX_FILE_BYTES = 64 * 1024


class Settings(BaseSettings):
    """Everything that can be chosen about a home.

    Attributes:
        home: Folder of the database, the objects and the keys.
        database: URL of a PostgreSQL database (postgresql://…), to be used in place of the SQLite file in the home.
            A password belongs into a pgpass file, not here.
        publish_interval: Seconds between the checkpoints that ``serve`` signs; 0 signs one with every append.
        witness_policy: C2SP tlog-policy file of the witnesses that ``serve`` has checkpoints cosigned by.
        key_passphrase_file: File (mode 0600) with the passphrase that the home's own keys are under; without it they
            lie there in the clear, readable for their owner alone.
        log_origin: Name of the log; made up at first use when left empty, and never changed afterwards.
        c2pa_chain: PEM certificate chain of your own C2PA signer, leaf first.
        c2pa_key: PEM private key that belongs to it.
        trust_anchors: PEM file of the C2PA roots you accept when verifying.
        policy: C2SP tlog-policy file of the logs you accept when verifying.
        rights_policy: Name or file of the policy that verdicts follow.
        device: Where models run.
        max_upload_bytes: Largest file the HTTP service takes.
        tsa_url: Where a time-stamping authority is asked (RFC 3161); checkpoints are not stamped when left empty.
        tsa_every: One checkpoint in so many is stamped.
        tsa_roots: PEM file of the roots of the time-stamping authorities you accept.
    """

    model_config: ClassVar[SettingsConfigDict] = SettingsConfigDict(
        env_prefix="LINERNOTES_", extra="forbid", frozen=True
    )

    home: Path
    database: Annotated[str, Field(repr=False, max_length=2000, pattern=r"^(postgresql(\+psycopg)?://.+)?$")] = ""
    publish_interval: Annotated[float, Field(ge=0, le=1)] = 0
    witness_policy: Path | None = None
    key_passphrase_file: Path | None = None
    log_origin: Annotated[str, Field(max_length=200)] = ""
    c2pa_chain: Path | None = None
    c2pa_key: Path | None = None
    trust_anchors: Path | None = None
    policy: Path | None = None
    rights_policy: str = ""
    device: Annotated[str, Field(pattern="^(auto|cpu|cuda)$")] = "auto"
    max_upload_bytes: Annotated[int, Field(gt=0)] = 512 * 1024 * 1024
    tsa_url: str = ""
    tsa_every: Annotated[int, Field(gt=0)] = 100
    tsa_roots: Path | None = None


def load_settings() -> Settings:
    """Read the environment, then ``linernotes.toml``; the environment wins.

    Raises:
        UsageError: A setting is unknown or has a value that cannot be used.
        TextError: The path of a file is not text.
    """
    named = Path(os.environ.get("LINERNOTES_HOME") or platformdirs.user_data_dir("linernotes"))
    try:
        home = named.expanduser().absolute()
    except RuntimeError as error:
        raise UsageError(f"LINERNOTES_HOME is {named}, and there is no such user on this machine.") from error
    require_usable(home / FILE)
    try:
        text = read_bounded(home / FILE, MAX_FILE_BYTES).decode()
    except (FileNotFoundError, NotADirectoryError):
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{home / FILE} cannot be read: {error}.") from error
    try:
        values = {k: v for k, v in tomllib.loads(text).items() if f"LINERNOTES_{k.upper()}" not in os.environ}
        settings = Settings(**{**values, "home": home})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"The setting {name!r} cannot be used: {first['msg']}.") from error
    except (ValueError, RecursionError) as error:  # a number of too many digits is no error of TOML's to the library
        raise UsageError(f"{home / FILE} is not TOML: {error}.") from error
    for _, value in settings:
        if isinstance(value, Path):
            require_usable(value)
    if settings.rights_policy.endswith(".toml"):
        require_usable(Path(settings.rights_policy))
    return settings
