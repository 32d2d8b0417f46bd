"""Label and field selectors: parsed as the API server parses them, refused in its words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from orchestrator.rehearsal.apierrors import bad_request
from orchestrator.rehearsal.types import ResourceType

Predicate = Callable[[Mapping[str, Any]], bool]
Labels = Mapping[str, str]

TOKEN = re.compile(r"\s*(==|!=|=|!|\(|\)|,|<|>|[^\s=!(),<>]+)")
ALWAYS = ("metadata.name", "metadata.namespace")
MORE_FIELDS: Mapping[str, tuple[str, ...]] = {
    "Pod": (
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
        "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName",
    ),
    "Event": (
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
        "reason", "reportingComponent", "source", "type",
    ),
    "Secret": ("type",),
    "Namespace": ("status.phase",),
    "Node": ("spec.unschedulable",),
    "ReplicaSet": ("status.replicas",),
    "ReplicationController": ("status.replicas",),
    "Job": ("status.successful",),
    "Service": ("spec.clusterIP", "spec.type"),
}  # fmt: skip


def selects(rt: ResourceType, label_selector: str, field_selector: str) -> Predicate:
    """A predicate on objects. ApiError 400 for a selector the server does not understand."""
    by_label = parse_labels(label_selector) if label_selector.strip() else None
    by_field = parse_fields(rt, field_selector) if field_selector.strip() else None

    def matches(obj: Mapping[str, Any]) -> bool:
        if by_label is not None and not by_label(obj["metadata"].get("labels") or {}):
            return False
        return by_field is None or by_field(obj)

    return matches


def parse_labels(text: str) -> Callable[[Labels], bool]:
    """`a=b,c!=d,e in (f,g),!h,n>5` as a predicate on a map of labels."""
    tokens = _tokens(text)
    tests = [_requirement(tokens)]
    while tokens:
        _expect(tokens, ",")
        tests.append(_requirement(tokens))
    return lambda labels: all(test(labels) for test in tests)


def _tokens(text: str) -> list[str]:
    found = TOKEN.findall(text)
    if "".join(found) != re.sub(r"\s", "", text):
        raise bad_request(f"unable to parse requirement: {text}")
    return list(found)


def _requirement(tokens: list[str]) -> Callable[[Labels], bool]:
    if tokens and tokens[0] == "!":
        tokens.pop(0)
        absent = _identifier(tokens)
        return lambda labels: absent not in labels
    key = _identifier(tokens)
    if not tokens or tokens[0] == ",":
        return lambda labels: key in labels
    return _comparison(key, tokens.pop(0), tokens)


def _comparison(key: str, operator: str, tokens: list[str]) -> Callable[[Labels], bool]:
    if operator in ("in", "notin"):
        values = _values(tokens)
        return lambda labels: (labels.get(key) in values) == (operator == "in")
    if operator in ("<", ">"):
        bound = _number(_identifier(tokens))
        return lambda labels: _beyond(labels.get(key), operator, bound)
    if operator not in ("=", "==", "!="):
        raise bad_request(
            f"unable to parse requirement: found '{operator}', expected: in, notin, =, ==, !=, gt, lt"
        )
    value = _identifier(tokens) if tokens and tokens[0] != "," else ""
    return lambda labels: (labels.get(key) == value) == (operator != "!=")


def _identifier(tokens: list[str]) -> str:
    if not tokens or not re.match(r"[\w./-]", tokens[0]):
        raise bad_request(
            f"unable to parse requirement: found '{tokens[0] if tokens else ''}', expected: identifier"
        )
    return tokens.pop(0)


def _values(tokens: list[str]) -> set[str]:
    _expect(tokens, "(")
    values = {_identifier(tokens)}
    while tokens and tokens[0] == ",":
        tokens.pop(0)
        values.add(_identifier(tokens))
    _expect(tokens, ")")
    return values


def _expect(tokens: list[str], wanted: str) -> None:
    found = tokens.pop(0) if tokens else ""
    if found != wanted:
        raise bad_request(f"unable to parse requirement: found '{found}' expected: '{wanted}'")


def _number(text: str) -> int:
    if not text.lstrip("-").isdigit():
        raise bad_request(
            f"unable to parse requirement: for 'Gt', 'Lt' operators, the value must be an integer: {text}"
        )
    return int(text)


def _beyond(value: str | None, operator: str, bound: int) -> bool:
    if value is None or not value.lstrip("-").isdigit():
        return False
    return int(value) > bound if operator == ">" else int(value) < bound


def parse_fields(rt: ResourceType, text: str) -> Predicate:
    """`metadata.name=a,status.phase!=Running` as a predicate on objects of `rt`."""
    tests = list(_field_tests(rt, text))
    return lambda obj: all((_field(obj, path) == value) == equal for path, value, equal in tests)


def _field_tests(rt: ResourceType, text: str) -> Iterator[tuple[str, str, bool]]:
    for part in filter(None, text.split(",")):
        found = re.fullmatch(r"([^=!]+?)(==|!=|=)(.*)", part)
        if found is None:
            raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
        path, operator, value = found.groups()
        if path not in ALWAYS + MORE_FIELDS.get(rt.kind, ()):
            raise _unknown_field(rt, path)
        yield path, value, operator != "!="


def _unknown_field(rt: ResourceType, path: str) -> Exception:
    if rt.kind not in MORE_FIELDS and not rt.custom:
        return bad_request(
            f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'
        )
    return bad_request(f"field label not supported: {path}")


def _field(obj: Mapping[str, Any], path: str) -> str:
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def selector_text(selector: Mapping[str, Any] | None) -> str:
    """A LabelSelector (or a plain map of labels) as text: `a=b,z notin (q)`."""
    selector = selector or {}
    labels = selector.get("matchLabels") or {}
    if not ({"matchLabels", "matchExpressions"} & selector.keys()):
        labels = selector
    parts = [f"{key}={value}" for key, value in sorted(labels.items())]
    parts += [_expression(item) for item in selector.get("matchExpressions") or []]
    return ",".join(parts)


def _expression(item: Mapping[str, Any]) -> str:
    key, operator = item["key"], item["operator"]
    if operator == "Exists":
        return str(key)
    if operator == "DoesNotExist":
        return f"!{key}"
    return f"{key} {operator.lower()} ({','.join(sorted(item.get('values') or []))})"


def matches_selector(selector: Mapping[str, Any] | None, labels: Labels) -> bool:
    """Whether a LabelSelector (or a plain map) selects these labels; an empty one selects all."""
    text = selector_text(selector)
    return parse_labels(text)(labels) if text else True
