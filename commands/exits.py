"""The one table of exit codes. Numbers are never used again for something else; unknown means failure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from orchestrator import errors

BUG: Final = 1
INTERRUPTED: Final = 130

CODES: Final[Mapping[type[errors.RestoreError], int]] = {
    errors.UsageWrong: 2,
    errors.RunHalted: 3,
    errors.DecisionNeeded: 4,
    errors.RollbackStopped: 5,
    errors.VerificationMissed: 6,
    errors.RunUnknown: 10,
    errors.RunHeldElsewhere: 11,
    errors.JournalBroken: 12,
    errors.JournalNewer: 13,
    errors.BundleInvalid: 20,
    errors.PlanChanged: 21,
    errors.PreflightRefused: 22,
    errors.RehearsalFailed: 30,
    errors.ClusterUnreachable: 30,
    errors.ClusterRefused: 31,
    errors.Interrupted: INTERRUPTED,
}

MEANINGS: Final[Mapping[int, str]] = {
    0: "done",
    1: "a bug (please report it; the journal is intact), or the output cannot be written",
    2: "the command's words are wrong",
    3: "stopped; `restore resume` goes on",
    4: "a decision is needed",
    5: "rollback incomplete",
    6: "verification failed",
    10: "unknown run or journal",
    11: "held by another process",
    12: "journal damaged",
    13: "journal written by a newer version",
    20: "bundle invalid",
    21: "plan, bundle or cluster is not the run's own",
    22: "preflight refused; nothing was changed",
    30: "cluster unreachable",
    31: "cluster refused",
    130: "interrupted; `restore resume` goes on",
}


def exit_code(error: errors.RestoreError) -> int:
    """The code of the nearest class in the table."""
    return next(CODES[kind] for kind in type(error).__mro__ if kind in CODES)
