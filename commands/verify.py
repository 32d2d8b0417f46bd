"""restore verify: is this journal the one that was written? And the signature of its head."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from commands import printer, wiring
from commands.looking import SignKey, read_file, write_file
from commands.options import JournalPath, Output, OutputAs, Run
from orchestrator.errors import UsageWrong

if TYPE_CHECKING:
    from journal import Head
    from orchestrator.forensics.proving import Proof


def verify(
    run: Run,
    anchor: Annotated[
        str, typer.Option(metavar="HEAD", help="A journal head that was noted elsewhere: DIGEST or SEQ:DIGEST.",
                          show_default=False)
    ] = "",
    sign_key: SignKey = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where --sign-key writes RUN.head and RUN.head.sig. [default: here]",
                                  show_default=False)
    ] = None,
    signature: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A signed head to hold the chain against: RUN.head.sig.",
                                  show_default=False)
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option(metavar="KEY", help="The public key (PEM) that --signature is checked with.",
                                  show_default=False)
    ] = None,
    whole_file: Annotated[
        bool, typer.Option("--file", help="Also let SQLite check every page of the file; slow when it is large.")
    ] = False,
    journal: JournalPath = None,
    output: OutputAs = Output.table,
) -> None:
    """Recompute the digest chain; check gaps, blobs, epochs, and that every fact could follow the one before.

    Says OK, broken at a fact, or cut off after a fact. A chain without a head that was kept elsewhere (--anchor,
    --signature) cannot show that its end was cut off together with its head, or that all of it was written anew.

    Exit status: 0 when the run's facts are as they were written, 12 when they are not or the signature is not
    the key's, 2 for a key that is none.
    """
    from dataclasses import asdict

    from orchestrator.forensics.proving import prove, refuse_unproved

    if sign_key is not None and signature is not None:
        raise UsageWrong("--sign-key makes a signature, --signature checks one", hint=f"restore verify {run}")
    expected = signed_head(run, signature, public_key) or noted_head(run, anchor)
    proof = prove(wiring.open_journal(journal, write=False), run, anchor=expected, whole_file=whole_file)
    signed = write_signature(proof, sign_key, out or Path()) if sign_key is not None and proof.is_ok else None
    if output is not Output.table:
        printer.document(asdict(proof) | {"signature": str(signed) if signed else None}, output)
    elif proof.is_ok:
        printer.say(proof.sentence() + (f"; signed as {signature}" if signature else ""))
        if signed:
            printer.say(f"signed: {signed}")
    refuse_unproved(proof)


def noted_head(run: str, anchor: str) -> str | Head | None:
    from orchestrator.forensics.proving import head_of

    try:
        return head_of(anchor)
    except ValueError as error:
        raise UsageWrong(f"{anchor} is no journal head: {error}", hint=f"restore status {run}") from None


def signed_head(run: str, signature: Path | None, public_key: Path | None) -> Head | None:
    """The head that a signature vouches for, read from the statement beside it. Raises JournalBroken, UsageWrong."""
    from journal import Head
    from orchestrator.forensics.signing import refuse_forged, statement_of

    if signature is None:
        return None
    if public_key is None:
        raise UsageWrong("--signature needs --public-key", hint="openssl pkey -in key.pem -pubout -out public.pem")
    statement = statement_of(read_file(signature.with_suffix("")).decode(errors="replace"))
    if statement.run != run:
        raise UsageWrong(f"{signature} was made for run {statement.run}", hint=f"restore verify {statement.run}")
    refuse_forged(statement, read_file(signature), read_file(public_key))
    return Head(statement.seq, statement.digest)


def write_signature(proof: Proof, key: Path, directory: Path) -> Path:
    """RUN.head and RUN.head.sig; returns the second."""
    from orchestrator.forensics.signing import Statement, sign

    statement = Statement(proof.run, proof.facts, proof.head)
    signature = sign(statement, read_file(key))
    write_file(directory / f"{proof.run}.head", statement.text().encode())
    write_file(directory / f"{proof.run}.head.sig", signature)
    return directory / f"{proof.run}.head.sig"
