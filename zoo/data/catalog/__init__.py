"""The data sets the zoo knows by name, as data: no framework, no numpy; one module for each kind of data."""

from __future__ import annotations

from zoo.cards import DatasetCard
from zoo.data.catalog import forecasts, images, masks, scenes, series, sounds, tables, texts
from zoo.registry import Registry

DATASETS: Registry[DatasetCard] = Registry("data set", entry_points="zoo.datasets", hint="; see: zoo data list")

for _module in (images, masks, scenes, tables, series, forecasts, sounds, texts):
    for _card in _module.CARDS:
        DATASETS.add(_card.name, _card)
