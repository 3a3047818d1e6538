"""Images with objects to find, known by name."""

from __future__ import annotations

from zoo.cards import DatasetCard

CARDS = (
    DatasetCard(
        name="digit_scenes",
        loader="zoo.data.known.scenes:load_digit_scenes",
        kind="image",
        task="detection",
        summary="1 to 5 handwritten digits on an uneven, noisy canvas, 96x96 grey; composed by a seed, "
        "no digit is in two splits",
        samples=5_000,
        test_samples=600,
        shape=(96, 96),
        labels=tuple(str(digit) for digit in range(10)),
        source="composed of E. Alpaydin, C. Kaynak, UCI Optical Recognition of Handwritten Digits (in scikit-learn)",
        licence="CC BY 4.0",
    ),
)
