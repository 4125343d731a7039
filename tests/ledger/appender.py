"""Appends to a log until its work is done or somebody kills it; says what is durable.

Arguments: database, file of the last checkpoint, name of this process, batches, entries per batch.
Prints the index of each batch's last entry once `append` has returned.
"""

import os
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.database import open_engine
from ledger.keys import Ed25519Signer
from ledger.log import Log
from ledger.note import NoteSigner


def main(database: str, last_checkpoint: str, name: str, batches: str, per_batch: str) -> None:
    key = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
    signer = NoteSigner("example.com/log", key)
    log = Log(open_engine(database), signer, last_checkpoint=Path(last_checkpoint))
    os.write(1, b"ready\n")
    sys.stdin.readline()
    for batch in range(int(batches)):
        entries = [f"{name} {batch} {number}".encode() for number in range(int(per_batch))]
        receipts = log.append(entries)
        os.write(1, b"%d\n" % receipts[-1].index)


main(*sys.argv[1:])
