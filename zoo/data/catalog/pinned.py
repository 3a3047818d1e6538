"""How files of known sets are pinned to where their publisher has them."""

from __future__ import annotations

from zoo.cards import RemoteFile


def github(
    repository: str, commit: str, folder: str, *files: tuple[str, str, int], name: str = ""
) -> tuple[RemoteFile, ...]:
    """Files of a repository at a commit, which can never change.

    Args:
        repository: owner/name.
        commit: Its hash.
        folder: Inside the repository.
        *files: Of each its name there, which is also its name in the set's folder, its sha256 and its bytes.
        name: In the set's folder, of a single file with another name there.
    """
    base = f"https://raw.githubusercontent.com/{repository}/{commit}/{folder}{'/' if folder else ''}"
    return tuple(
        RemoteFile(name=name or there, sha256=sha256, bytes=size, urls=(f"{base}{there}",))
        for there, sha256, size in files
    )
