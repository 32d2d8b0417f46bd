"""Commands that run in a pod by themselves: started detached, looked at by short execs, stopped.

What is run is one of programs.PROGRAMS. The container's identity is part of a job: one that was begun in
a container that is gone is lost, also where its directory lies on a volume that stayed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from orchestrator import effects as fx
from orchestrator.cluster import job_scripts
from orchestrator.cluster.databases import is_cut_off
from orchestrator.cluster.execs import Ran
from orchestrator.cluster.pods import Pods, whole, without_values
from orchestrator.cluster.programs import PROGRAMS
from orchestrator.cluster.rest import Conflict
from orchestrator.errors import ClusterRefused, ClusterUnreachable
from orchestrator.port import PodJobSeen, WorkloadSeen

STARTS: Final = {program: job_scripts.starting(text) for program, text in PROGRAMS.items()}
STATES: Final = ("never", "running", "exited", "lost")


class Jobs:
    def __init__(self, pods: Pods) -> None:
        self._pods = pods
        self.keep: Callable[[bytes], str] = lambda data: ""  # puts bytes among the journal's blobs; their sha256

    def seen(self, workload: WorkloadSeen, directory: str, job: str) -> PodJobSeen:
        ran = self._pods.script(workload, job_scripts.STATE, directory, job, workload.container)
        if ran.code:
            raise ClusterUnreachable(f"job {job} in pod {workload.pod} cannot be looked at: {ran.complaint}")
        line, _, log = whole(ran).partition("\n")
        state, code, done = line.split()
        if state not in STATES:
            raise ClusterUnreachable(f"the answer about job {job} in pod {workload.pod} makes no sense")
        said = complaint(log)
        return PodJobSeen.model_validate(
            {
                "state": state, "code": None if code == "-" else int(code), "done_bytes": int(done),
                "complaint": without_values(said), "is_cut_off": is_cut_off(said),
                "log": self._kept(log) if state == "exited" else "",
            }
        )

    def _kept(self, log: str) -> str:
        """The end of a job's log, line by line without values: what a person reads who asks why it failed."""
        lines = [without_values(line) for line in log.splitlines()]
        return self.keep("\n".join(lines).encode()) if any(lines) else ""


    def start(self, effect: fx.StartJob) -> None:
        """Returns when it runs. Raises ClusterRefused for an older epoch, Conflict while another start runs."""
        ran = self._pods.script(
            effect, STARTS[effect.program], effect.directory, effect.job, str(effect.attempt),
            str(effect.epoch), effect.container, *effect.arguments,
        )  # fmt: skip
        self._answered(effect, ran)

    def stop(self, effect: fx.StopJob) -> None:
        ran = self._pods.script(
            effect, job_scripts.STOP, effect.directory, effect.job, str(effect.epoch), effect.container
        )
        self._answered(effect, ran)

    def of_run(self, workload: WorkloadSeen, run: str) -> tuple[str, ...]:
        ran = self._pods.script(workload, job_scripts.OF_RUN, run)
        if ran.code:
            raise ClusterUnreachable(f"the jobs of {run} in pod {workload.pod} cannot be looked at: {ran.complaint}")
        return tuple(whole(ran).splitlines())

    def remove(self, effect: fx.RemoveJobs) -> None:
        ran = self._pods.script(effect, job_scripts.REMOVE, effect.run)
        if ran.code:
            raise ClusterRefused(f"the jobs of {effect.run} in pod {effect.pod} cannot be removed: {ran.complaint}")
        whole(ran)

    def _answered(self, effect: fx.StartJob | fx.StopJob, ran: Ran) -> None:
        if ran.code == job_scripts.RUNS_ALREADY:
            raise Conflict(f"{effect.job} in pod {effect.pod}: {ran.complaint}")
        if ran.code in (job_scripts.OLDER_EPOCH, job_scripts.OLDER_ATTEMPT):
            raise ClusterRefused(f"an older epoch may not act in pod {effect.pod}: {ran.complaint}")
        if ran.code:
            raise ClusterRefused(f"{effect.job} in pod {effect.pod}: {ran.complaint}")
        whole(ran)


def complaint(log: str) -> str:
    """The line that says what went wrong: the last one that calls itself an error, else the last one."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line or "FATAL" in line or "error:" in line]
    return (errors or lines or [""])[-1]
