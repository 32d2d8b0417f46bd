"""A textfile for the node exporter's textfile collector: how long, how often, how much, and how it ended. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from orchestrator.forensics.story import StepStory, Story

OUTCOMES = ("finished", "rolled back", "paused", "rolling back", "not ended")
Sample = tuple[Mapping[str, str], float]


def export(story: Story) -> str:
    """The text format, every metric with its help and type, labels escaped."""
    lines: list[str] = []
    for name, help_, samples in metrics(story):
        lines += [f"# HELP restore_{name} {help_}", f"# TYPE restore_{name} gauge"]
        lines += [f"restore_{name}{{{labels(which | {'run': story.run})}}} {value:.15g}" for which, value in map(as_dict, samples)]
    return "\n".join(lines) + "\n"


def as_dict(sample: Sample) -> tuple[dict[str, str], float]:
    return dict(sample[0]), sample[1]


def metrics(story: Story) -> Iterator[tuple[str, str, list[Sample]]]:
    plan, context = story.opened.plan, story.opened.context
    about = {
        "runbook": str(plan.get("runbook", "")), "release": str(plan.get("release", "")),
        "namespace": str(context.get("namespace", "")), "program": story.opened.program,
    }
    yield "run_info", "What the run was opened for.", [(about, 1)]
    yield "run_outcome", "1 for the outcome that the run has.", [({"outcome": o}, float(o == story.outcome)) for o in OUTCOMES]
    yield "run_opened_timestamp_seconds", "When it was opened.", [({}, story.started_at.timestamp())]
    yield "run_last_fact_timestamp_seconds", "When its last fact was recorded.", [({}, story.ended_at.timestamp())]
    yield "run_duration_seconds", "From the first fact to the last.", [({}, story.seconds)]
    yield "run_idle_seconds", "Time of it in which nobody carried the run.", [({}, story.idle_seconds)]
    if story.recovery_seconds is not None:
        yield "run_recovery_seconds", "From the opening until the restore was finished.", [({}, story.recovery_seconds)]
    yield "run_facts", "Facts in the journal.", [({}, len(story.facts))]
    yield "run_lives", "Processes that held the run.", [({}, len(story.lives))]
    yield "run_cuts", "Lives that ended without a word.", [({}, len(story.cuts))]
    yield "run_retries", "Retries of all steps.", [({}, len(story.retries))]
    yield "run_moved_bytes", "Bytes moved in pieces and acknowledged.", [({}, story.bytes_moved)]
    yield "step_duration_seconds", "From a step's first fact to its last on the way forward.", [
        (of(step), step.seconds) for step in story.steps if step.seconds is not None
    ]
    yield "step_attempts", "How often a step was begun, forward and back.", [(of(s), s.attempts) for s in story.steps]
    yield "step_retries", "Retries of a step.", [(of(step), step.retries) for step in story.steps]
    yield "step_ended", "1 for a step that has ended.", [(of(step), float(step.is_ended)) for step in story.steps]


def of(step: StepStory) -> dict[str, str]:
    return {"step": step.id, "lane": step.lane}


def labels(values: Mapping[str, str]) -> str:
    return ",".join(f'{key}="{escaped(value)}"' for key, value in values.items())


def escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
