"""The crash matrix on the model: what it counts, that equal pictures have one future, and that it finds what is broken."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import get_args

import pytest

from orchestrator import events as ev
from orchestrator.drills.histories import History, resumed
from orchestrator.drills.matrix import (
    WAYS,
    Case,
    Matrix,
    Way,
    carried,
    deaths,
    end_of,
    first_moments,
    openings,
)
from orchestrator.drills.model import WholeCluster
from orchestrator.drills.mortal import KINDS
from orchestrator.drills.pictures import picture_of
from orchestrator.drills.sweep import repeated, simulated
from orchestrator.errors import UsageWrong
from orchestrator.findings import BundleFile
from orchestrator.recorder import entries_of
from orchestrator.runbooks.options import Options
from orchestrator.runbooks.threescale import restore_plan
from orchestrator.state import fold
from orchestrator.steps import AnyStep
from tests.conftest import Tally
from tests.drills.broken import Late, Rash

ONE = Options(only=("backend-redis",))
WHOLE = {"2.13": Case("2.13", seed=11), "2.15": Case("2.15", seed=12)}


@cache
def matrix_of(release: str) -> Matrix:
    return simulated(WHOLE[release])


# ---- the whole plan --------------------------------------------------------------------------------


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("release", WHOLE)
def test_every_death_of_the_whole_plan_comes_to_the_right_end(release: str, tally: Tally) -> None:
    matrix = matrix_of(release)
    assert [failure.why for failure in matrix.failures] == []
    assert matrix.is_sound
    assert {(row.way, row.kind) for row in matrix.rows} == {(way, kind) for way in WAYS for kind in KINDS}
    for row in matrix.rows:
        assert row.boundaries == row.deaths == row.resumed > 50, row
    for way in WAYS:
        rows = [row for row in matrix.rows if row.way == way]
        said = ", ".join(f"{row.deaths} {row.kind}" for row in rows)
        tally(f"{release}, whole, {way}: {sum(row.deaths for row in rows)} deaths ({said}), 0 asked, 0 wrong, 0 double")


# ---- in doubt --------------------------------------------------------------------------------------


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("release", WHOLE)
def test_who_tells_the_outcome_of_a_step_in_doubt(release: str, tally: Tally) -> None:
    """What each kind declares is what the deaths have shown: the probe alone, in every one of them."""
    matrix, plan = matrix_of(release), WHOLE[release].begin().plan
    acting = {step.kind for step in plan.steps if step.known_by.resolver != "nothing"}
    answers: dict[str, Counter[str]] = {kind: Counter() for kind in acting}
    for (kind, answer), count in matrix.doubts.items():
        answers[kind][answer] += count  # a kind that says it changes nothing is never in doubt: this would fail
    begun = {plan.step(name).kind for name in started(release)}
    for kind in sorted(begun):
        assert {"done", "not done"} <= set(answers[kind]), f"{kind}: deaths before its effect and after it"
        assert not answers[kind].keys() & {"asked", "given up"}, kind
        said = ", ".join(f"{answer} {count}" for answer, count in sorted(answers[kind].items()))
        tally(f"{release}, in doubt: {kind}: the probe alone told {said}; 0 asked")


def started(release: str) -> set[str]:
    """The steps that an uninterrupted restore begins: the others were found done."""
    return {fact.step for fact in WHOLE[release].carried_out(0).facts() if isinstance(fact, ev.StepStarted)}


def test_every_kind_says_how_its_outcome_can_be_known() -> None:
    kinds = get_args(get_args(AnyStep)[0])
    asks = {kind.model_fields["kind"].default for kind in kinds if kind.known_by.resolver == "person"}
    assert asks == {"load_dump"}
    assert all(kind.known_by.how for kind in kinds)


class Undropped(WholeCluster):
    """Its dump of the system database does not drop its tables before it makes them."""

    def sql_files(self) -> list[BundleFile]:
        found = super().sql_files()
        return [f if f.sql is None else f.model_copy(update={"sql": f.sql.model_copy(update={"has_drop_table": False})}) for f in found]


def test_a_load_that_dies_with_its_server_is_asked_about_where_it_cannot_be_repeated() -> None:
    """The one kind that declares a person: here the machine dies with all that runs on it, not the program alone."""
    answers: Counter[str] = Counter()
    case = Case("2.13", options=Options(only=("system-database",)))
    for moment in begun_with(Undropped(case.release), case).moments(resumed, 1):
        step = moment.left.state().steps.get("load-system-database")
        for looks in range(3) if step and step.is_in_doubt else ():
            left = moment.left.copy()
            assert isinstance(left.cluster, WholeCluster)
            for _ in range(looks):  # it outlives the program for a while
                left.cluster.operate()
            left.cluster.lose_jobs()
            outcome = carried(case, "resumed", left, 1)
            answers.update(doubt.answer for doubt in outcome.doubts if doubt.kind == "load_dump")
            assert (outcome.verdict == "asked") == ("asked" in [doubt.answer for doubt in outcome.doubts])
    assert answers["asked"] > 0
    assert answers["not done"] > 0, "before its first statement nothing is torn"


def begun_with(cluster: WholeCluster, case: Case) -> History:
    return History(cluster, restore_plan(cluster.installation(), cluster.bundle(), case.options))


# ---- pictures --------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_equal_pictures_have_one_future(way: Way) -> None:
    """Different deaths that leave an equal picture: the same facts follow, but for their times and epochs, and the same end."""
    case, again = Case("2.15", options=Options(only=("system-database",)), seed=5), openings(way)[1]
    alike: dict[str, list[History]] = {}
    for moment in first_moments(case, way):
        lefts = alike.setdefault(picture_of(moment.left, again), [])
        if all(left is not moment.left for left in lefts):
            lefts.append(moment.left)
    merged = [lefts for lefts in alike.values() if len(lefts) > 1]
    assert len(merged) > 10
    for lefts in merged:
        futures = [future(case, way, left.copy()) for left in lefts]
        assert all(each == futures[0] for each in futures)


def future(case: Case, way: Way, left: History) -> object:
    length = len(left.records)
    outcome = carried(case, way, left, 3)
    return outcome.verdict, left.types()[length + 1 :], end_of(left, way)  # the first says how it begins: opened or resumed


def test_a_different_world_or_a_different_journal_is_a_different_picture() -> None:
    left = Case("2.15").carried_out(1)
    cluster = left.cluster
    assert isinstance(cluster, WholeCluster)
    pictures = {picture_of(left, resumed)}
    cluster.replace_pod("zync")
    pictures.add(picture_of(left, resumed))
    cluster.tree_files["one-more.txt"] = "new"
    pictures.add(picture_of(left, resumed))
    left.performed[("forward", "step", "FileSetAside")] += 1
    pictures.add(picture_of(left, resumed))
    assert len(pictures) == 4


def test_what_a_life_knows_is_the_fold_of_its_journal() -> None:
    for moment in first_moments(Case("2.15", options=ONE), "resumed"):
        assert moment.left.state() == fold(entries_of(moment.left.records))


# ---- that it can fail ------------------------------------------------------------------------------


def test_an_engine_that_does_not_look_does_things_twice() -> None:
    matrix = simulated(Case("2.13", options=ONE, seed=1, engine=Rash))
    assert not matrix.is_sound
    assert sum(row.doubled for row in matrix.rows) > 0
    assert {failure.kind for failure in matrix.failures} & {"acted, not recorded", "recorded"}
    assert any("done twice" in failure.why for failure in matrix.failures)


def test_an_engine_that_acts_before_it_writes_is_found_out_by_the_way_back() -> None:
    matrix = simulated(Case("2.13", options=ONE, seed=1, engine=Late))
    assert sum(row.wrong for row in matrix.rows if row.way != "resumed") > 0


def test_a_failure_is_repeated_by_its_place_and_seed() -> None:
    case = Case("2.13", options=ONE, seed=1, engine=Rash)
    failure = simulated(case).failures[0]
    again = repeated(case, failure.way, failure.at)
    assert [(f.at, f.kind, f.why) for f in again.failures] == [(failure.at, failure.kind, failure.why)]
    assert sum(row.deaths for row in again.rows) == 1


def test_a_pair_is_repeated_by_its_two_places() -> None:
    case = Case("2.15", options=ONE, seed=13)
    pair = deaths(case, "rolled-back", 40)[17]
    again = repeated(case, "rolled-back", pair.at)
    assert [(row.kind, row.deaths, row.deaths_each) for row in again.rows] == [(pair.kind, 1, 2)]
    with pytest.raises(UsageWrong, match="there is no boundary 9999"):
        repeated(case, "rolled-back", (9999,))
