"""``draft``, ``sign``, ``submit`` and ``key …``: keys of one's own, and what is signed with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.input import INDEX, index_of, require_named
from api.commands.output import JsonOption, open_home, print_json, say, table
from api.commands.registry import key

if TYPE_CHECKING:
    from api.schemas.signing import Recorded

OutputOption = Annotated[Path, typer.Option("--output", "-o", help="The file to write.")]
PassphraseOption = Annotated[
    Path | None, typer.Option(help="A file, mode 0600, with the key's passphrase; else LINERNOTES_PASSPHRASE.")
]
KEY = "A key file, or agent:KEYID for one that ssh-agent holds."


def draft(
    asked: Annotated[Path, typer.Argument(help="JSON: kind, predicate and perhaps signers, as over HTTP.")],
    *,
    output: OutputOption,
    json: JsonOption = False,
) -> None:
    """Make a statement for keys elsewhere to sign: the exact bytes that the log will take, and no signature."""
    from api.schemas.signing import StatementDrafted
    from api.signing import read_entry, write
    from api.statement_draft import draft as make
    from api.statement_draft import read_asked
    from api.submission import Intake
    from provenance.identity import digest

    wanted = read_asked(read_entry(asked))
    home = open_home()
    made = make(home, Intake(home), wanted.kind, wanted.predicate, wanted.signers)
    write(output, made.payload)
    if json:
        print_json(
            StatementDrafted(
                kind=made.kind,
                signers=list(made.signers),
                statement_digest=digest(made.payload),
                path=str(output),
            )
        )
    else:
        say(f"{output}: {made.kind}, to be signed with {' and '.join(made.signers)}")


def sign(
    file: Annotated[Path, typer.Argument(help="What was handed out: a statement, or an envelope around one.")],
    *,
    with_key: Annotated[str, typer.Option("--key", help=KEY)],
    output: OutputOption,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Show a statement and sign it with a key of your own; the private key stays where it is."""
    from api.schemas.signing import Signed
    from api.signing import Handed, leaf_of, open_key, write

    handed = Handed.read(file)
    signer = open_key(with_key, passphrase_file)
    if not json:
        table(("member", "value"), handed.rows(), f"{handed.statement.kind}, to be signed with {signer.keyid}")
    envelope = handed.signed(signer)
    write(output, envelope)
    kind = handed.statement.kind
    if json:
        keyids = [*(signature.keyid for signature in handed.signatures), signer.keyid]
        print_json(Signed(kind=kind, keyids=keyids, leaf_hash=leaf_of(envelope), path=str(output)))
    else:
        say(f"{output}: {kind}, leaf {leaf_of(envelope)}")


def submit(
    envelopes: Annotated[list[Path], typer.Argument(help="Signed statements, in the order of the log.")],
    *,
    json: JsonOption = False,
) -> None:
    """Put statements on record that were signed elsewhere: all of them, or none."""
    from api.key_record import record
    from api.signing import read_entry
    from api.submission import Intake

    data = [read_entry(path) for path in envelopes]
    _say_recorded(record(Intake(open_home()), data), json=json)


@key.command("new")
def new_key(
    *,
    output: OutputOption,
    role: Annotated[str, typer.Option(help="party, service, owner, witness or log.")] = "party",
    party: Annotated[str, typer.Option(help="Id of the party it belongs to, for the role party.")] = "",
    log: Annotated[str, typer.Option(help="Verifier key of the log that is to know it.")] = "",
    registration: Annotated[
        Path | None, typer.Option(help="Where its signed registration goes, to be sent in.")
    ] = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Make a key of your own, and the registration that proves you have it."""
    from api.key_statements import registration_statement, require_registrable
    from api.schemas.signing import KeyMade
    from api.signing import passphrase, signed, write
    from ledger.key_file import create_key

    if registration is not None:
        require_registrable(role, log, party)
    made = create_key(output, passphrase(passphrase_file))
    if registration is not None:
        write(registration, signed(registration_statement(role, made.verifier, log, party).to_bytes(), made))
    if json:
        print_json(KeyMade(keyid=made.keyid, path=str(output), registration=str(registration or "")))
        return
    say(f"{output}: {made.keyid}")
    if registration is not None:
        say(f"{registration}: its registration as {role}; send this file, and never the key")


@key.command("register")
def register_key(
    registration: Annotated[Path, typer.Argument(help="As `key new` writes it.")],
    *,
    role: Annotated[str, typer.Option(help="The role that you grant.")] = "party",
    party: Annotated[str, typer.Option(help="The party that the key belongs to, for the role party.")] = "",
    vouch_with: Annotated[
        str | None, typer.Option(metavar="KEY", help="The key that vouches, if not the home's.")
    ] = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Vouch for somebody's key, and put it on record."""
    from api.key_record import register_key as register
    from api.signing import open_key, read_entry
    from api.submission import Intake

    require_named(vouch_with=vouch_with)
    home = open_home()
    voucher = open_key(vouch_with, passphrase_file) if vouch_with is not None else None
    recorded = register(home, Intake(home), read_entry(registration), role=role, party=party, voucher=voucher)
    _say_recorded([recorded], json=json)


@key.command("rotate")
def rotate_key(
    old: Annotated[str | None, typer.Argument(help=f"{KEY} A key of the home's own when left out.")] = None,
    new: Annotated[str | None, typer.Argument(help="The key in its place; it has to be on record.")] = None,
    *,
    role: Annotated[
        str | None, typer.Option(help="Which of the home's own keys: service (when left out) or log.")
    ] = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Put a new key in the place of an old one; both sign. A log is handed over with a checkpoint that both sign."""
    from api.errors import UsageError
    from api.key_record import record, rotate_log_key, rotate_service_key, rotation
    from api.signing import open_key
    from api.submission import Intake

    require_named(old=old, new=new, role=role)
    if (old is None) != (new is None) or (old is not None and role is not None):
        raise UsageError(
            "Name both keys, the old one and the one in its place; or none, and with --role which of the home's own."
        )
    if role not in {None, "service", "log"} or (passphrase_file and old is None):
        raise UsageError(
            "The home has two keys of its own, --role service and --role log. They are put under the passphrase that "
            "the setting key_passphrase_file names, and under no other."
        )
    home = open_home()
    intake = Intake(home)
    if old is not None and new is not None:
        signed = rotation(intake.keyring(), open_key(old, passphrase_file), open_key(new, passphrase_file))
        _say_recorded(record(intake, [signed]), json=json)
        return
    _say_recorded((rotate_log_key if role == "log" else rotate_service_key)(home, intake), json=json)
    if role == "log" and not json:
        say(f"The log's verifier key is now {home.log_vkey}; tell those who rely on the old one.")


@key.command("revoke")
def revoke_key(
    keyid: Annotated[str, typer.Argument(help="Name of the key: sha256:...")],
    *,
    reason: Annotated[str, typer.Option(help="compromised, lost, ceased or withdrawn.")],
    from_index: Annotated[
        int | None,
        typer.Option(
            parser=index_of("--from-index"),
            metavar=INDEX,
            help="First entry in which its signatures do not count; from now when left out.",
        ),
    ] = None,
    with_key: Annotated[str | None, typer.Option("--key", help=f"{KEY} The home's service key when left out.")] = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """End a key as of an entry of the log: what it signed before that entry is spared."""
    from api.key_record import record, revocation
    from api.signing import open_key
    from api.submission import Intake

    require_named(key=with_key)
    home = open_home()
    intake = Intake(home)
    by = open_key(with_key, passphrase_file) if with_key is not None else home.service
    recorded = record(intake, [revocation(intake.keyring(), keyid, by, reason, from_index)])
    _say_recorded(recorded, json=json)
    if not json:
        say(intake.keyring().term(keyid).span())


@key.command("show")
def show_key(
    keyid: Annotated[str, typer.Argument(help="Name of the key: sha256:...")],
    *,
    at: Annotated[
        int | None, typer.Option(parser=index_of("--at"), metavar=INDEX, help="An entry that it signed.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say in which entries of the log a key's signatures count."""
    from api.key_record import term_of
    from api.submission import Intake

    ring = Intake(open_home()).keyring()
    term = ring.term(keyid)
    if json:
        print_json(term_of(ring, keyid))
    else:
        say(term.span() if at is None else term.verdict(at))


@key.command("evidence")
def key_evidence(*, output: OutputOption, json: JsonOption = False) -> None:
    """Write everything the log says about its keys, with proofs: `verify --keys` then knows what was revoked."""
    from api.key_exhibits import write_key_evidence

    written = write_key_evidence(open_home(), output)
    if json:
        print_json(written)
    else:
        seen = "cosigned by witnesses" if written.cosigned else "not cosigned"
        say(f"{output}: {written.statements} statements about keys, as of {written.tree_size} entries, {seen}")


def _say_recorded(recorded: list[Recorded], *, json: bool) -> None:
    from api.schemas.signing import RecordedList

    if json:
        print_json(RecordedList(entries=recorded))
    else:
        table(("statement", "entry", "leaf"), [(each.kind, each.log_index, each.leaf_hash) for each in recorded])
