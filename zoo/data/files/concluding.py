"""What a reader of labelled files hands back: what was found, what was inferred, and how to load it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from zoo.cards import Kind
from zoo.data.dataset import Raw
from zoo.data.files.labelling import Labelled
from zoo.data.findings import Finding, errors
from zoo.data.options import DataConfig, given_options
from zoo.data.own import Reading, Request
from zoo.data.references import resolve_indices
from zoo.errors import DataError


def reading(
    request: Request,
    kind: Kind,
    labelled: Labelled | None,
    findings: Sequence[Finding],
    facts: Mapping[str, Any],
    load: Callable[[], Raw] | None = None,
    *,
    form: str = "",
    **inferred: object,
) -> Reading:
    """A reading with the schema that reads new files as these were.

    Args:
        request: As it was made.
        kind: Of the samples.
        labelled: Their targets; None where there is no sample.
        findings: All of them.
        facts: For `zoo data check`; empty ones are left out.
        load: Makes the arrays; None where findings keep that from being done.
        form: Of the data; by default the kind's name.
        **inferred: Knobs of the data as they were found out, so that new files do not change the model's input.
    """
    config = request.config
    options: dict[str, Any] = {name: getattr(config, name) for name in given_options(config, list(vars(DataConfig())))}
    options = {**resolve_indices(options), **inferred}
    if labelled is not None:
        options["task"] = labelled.task
    return Reading(
        path=request.path,
        form=form or kind,
        kind=kind,
        task=None if labelled is None else labelled.task,
        findings=tuple(findings),
        facts={key: value for key, value in facts.items() if value},
        schema=replace(
            request.schema,
            options=options,
            labels=() if labelled is None or labelled.task == "regression" else labelled.labels,
        ),
        load=load or _no_load,
    )


def nothing(
    request: Request, kind: Kind, what: str, expected: str, findings: Sequence[Finding], ignored: Mapping[str, int]
) -> Reading:
    """The reading of a folder or list without a single sample: the findings say why, or that there is none.

    Args:
        request: As it was made.
        kind: Of the samples.
        what: Their noun: "image".
        expected: What would have been read.
        findings: So far.
        ignored: Suffix to the number of files of another kind.
    """
    none = Finding("error", f"{request.path} holds no {what}; expected {expected}")
    told = findings if errors(findings) else (none, *findings)
    form = "images" if kind == "image" else kind
    found = reading(request, kind, None, told, {"ignored": dict(ignored)}, form=form)
    return replace(found, facts={f"{what}s": 0, **found.facts}, schema=request.schema)


def _no_load() -> Raw:
    raise DataError("there is nothing to load")
