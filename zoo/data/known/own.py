"""Known sets whose files are read as a user's own are: what is said of those stands on the card here."""

from __future__ import annotations

from dataclasses import replace

from zoo.data.dataset import Raw
from zoo.data.known import files
from zoo.data.loading import LoadRequest
from zoo.data.own import load_path


def load_own(request: LoadRequest) -> Raw:
    """The set's file or folder, with the options of its card.

    Raises:
        DataError: No file, or a damaged one.
    """
    return replace(load_named(request), names=())


def load_named(request: LoadRequest) -> Raw:
    """The same with the name of each sample, for what is told from it."""
    folder = files.load(request.card, request.on_event)
    raw = load_path(folder / request.card.path, request.config, on_event=request.on_event)
    return replace(raw, findings=())
