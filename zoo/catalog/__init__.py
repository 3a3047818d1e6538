"""The recipes, as data: what `zoo train NAME` knows; one module for each kind of data."""

from __future__ import annotations

from zoo.cards import RecipeCard
from zoo.catalog import anomalies, forecasts, images, masks, scenes, series, sounds, tables, texts
from zoo.registry import Registry

RECIPES: Registry[RecipeCard] = Registry("recipe", hint="; see: zoo list")

for _module in (images, masks, scenes, tables, series, sounds, texts, forecasts, anomalies):
    for _card in _module.CARDS:
        RECIPES.add(_card.name, _card)
