"""Images with masks known by name."""

from __future__ import annotations

from zoo.cards import DatasetCard, Tree

CARDS = (
    DatasetCard(
        name="membranes",
        loader="zoo.data.known.masks:load_membranes",
        kind="image",
        task="segmentation",
        summary="membranes of nerve cells under an electron microscope, 512x512 grey; tested on the last six sections",
        samples=30,
        test_samples=6,
        shape=(512, 512, 1),
        labels=("membrane", "inside"),
        source="ISBI 2012 EM segmentation challenge (Cardona et al., PLoS Biology 8, 2010), github.com/zhixuhao/unet",
        licence="research use with citation",
        place="segmentation",
        tree=Tree(
            suffix=".png",
            files=60,
            bytes=6_493_197,
            sha256="e82ced2765584d5d4a4ace0484518fa7a6ca64d0f9a3c116befbce08aac96cd0",
        ),
        options={"mask_labels": "membrane,inside"},
        adjustable=("tile", "image_size"),
    ),
)
