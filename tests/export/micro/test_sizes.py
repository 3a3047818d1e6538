from __future__ import annotations

import pytest

from export.micro import check_budget, parse_size
from zoo.errors import GateError, UsageError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64k", 65536),
        ("64kB", 65536),
        ("1.5M", 1572864),
        ("2 MiB", 2097152),
        ("4096", 4096),
        (100, 100),
        ("16K", 16384),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "k", "-1", "64x", "0", "0.0001k", "1e3", "nan", "64 k b"])
def test_what_is_no_size_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"--max-flash .* is no size; give bytes, or such as 64k"):
        parse_size(text, "--max-flash")


def test_a_budget_that_is_kept_says_nothing() -> None:
    check_budget(65536, 2048, 65536, 2048)
    check_budget(10**9, None)
    check_budget(10**9, None, None, 1)


def test_both_figures_of_a_budget_that_is_not_kept_are_told() -> None:
    with pytest.raises(GateError) as caught:
        check_budget(70000, 40000, 65536, 32768)
    assert caught.value.exit_code == 7
    for figure in ("70,000 bytes", "65,536 bytes (64.0 kB)", "40,000 bytes", "32,768 bytes", "measured on the host"):
        assert figure in str(caught.value)
    with pytest.raises(GateError) as caught:
        check_budget(70000, 40000, 65536, 65536)
    assert "arena" not in str(caught.value).split(";")[0]
