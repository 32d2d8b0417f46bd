"""The head of a chain as a statement of four lines, signed with Ed25519.

The statement is plain text and the signature its 64 bytes, so that a signature can be checked without this
program:

    openssl pkeyutl -verify -rawin -pubin -inkey public.pem -in RUN.head -sigfile RUN.head.sig
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.errors import JournalBroken, UsageWrong

FIRST_LINE = "restore journal head"
STATEMENT = re.compile(rf"{FIRST_LINE}\nrun (\S+)\nfact (\d+)\ndigest ([0-9a-f]{{64}})\n")


@dataclass(frozen=True, slots=True)
class Statement:
    """What is signed: this run's chain ended with this digest at this fact."""

    run: str
    seq: int
    digest: str

    def text(self) -> str:
        return f"{FIRST_LINE}\nrun {self.run}\nfact {self.seq}\ndigest {self.digest}\n"


def statement_of(text: str) -> Statement:
    """Raises UsageWrong for a text that is no statement."""
    found = STATEMENT.fullmatch(text)
    if found is None:
        raise UsageWrong("this is no statement of a journal head", hint="restore verify RUN --sign-key KEY")
    return Statement(found[1], int(found[2]), found[3])


def sign(statement: Statement, private_pem: bytes) -> bytes:
    """The 64 bytes of the signature. Raises UsageWrong for a key that is none, or not Ed25519."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(private_pem, password=None)
    except (ValueError, TypeError) as error:  # TypeError: it has a pass phrase
        raise unusable("private", str(error)) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise unusable("private", "it is of another kind")
    return key.sign(statement.text().encode())


def public_of(private_pem: bytes) -> bytes:
    """The public half of a private key, as PEM."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    public = load_pem_private_key(private_pem, password=None).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def refuse_forged(statement: Statement, signature: bytes, public_pem: bytes) -> None:
    """Raises JournalBroken for a signature that is not this key's over this statement; UsageWrong for no key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(public_pem)
    except ValueError as error:
        raise unusable("public", str(error)) from None
    if not isinstance(key, Ed25519PublicKey):
        raise unusable("public", "it is of another kind")
    try:
        key.verify(signature, statement.text().encode())
    except InvalidSignature:
        raise JournalBroken(
            f"the signature is not this key's over the head of {statement.run}", hint=f"restore verify {statement.run}"
        ) from None


def unusable(half: str, why: str) -> UsageWrong:
    return UsageWrong(
        f"an Ed25519 {half} key in PEM is needed: {why.splitlines()[0] if why else 'it cannot be read'}",
        hint="openssl genpkey -algorithm ed25519 -out key.pem",
    )
