"""Everything that an operator may be told, as one tree of errors.

    RestoreError                  what happened, lower case, no full stop; and a hint: the next command to type
    +-- BundleInvalid             the backup files are not what they should be
    +-- PlanChanged               the plan, bundle, cluster or namespace is not the run's own
    +-- PreflightRefused          the installation cannot take this restore; nothing was changed
    +-- ClusterUnreachable        temporary: nobody answered, or the answer was cut off
    |   +-- OutcomeUnknown        an effect was sent and its answer never came: look, don't repeat
    |   +-- PodChanged            a pod, or what it holds, is not as it was seen: a new attempt looks again
    +-- ClusterRefused            permanent: the cluster said no
    +-- RunUnknown, RunHeldElsewhere, JournalBroken, JournalNewer
    +-- RunHalted                 the run stands still and can be resumed
    +-- DecisionNeeded            a person has to say how to go on
    +-- VerificationMissed        what was expected is not there
    +-- RollbackStopped           some steps are back, some are not
    +-- RehearsalFailed           the embedded cluster could not be started
    +-- Interrupted               somebody pressed Ctrl-C, or the machine asked us to end
    +-- UsageWrong                the words of the command don't fit together

This library knows no exit codes: commands/exits.py has the one table.
"""

from __future__ import annotations


class RestoreError(Exception):
    """A failure that can be explained to the person at the keyboard."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class BundleInvalid(RestoreError): ...


class PlanChanged(RestoreError): ...


class PreflightRefused(RestoreError): ...


class ClusterUnreachable(RestoreError): ...


class OutcomeUnknown(ClusterUnreachable): ...


class PodChanged(ClusterUnreachable): ...


class ClusterRefused(RestoreError): ...


class RunUnknown(RestoreError): ...


class RunHeldElsewhere(RestoreError): ...


class JournalBroken(RestoreError): ...


class JournalNewer(RestoreError): ...


class RunHalted(RestoreError): ...


class DecisionNeeded(RestoreError): ...


class VerificationMissed(RestoreError): ...


class RollbackStopped(RestoreError): ...


class RehearsalFailed(RestoreError): ...


class Interrupted(RestoreError): ...


class UsageWrong(RestoreError): ...


class IllegalFact(Exception):
    """A fact that cannot follow from the state it meets. Always a bug, or a journal that was tampered with."""
