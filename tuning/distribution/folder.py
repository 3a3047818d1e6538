"""What chief and workers leave for each other in the search's folder, besides the records of trials."""

from __future__ import annotations

import secrets
from pathlib import Path

from tuning.books import Books
from tuning.trial import Trial
from zoo.errors import DataError
from zoo.runs import read_json, write_json

WORKERS = "workers"
CHIEF = "chief.json"
OUTCOME = "outcome.json"


def write_token(search: Path) -> str:
    """A random word that tells this folder from any other; a chief that is started again has the same."""
    found = read_token(search)
    if found:
        return found
    token = secrets.token_hex(8)
    write_json(search / WORKERS / CHIEF, {"token": token})
    return token


def read_token(search: Path) -> str:
    """The folder's word; empty where it has none, or a damaged one."""
    try:
        content = read_json(search / WORKERS / CHIEF)
    except DataError:
        return ""
    return str(content.get("token", "")) if isinstance(content, dict) else ""


def write_outcome(books: Books, trial: Trial) -> None:
    """Leaves what became of a trial; its record is the chief's alone to write, who may have given it to another."""
    write_json(books.folder(trial) / OUTCOME, trial.to_json())


def read_outcome(books: Books, dealt: Trial) -> Trial | None:
    """What the worker of a running trial has left; None where there is nothing that counts.

    Args:
        books: Of the search.
        dealt: As the chief's record has it: an outcome of another worker or an earlier attempt does not count.
    """
    path = books.folder(dealt) / OUTCOME
    try:
        found = Trial.from_json(read_json(path), str(path))
    except DataError:  # none, or cut short by a machine that went down: then the trial is run again
        return None
    same = (found.id, found.worker, found.attempt) == (dealt.id, dealt.worker, dealt.attempt)
    return found if same and found.status != "running" else None


def remove_outcome(books: Books, trial: Trial) -> None:
    """Removes what the record now says."""
    (books.folder(trial) / OUTCOME).unlink(missing_ok=True)
