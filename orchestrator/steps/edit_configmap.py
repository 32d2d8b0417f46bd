"""Edit the saving directives in one key of a ConfigMap, and wait for those whom an operator restarts for it.

Two edits: `saving-off` (guide 9.5.5.1-1 and -2) and `saving-back`, which brings back the text that
`saving-off` found (9.5.5.1-10 and -11). The write is refused by the cluster when the text is no longer
the one that was seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, cast

from orchestrator import redis_conf
from orchestrator.effects import EditConfigMap as Edit
from orchestrator.effects import Effect
from orchestrator.port import ConfigMapSeen, FileSeen, Reader, Seen, WorkloadSeen
from orchestrator.steps.base import CLEAR, DONE, Context, KnownBy, Standing, Step, busy, torn


class ConfigMapPicture(Seen):
    configmap: ConfigMapSeen | None
    followers: Mapping[str, WorkloadSeen] = {}
    proofs: Mapping[str, FileSeen | None] = {}


class Follower(Seen):
    """A workload that an operator restarts by itself when the ConfigMap changes (3scale 2.15)."""

    kind: str
    name: str


class Proof(Seen):
    """The AOF that must be there before this workload may start with `appendonly yes` again."""

    kind: str
    workload: str
    path: str


class EditConfigMap(Step):
    Picture = ConfigMapPicture
    known_by = KnownBy("probe", "the text in the ConfigMap: edited, or not")
    kind: Literal["edit_configmap"] = "edit_configmap"
    configmap: str
    key: str
    edit: Literal["saving-off", "saving-back"]
    original_of: str = ""  # saving-back: the step whose picture holds the original text
    followers: tuple[Follower, ...] = ()
    proofs: tuple[Proof, ...] = ()

    @property
    def undo_note(self) -> str:
        return f"bring the save and appendonly lines of {self.key} in ConfigMap {self.configmap} back"

    def probe(self, reader: Reader, ctx: Context) -> ConfigMapPicture:
        followers = {f.name: reader.workload(f.kind, f.name) for f in self.followers}
        return ConfigMapPicture(
            configmap=reader.configmap(self.configmap, self.key),
            followers={name: seen for name, seen in followers.items() if seen is not None},
            proofs=dict(self.look_for_proofs(reader)) if ctx.after is None else {},
        )

    def look_for_proofs(self, reader: Reader) -> Iterator[tuple[str, FileSeen | None]]:
        for proof in self.proofs:
            workload = reader.workload(proof.kind, proof.workload)
            if workload is not None and workload.is_complete:
                yield proof.workload, reader.files(workload, [proof.path])[proof.path]

    def standing(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(ConfigMapPicture, seen)
        text = text_of(picture)
        if text is None:
            return torn(f"ConfigMap {self.configmap} has no key {self.key}")
        if self.is_edited(text, ctx):
            if self.is_by_somebody_else(text, ctx):
                return torn(f"somebody else has brought saving back in ConfigMap {self.configmap}")
            return self.followed(picture) or DONE
        missing = [p for p in self.proofs if not has_content(picture.proofs.get(p.workload))]
        if missing:  # an empty AOF means an empty database: redis/redis#1826
            return torn(f"{missing[0].workload} has no AOF at {missing[0].path}: it would start empty")
        return CLEAR

    def is_edited(self, text: str, ctx: Context) -> bool:
        if self.edit == "saving-off":
            return redis_conf.saves_nothing(text)
        return saving_lines(text) == saving_lines(self.original(ctx) or text)

    def is_by_somebody_else(self, text: str, ctx: Context) -> bool:
        """Saving is back although this run, which switched it off, has not begun to bring it back."""
        return self.edit == "saving-back" and ctx.before is None and not redis_conf.saves_nothing(text)

    def original(self, ctx: Context) -> str | None:
        """The text before saving was switched off; None when it already was off when we came."""
        picture = self.picture(ctx.pictures.get(self.original_of))
        return text_of(cast(ConfigMapPicture, picture)) if picture else None

    def followed(self, picture: ConfigMapPicture) -> Standing | None:
        """Whom the operator restarts for this edit, and has not yet."""
        assert picture.configmap is not None
        version = picture.configmap.resource_version
        for name, workload in picture.followers.items():
            if workload.config_version != version:
                return busy(f"the operator has not restarted {name} for {self.configmap} version {version}")
            if not workload.is_complete:
                return busy(workload.waiting_for)
        return None

    def do(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        text = text_of(cast(ConfigMapPicture, seen)) or ""
        yield Edit(configmap=self.configmap, key=self.key, expected=text, text=self.edited(text, ctx))

    def edited(self, text: str, ctx: Context) -> str:
        if self.edit == "saving-off":
            return redis_conf.switch_saving_off(text)
        return redis_conf.switch_saving_back(text, self.original(ctx) or text)

    def restored(self, seen: Seen, ctx: Context) -> Standing:
        picture = cast(ConfigMapPicture, seen)
        if ctx.before is None:
            return self.out_of_the_way(picture)
        text, before = text_of(picture), self.text_before(ctx)
        if text is not None and saving_lines(text) == saving_lines(before):
            return self.followed(picture) or DONE
        if text is None or not self.is_edited(text, ctx):
            return torn(f"somebody else has changed {self.key} in ConfigMap {self.configmap}")
        return CLEAR

    def out_of_the_way(self, picture: ConfigMapPicture) -> Standing:
        """Not begun by us, yet saving may be on: the files that we changed are taken back without it."""
        text = text_of(picture)
        if text is None:
            return torn(f"ConfigMap {self.configmap} has no key {self.key}")
        return self.followed(picture) or DONE if redis_conf.saves_nothing(text) else CLEAR

    def undo(self, seen: Seen, ctx: Context) -> Iterator[Effect]:
        """The text of the first picture; where somebody else has edited it since, only our saving lines."""
        text = text_of(cast(ConfigMapPicture, seen)) or ""
        if ctx.before is None:
            off = redis_conf.switch_saving_off(text)
            yield Edit(configmap=self.configmap, key=self.key, expected=text, text=off)
            return
        before = self.text_before(ctx)
        ours = self.edited(text, ctx) if text == before else text
        yield Edit(configmap=self.configmap, key=self.key, expected=ours, text=self.unedited(ours, before, ctx))

    def unedited(self, text: str, before: str, ctx: Context) -> str:
        if text == self.edited(before, ctx):
            return before
        if self.edit == "saving-off":
            return redis_conf.switch_saving_back(text, before)
        return redis_conf.switch_saving_off(text)

    def text_before(self, ctx: Context) -> str:
        return text_of(cast(ConfigMapPicture, self.picture(ctx.before))) or ""

    def shell(self, tool: str) -> tuple[str, ...]:
        what = 'save "" and appendonly no' if self.edit == "saving-off" else "the save lines and appendonly as they were"
        return (f"{tool} edit configmap/{self.configmap}   # {what}",)



def text_of(picture: ConfigMapPicture) -> str | None:
    return picture.configmap.text if picture.configmap else None


def saving_lines(text: str) -> list[tuple[str, str]]:
    return [line for line in redis_conf.directives(text) if line[0] in ("save", "appendonly")]


def has_content(file: FileSeen | None) -> bool:
    return file is not None and file.size_bytes > 0
