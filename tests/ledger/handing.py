"""Hands a log over to its second key, and dies at a step of it.

Arguments: database, file of the last checkpoint, step (`sign`, `within`, `commit`, `remember` or `none`).
"""

import os
import signal
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import event

from ledger import publisher
from ledger.database import open_engine
from ledger.keys import Ed25519Signer
from ledger.last_checkpoint import LastCheckpoint
from ledger.log import Log
from ledger.note import NoteSigner

ORIGIN = "example.com/log"
FIRST, SECOND, THIRD = (
    NoteSigner(ORIGIN, Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(start, start + 32)))))
    for start in (0, 1, 2)
)
NAMES_SECOND, NAMES_THIRD = b"the second key follows", b"the third key follows"


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(database: str, memory: str, step: str) -> None:
    engine = open_engine(database)
    log = Log(engine, FIRST, last_checkpoint=Path(memory))
    log.append([b"before"])
    if step == "sign":
        publisher.sign_handover = die
    elif step == "commit":
        event.listen(engine, "commit", die)
    elif step == "remember":
        LastCheckpoint.write = die
    log.hand_over(NAMES_SECOND, SECOND, die if step == "within" else None)
    engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
