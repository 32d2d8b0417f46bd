"""The typer app, and main(): the one door through which errors leave."""

from __future__ import annotations

import atexit
import errno
import os
import shlex
import signal
import sys
import traceback
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from commands import printer
from commands.check import check
from commands.cleanup import cleanup
from commands.diff import diff
from commands.exits import BUG, INTERRUPTED, MEANINGS, exit_code
from commands.export import export
from commands.log import log
from commands.pause import pause
from commands.plan import plan
from commands.prune import prune
from commands.rehearse import EPILOG, rehearse
from commands.replay import replay
from commands.report import report
from commands.resolve import resolve
from commands.resume import resume
from commands.rollback import rollback
from commands.run import run
from commands.runs import runs
from commands.status import status
from commands.unlock import unlock
from commands.verify import verify
from orchestrator.errors import Interrupted, RestoreError, UsageWrong

EXIT_STATUS = "Exit status: " + ", ".join(f"{code} {meaning}" for code, meaning in MEANINGS.items()) + "."

app = typer.Typer(
    name="restore",
    help="Carry a 3scale database restore through to its end, over connections that break.",
    epilog=EXIT_STATUS,
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        printer.say(f"restore {version('restore')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    pass


# What paths can be that a person has given, or that the environment gives; a file that is missing has its own words.
CLOSED_PATHS = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP})

VERBS = (
    check, plan, run, pause, resume, resolve, rollback, cleanup, unlock, runs, status, log, replay, diff, verify, report, export, prune, rehearse,
)
EPILOGS = {"rehearse": EPILOG}
for verb in VERBS:
    app.command(verb.__name__, epilog=EPILOGS.get(verb.__name__))(verb)


def main() -> None:
    """Run a command; exit with the code of the table in commands/exits.py."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)  # each the same as Ctrl-C, in every verb
    atexit.register(printer.let_go)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us: there is nobody to be told
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115  it is open for as long as the program runs
    try:
        app()
    except RestoreError as error:
        leave(error)
    except KeyboardInterrupt:
        printer.let_go()
        os._exit(INTERRUPTED)  # a second one must find no program that is just ending
    except printer.OutputLost as error:
        printer.error(f"the output cannot be written: {error}", hint="restore runs")
        sys.exit(BUG)
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:  # a help text; the rest of us goes through the printer
            printer.error(f"the output cannot be written: {error.strerror}")
            sys.exit(BUG)
        if (known := of_the_journal(error) or of_a_file(error)) is not None:
            leave(known)
        traceback.print_exc()
        printer.error("this is a bug; please report it with the lines above. The journal is intact")
        sys.exit(BUG)


def leave(error: RestoreError) -> NoReturn:
    printer.error(error.message, hint=error.hint)
    if isinstance(error, Interrupted):
        os._exit(INTERRUPTED)  # what hangs on a dead line must not keep whoever wants to end
    sys.exit(exit_code(error))


def of_the_journal(error: Exception) -> RestoreError | None:
    """An error of the journal that came up where no verb had a word for it; None for any other."""
    from orchestrator.runs import explained

    try:
        with explained():
            raise error
    except RestoreError as known:
        return known
    except Exception:
        return None


def of_a_file(error: Exception) -> RestoreError | None:
    """A path that leads to no file that we may use, wherever it was looked at; None for any other error."""
    if not isinstance(error, OSError) or not error.filename or error.errno not in CLOSED_PATHS:
        return None
    return UsageWrong(f"{error.filename}: {os.strerror(error.errno).lower()}", hint=f"ls -ld {shlex.quote(str(error.filename))}")
