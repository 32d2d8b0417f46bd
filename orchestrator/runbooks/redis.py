"""Guide 9.5.5: backend-redis and system-redis, from their RDB files. Pure.

Both start from the one ConfigMap redis-config, so saving is switched off once and back once, for both:
three rollouts each, not six. Every step cites the commands of the guide that it stands for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, Literal

from orchestrator import redis_conf
from orchestrator.findings import BundleReport
from orchestrator.installation import Installation, RedisWorkload
from orchestrator.rdb_summary import RdbSummary
from orchestrator.steps import AnyStep
from orchestrator.steps.check_redis_keys import CheckRedisKeys, ExpectedKeys
from orchestrator.steps.copy_into_pod import CopyIntoPod
from orchestrator.steps.edit_configmap import EditConfigMap, Follower, Proof
from orchestrator.steps.flush_queues import FlushQueues
from orchestrator.steps.keep_appending import KeepAppending
from orchestrator.steps.keep_saving import KeepSaving
from orchestrator.steps.rewrite_aof import RewriteAofFile
from orchestrator.steps.roll_out import RollOut
from orchestrator.steps.save_replica_spec import SaveReplicaSpec
from orchestrator.steps.set_aside_file import SetAsideFile

REDISES: Final = ("backend-redis", "system-redis")
SECTION: Final = {"backend-redis": "9.5.5.1", "system-redis": "9.5.5.2"}
SAVING_OFF: Final = "switch-saving-off"
SAVING_BACK: Final = "switch-saving-back"
QUEUES_DATABASE: Final = 1  # of backend-redis: guide 9.5.4.2
RANKS_MAX: Final = 32  # expiry times kept in a plan, per database


def redis_steps(
    found: Installation, bundle: BundleReport, parts: Collection[str], after: tuple[str, ...], *, drops_queues: bool
) -> Iterator[AnyStep]:
    """Guide 9.5.5 for the Redis among `parts`. after: what has to have ended before the first of these steps."""
    redises = [w for part in REDISES if part in parts and (w := found.workload(part))]
    if not redises:
        return
    left = [w for w in found.workloads if w.name not in parts]
    others = left if found.is_restarted_by_operator else []
    yield from (save_spec(w) for w in redises + others)
    yield switch_off(found, redises, others, after)
    for redis in redises:
        yield from load(found, bundle, redis, drops_queues=drops_queues)
    for other in others:
        yield from keep(found, other)
    yield switch_back(found, redises, others)
    for redis in redises:
        yield from bring_back(found, bundle, redis, drops_queues=drops_queues)
    yield from (restart_other_back(found, other) for other in others)
    if not others:
        yield from (keep_saving(found, other) for other in left)


# ---- the steps, in the order of the guide --------------------------------------------------------


def save_spec(redis: RedisWorkload) -> AnyStep:
    return SaveReplicaSpec(
        id=f"save-{redis.name}-spec", title=f"save the spec of {redis.name}", lane=redis.name,
        workload_kind=redis.kind, workload=redis.name,
    )


def switch_off(
    found: Installation, redises: list[RedisWorkload], others: list[RedisWorkload], after: tuple[str, ...]
) -> AnyStep:
    return EditConfigMap(
        id=SAVING_OFF, title="switch saving off in redis-config", lane="redis-config",
        needs=(*(f"save-{w.name}-spec" for w in redises + others), *after),
        cites=tuple(f"{SECTION[w.name]}-{n}" for w in redises for n in (1, 2)),
        configmap=found.configmap, key=found.key, edit="saving-off", followers=followers(found),
    )


def load(
    found: Installation, bundle: BundleReport, redis: RedisWorkload, *, drops_queues: bool
) -> Iterator[AnyStep]:
    """From the restart without saving to the AOF: 9.5.5.x-3 to -9."""
    name, where = redis.name, {"workload_kind": redis.kind, "workload": redis.name, "lane": redis.name}
    file = next(f for f in bundle.files if f.part == name)
    assert file.rdb is not None
    yield restart_without(found, redis)
    for what, path, number in (("rdb", redis.rdb_path, 4), ("aof", redis.aof_path, 5)):
        yield SetAsideFile(
            id=f"set-aside-{name}-{what}", title=f"set the old {what.upper()} of {name} aside",
            needs=(f"restart-{name}-without-saving",), cites=cite(name, number), path=path, **where,
        )
    yield CopyIntoPod(
        id=f"copy-{name}-rdb", title=f"copy {file.name} into the pod",
        needs=(f"set-aside-{name}-rdb", f"set-aside-{name}-aof"), cites=cite(name, 6),
        source=file.name, path=redis.rdb_path, size_bytes=file.size_bytes, sha256=file.sha256, **where,
    )
    yield RollOut(
        id=f"restart-{name}-to-load", title=f"restart {name} to load it", needs=(f"copy-{name}-rdb",),
        cites=cite(name, 7), applies=f"copy-{name}-rdb", configmap=found.configmap, key=found.key,
        save="", appendonly="no", is_fresh=True, keeps={redis.rdb_path: file.sha256}, **where,
    )
    yield check(redis, file.rdb, "loaded", f"restart-{name}-to-load", "no")
    if is_appending(found):
        drops, ready = dropped(redis, drops_queues=drops_queues), f"check-{name}-loaded"
        if drops is not None:
            yield (flush := flush_queues(redis, drops, ready))
            ready = flush.id
        yield RewriteAofFile(
            id=f"rewrite-{name}-aof", title=f"write the AOF of {name} from what it loaded",
            needs=(ready,), cites=cite(name, 8, 9), path=redis.aof_path, proof=redis.aof_proof,
            drops=drops, **where,
        )


def restart_without(found: Installation, redis: RedisWorkload, *, cited: bool = True) -> AnyStep:
    return RollOut(
        id=f"restart-{redis.name}-without-saving", title=f"restart {redis.name} without saving",
        needs=(SAVING_OFF,), cites=cite(redis.name, 3) if cited else (), applies=SAVING_OFF,
        lane=redis.name, workload_kind=redis.kind, workload=redis.name, configmap=found.configmap,
        key=found.key, save="", appendonly="no", save_back=original_save(found, redis),
        appendonly_back=original_appendonly(found),
    )


def keep(found: Installation, other: RedisWorkload) -> Iterator[AnyStep]:
    """The Redis that is not restored, and is restarted with the other by the operator."""
    yield restart_without(found, other, cited=False)
    if is_appending(found):
        yield KeepAppending(
            id=f"keep-{other.name}-appending", title=f"have {other.name} append while it is not restored",
            needs=(f"restart-{other.name}-without-saving",), lane=other.name, workload_kind=other.kind,
            workload=other.name, path=other.aof_path, proof=other.aof_proof,
        )


def keep_saving(found: Installation, other: RedisWorkload) -> AnyStep:
    """The Redis that is neither restored nor restarted, but may restart by itself while saving is off."""
    return KeepSaving(
        id=f"keep-{other.name}-saving", title=f"see that {other.name} saves as before", needs=(SAVING_OFF, SAVING_BACK),
        applies=SAVING_OFF, lane=other.name, workload_kind=other.kind, workload=other.name,
        save=original_save(found, other), appendonly=original_appendonly(found), path=other.aof_path, proof=other.aof_proof,
    )


def flush_queues(redis: RedisWorkload, database: int, after: str) -> AnyStep:
    """Before the AOF is written. Without an AOF behind the last restart, which loads the file with the queues once more."""
    return FlushQueues(
        id=f"flush-{redis.name}-queues", title=f"drop the job queues of {redis.name}", needs=(after,), database=database,
        workload_kind=redis.kind, workload=redis.name, lane=redis.name,
    )


def dropped(redis: RedisWorkload, *, drops_queues: bool) -> int | None:
    """The database of a Redis that is not to come back, if any."""
    return QUEUES_DATABASE if drops_queues and redis.name == "backend-redis" else None


def switch_back(found: Installation, redises: list[RedisWorkload], others: list[RedisWorkload]) -> AnyStep:
    appending = is_appending(found)
    ready = [f"rewrite-{w.name}-aof" if appending else f"check-{w.name}-loaded" for w in redises]
    ready += [f"keep-{w.name}-appending" if appending else f"restart-{w.name}-without-saving" for w in others]
    proofs = tuple(
        Proof(kind=w.kind, workload=w.name, path=w.aof_proof) for w in redises + others if appending
    )
    return EditConfigMap(
        id=SAVING_BACK, title="bring saving back in redis-config", lane="redis-config", needs=tuple(ready),
        cites=tuple(f"{SECTION[w.name]}-{n}" for w in redises for n in (10, 11)),
        configmap=found.configmap, key=found.key, edit="saving-back", original_of=SAVING_OFF,
        followers=followers(found), proofs=proofs,
    )


def bring_back(
    found: Installation, bundle: BundleReport, redis: RedisWorkload, *, drops_queues: bool
) -> Iterator[AnyStep]:
    """The last restart, with saving: 9.5.5.x-12; and the proof that the data is there."""
    rdb = next(f.rdb for f in bundle.files if f.part == redis.name)
    assert rdb is not None
    yield restart_with(found, redis, cite(redis.name, 12))
    drops, ready = dropped(redis, drops_queues=drops_queues), f"restart-{redis.name}-with-saving"
    if drops is not None and not is_appending(found):
        yield (flush := flush_queues(redis, drops, ready))
        ready = flush.id
    yield check(redis, rdb, "restored", ready, original_appendonly(found), drops)


def restart_other_back(found: Installation, other: RedisWorkload) -> AnyStep:
    return restart_with(found, other, (), may_append=True)


def restart_with(
    found: Installation, redis: RedisWorkload, cites: tuple[str, ...], *, may_append: bool = False
) -> AnyStep:
    return RollOut(
        id=f"restart-{redis.name}-with-saving", title=f"restart {redis.name} with saving",
        needs=(SAVING_BACK,), cites=cites, applies=SAVING_BACK, lane=redis.name,
        workload_kind=redis.kind, workload=redis.name, configmap=found.configmap, key=found.key,
        save=original_save(found, redis),
        appendonly=original_appendonly(found), proof=redis.aof_proof if is_appending(found) else "", may_append=may_append,
    )


def check(
    redis: RedisWorkload, rdb: RdbSummary, when: str, after: str, appendonly: Literal["yes", "no"],
    without: int | None = None,
) -> AnyStep:
    return CheckRedisKeys(
        id=f"check-{redis.name}-{when}", title=f"compare the keys of {redis.name} with the RDB",
        needs=(after,), lane=redis.name, workload_kind=redis.kind, workload=redis.name,
        databases={n: keys for n, keys in expected_keys(rdb).items() if n != without}, appendonly=appendonly,
    )


# ---- what the steps are made from ----------------------------------------------------------------


def cite(part: str, *numbers: int) -> tuple[str, ...]:
    return tuple(f"{SECTION[part]}-{number}" for number in numbers)


def followers(found: Installation) -> tuple[Follower, ...]:
    if not found.is_restarted_by_operator:
        return ()
    return tuple(Follower(kind=w.kind, name=w.name) for w in found.workloads)


def original_save(found: Installation, redis: RedisWorkload) -> str:
    return redis_conf.save_of(found.config_text, redis.redis_version)


def original_appendonly(found: Installation) -> Literal["yes", "no"]:
    return "yes" if is_appending(found) else "no"


def is_appending(found: Installation) -> bool:
    return redis_conf.appendonly_of(found.config_text) == "yes"


def expected_keys(rdb: RdbSummary) -> dict[int, ExpectedKeys]:
    """The keys of each database, with some ranks of their expiry times."""
    return {
        number: ExpectedKeys(keys=db.keys, expired_by=some_of(db.expired_by))
        for number, db in rdb.databases.items()
    }


def some_of(ranks: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """The first, the last and some between: a plan is read by people, and written into every journal."""
    stride = max(1, -(-len(ranks) // RANKS_MAX))
    return ranks[::stride] + (ranks[-1:] if (len(ranks) - 1) % stride else ())


def redis_notes(found: Installation, parts: Collection[str]) -> Iterator[str]:
    """What a person should know of the Redis before a plan is carried out."""
    if not set(REDISES) & set(parts):
        return
    for part in REDISES:
        if part in parts and found.workload(part):
            continue
        if found.workload(part) is None:
            yield f"{part} is not in this namespace and is left out"
        elif found.is_restarted_by_operator:
            yield (
                f"{part} is not restored, but the operator restarts it twice: both Redis start from the one "
                f"ConfigMap {found.configmap}. It is told to append meanwhile, so it keeps what is written to it"
            )
        else:
            yield (
                f"{part} is not restored and not restarted. Until {found.configmap} is back, a restart of its "
                f"pod would load its dump.rdb and ignore its AOF. That it saves is looked at in the end"
            )
    if redis_conf.saves_nothing(found.config_text):
        yield (
            f"saving is off in {found.configmap} already, and is left off at the end as it was found. What a Redis holds "
            f"now is in memory alone: its first restart loses it, and a rollback brings back what its RDB file holds. "
            f"If somebody has switched it off for a restore by hand, bring it back first"
        )
    yield "whoever writes to a Redis that is restored, between the first and the last restart, loses it"
