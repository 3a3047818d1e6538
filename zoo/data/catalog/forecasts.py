"""Series known by name, to forecast: a table of steps with its times; the last fifth is tested on."""

from __future__ import annotations

from zoo.cards import DatasetCard
from zoo.data.catalog.pinned import github

_ADJUSTABLE = ("horizon", "window", "hop", "season", "target", "columns", "drop", "target_transform")
_CLASSIC = ("jbrownlee/Datasets", "d20fcb6402ae34e653d4513b00f39257bb37ed7f")
_ETT = ("zhouhaoyi/ETDataset", "1d16c8f4f943005d613b5bc962e9eeb06058cf07")


def _steps(column: str, horizon: int) -> tuple[str, ...]:
    return tuple(f"{column}+{step + 1}" for step in range(horizon))


CARDS = (
    DatasetCard(
        name="airline",
        loader="zoo.data.known.own:load_own",
        kind="series",
        task="regression",
        summary="passengers of airlines by month, 1949 to 1960, in thousands; a year is forecast from two",
        samples=87,
        test_samples=18,
        shape=(24, 1),
        labels=_steps("Passengers", 12),
        source="G. Box, G. Jenkins, Time Series Analysis (1970), series G, https://github.com/jbrownlee/Datasets",
        licence="not stated",
        place="timeseries",
        path="airline-passengers.csv",
        options={"horizon": 12, "window": 24},
        adjustable=_ADJUSTABLE,
        files=github(
            *_CLASSIC,
            "",
            ("airline-passengers.csv", "8cb51be753a718d9be5d76d7e238cc224792754676adc21faa59e954b0201621", 2_180),
        ),
    ),
    DatasetCard(
        name="sunspots",
        loader="zoo.data.known.own:load_own",
        kind="series",
        task="regression",
        summary="number of sunspots by month, 1749 to 1983; a year is forecast from eight",
        samples=2_691,
        test_samples=553,
        shape=(96, 1),
        labels=_steps("Sunspots", 12),
        source="D. Andrews, A. Herzberg, Data (1985), https://github.com/jbrownlee/Datasets",
        licence="not stated",
        place="timeseries",
        path="monthly-sunspots.csv",
        options={"horizon": 12, "window": 96},
        adjustable=_ADJUSTABLE,
        files=github(
            *_CLASSIC,
            "",
            ("monthly-sunspots.csv", "c4ec8cc57d9f6fb6ecdb3e1f37f25b6f4badd5124c55931052b0cd2fc3bc71f3", 45_039),
        ),
    ),
    DatasetCard(
        name="temperatures",
        loader="zoo.data.known.own:load_own",
        kind="series",
        task="regression",
        summary="lowest temperature of each day in Melbourne, 1981 to 1990, in °C; a week is forecast from four",
        samples=3_542,
        test_samples=696,
        shape=(28, 1),
        labels=_steps("Temp", 7),
        source="Australian Bureau of Meteorology, https://github.com/jbrownlee/Datasets",
        licence="not stated",
        place="timeseries",
        path="daily-min-temperatures.csv",
        options={"horizon": 7, "window": 28},
        adjustable=_ADJUSTABLE,
        files=github(
            *_CLASSIC,
            "",
            ("daily-min-temperatures.csv", "8b9de63ed6789492bf497625e7f9beb96a63d367b4b0a21754006f749fa5e5da", 67_921),
        ),
    ),
    DatasetCard(
        name="etth1",
        loader="zoo.data.known.own:load_own",
        kind="series",
        task="regression",
        summary="oil temperature (OT) and load of an electric transformer by hour, 2016 to 2018; a day is forecast",
        samples=17_255,
        test_samples=3_461,
        shape=(96, 7),
        labels=_steps("OT", 24),
        source="H. Zhou et al., Informer, arXiv:2012.07436, https://github.com/zhouhaoyi/ETDataset",
        licence="CC BY-ND 4.0",
        place="timeseries",
        path="ETTh1.csv",
        options={"horizon": 24, "window": 96, "target": "OT"},
        adjustable=_ADJUSTABLE,
        files=github(
            *_ETT,
            "ETT-small",
            ("ETTh1.csv", "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066", 2_589_657),
        ),
    ),
)
