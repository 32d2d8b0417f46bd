"""The restore of 3scale's databases, as data: (installation, bundle, options) -> plan. Pure.

This scope is the guide's 9.5.5: backend-redis and system-redis. Both start from the one ConfigMap
redis-config, so saving is switched off once and back once, for both: three rollouts each, not six.
Every step cites the commands of the guide that it stands for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal

from orchestrator import redis_conf
from orchestrator.findings import BundleReport, Finding
from orchestrator.installation import Installation, RedisWorkload
from orchestrator.plan import Plan
from orchestrator.rdb_summary import RdbSummary, rdb_version_of_redis
from orchestrator.steps import AnyStep
from orchestrator.steps.check_redis_keys import CheckRedisKeys, ExpectedKeys
from orchestrator.steps.copy_into_pod import CopyIntoPod
from orchestrator.steps.edit_configmap import EditConfigMap, Follower, Proof
from orchestrator.steps.keep_appending import KeepAppending
from orchestrator.steps.rewrite_aof import RewriteAofFile
from orchestrator.steps.roll_out import RollOut
from orchestrator.steps.save_replica_spec import SaveReplicaSpec
from orchestrator.steps.set_aside_file import SetAsideFile

PARTS: Final = ("backend-redis", "system-redis")
SECTION: Final = {"backend-redis": "9.5.5.1", "system-redis": "9.5.5.2"}
SAVING_OFF: Final = "switch-saving-off"
SAVING_BACK: Final = "switch-saving-back"
RANKS_MAX: Final = 32  # expiry times kept in a plan, per database


def restore_plan(found: Installation, bundle: BundleReport, only: tuple[str, ...] = ()) -> Plan:
    """Every step of this restore, in an order that reads like the guide."""
    parts = tuple(part for part in PARTS if not only or part in only)
    redises = [w for part in parts if (w := found.workload(part))]
    others = [w for w in found.workloads if w.name not in parts] if found.is_restarted_by_operator else []
    steps: list[AnyStep] = [save_spec(w) for w in redises + others]
    steps.append(switch_off(found, redises, others))
    for redis in redises:
        steps += load(found, bundle, redis)
    for other in others:
        steps += keep(found, other)
    steps.append(switch_back(found, redises, others))
    for redis in redises:
        steps += bring_back(found, bundle, redis)
    steps += [restart_other_back(found, other) for other in others]
    return Plan(
        runbook="threescale", release=found.release, namespace=found.namespace, parts=parts,
        steps=tuple(steps), notes=tuple(notes(found, parts)),
    )


# ---- the steps, in the order of the guide --------------------------------------------------------


def save_spec(redis: RedisWorkload) -> AnyStep:
    return SaveReplicaSpec(
        id=f"save-{redis.name}-spec", title=f"save the spec of {redis.name}", lane=redis.name,
        workload_kind=redis.kind, workload=redis.name,
    )


def switch_off(found: Installation, redises: list[RedisWorkload], others: list[RedisWorkload]) -> AnyStep:
    return EditConfigMap(
        id=SAVING_OFF, title="switch saving off in redis-config", lane="redis-config",
        needs=tuple(f"save-{w.name}-spec" for w in redises + others),
        cites=tuple(f"{SECTION[w.name]}-{n}" for w in redises for n in (1, 2)),
        configmap=found.configmap, key=found.key, edit="saving-off", followers=followers(found),
    )


def load(found: Installation, bundle: BundleReport, redis: RedisWorkload) -> Iterator[AnyStep]:
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
        yield RewriteAofFile(
            id=f"rewrite-{name}-aof", title=f"write the AOF of {name} from what it loaded",
            needs=(f"check-{name}-loaded",), cites=cite(name, 8, 9), path=redis.aof_path,
            proof=redis.aof_proof, **where,
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


def bring_back(found: Installation, bundle: BundleReport, redis: RedisWorkload) -> Iterator[AnyStep]:
    """The last restart, with saving: 9.5.5.x-12; and the proof that the data is there."""
    rdb = next(f.rdb for f in bundle.files if f.part == redis.name)
    assert rdb is not None
    yield restart_with(found, redis, cite(redis.name, 12))
    yield check(redis, rdb, "restored", f"restart-{redis.name}-with-saving", original_appendonly(found))


def restart_other_back(found: Installation, other: RedisWorkload) -> AnyStep:
    return restart_with(found, other, ())


def restart_with(found: Installation, redis: RedisWorkload, cites: tuple[str, ...]) -> AnyStep:
    return RollOut(
        id=f"restart-{redis.name}-with-saving", title=f"restart {redis.name} with saving",
        needs=(SAVING_BACK,), cites=cites, applies=SAVING_BACK, lane=redis.name,
        workload_kind=redis.kind, workload=redis.name, configmap=found.configmap, key=found.key,
        save=original_save(found, redis),
        appendonly=original_appendonly(found), proof=redis.aof_proof if is_appending(found) else "",
    )


def check(
    redis: RedisWorkload, rdb: RdbSummary, when: str, after: str, appendonly: Literal["yes", "no"]
) -> AnyStep:
    return CheckRedisKeys(
        id=f"check-{redis.name}-{when}", title=f"compare the keys of {redis.name} with the RDB",
        needs=(after,), lane=redis.name, workload_kind=redis.kind, workload=redis.name,
        databases=expected_keys(rdb), appendonly=appendonly,
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


def notes(found: Installation, parts: tuple[str, ...]) -> Iterator[str]:
    """What a person should know before this plan is carried out."""
    for part in PARTS:
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
                f"pod would load its dump.rdb and ignore its AOF"
            )
    if redis_conf.saves_nothing(found.config_text):
        yield f"saving is off in {found.configmap} already, and is left off at the end as it was found"
    yield "whoever writes to a Redis that is restored, between the first and the last restart, loses it"


# ---- what stops a plan before anything is changed ------------------------------------------------


def preflight(found: Installation, bundle: BundleReport, only: tuple[str, ...] = ()) -> list[Finding]:
    """Errors refuse the run, warnings are listed. Nothing has been changed."""
    parts = [part for part in PARTS if not only or part in only]
    findings = [
        error("rights", f"this user may not {action} in namespace {found.namespace}")
        for action in found.forbidden
    ]
    for part in parts:
        redis = found.workload(part)
        file = next((f for f in bundle.files if f.part == part), None)
        if redis is None:
            findings.append(error(part, f"{part} is not in namespace {found.namespace}"))
        elif file is not None and file.rdb is not None:
            findings += fits(redis, file.name, file.rdb)
    return findings


def fits(redis: RedisWorkload, name: str, rdb: RdbSummary) -> Iterator[Finding]:
    """Whether this file can be loaded by this server."""
    newest = rdb_version_of_redis(redis.redis_version)
    if rdb.version > newest:
        yield error(
            redis.name,
            f"{name} has RDB version {rdb.version}; Redis {redis.redis_version} loads versions up to {newest}",
        )
    highest = max(rdb.databases, default=0)
    if highest >= redis.databases:
        yield error(
            redis.name, f"{name} has keys in database {highest}; this Redis has {redis.databases} databases"
        )
    if redis.volume in ("emptyDir", "container"):
        yield error(
            redis.name, f"{redis.data_dir} is on no volume that survives a restart ({redis.volume})"
        )
    if redis.replicas != 1:
        yield error(redis.name, f"it has {redis.replicas} replicas; one is needed")
    if redis.missing_tools:
        yield error(redis.name, f"its pod lacks {', '.join(redis.missing_tools)}")
    needed = 3 * rdb.size_bytes  # the copy, the AOF, and the temporary file of the rewrite
    if redis.free_bytes < needed:
        yield error(redis.name, f"{redis.data_dir} has {redis.free_bytes} bytes free, {needed} are needed")
    if redis.strategy != "Recreate":
        yield Finding(
            severity="warning", subject=redis.name,
            message=f"its strategy is {redis.strategy or 'not set'}, not Recreate: during a rollout two "
            "servers share one directory",
        )


def error(subject: str, message: str) -> Finding:
    return Finding(severity="error", subject=subject, message=message)
