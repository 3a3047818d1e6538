import shutil

import numpy as np
import pytest
from PIL import Image

from tests.zoo.data.shapes import folder, save, shapes
from zoo.data import load
from zoo.data.checking import check_data, fitting_builders
from zoo.errors import DataError, UsageError
from zoo.metrics import VOID

pytestmark = pytest.mark.usefixtures("home")


def problems(path, **options):
    return [found.message for found in check_data(path, **options).findings if found.severity == "error"]


def test_two_folders_of_equal_names_are_images_with_masks(tmp_path):
    data = load(folder(tmp_path / "my cells"), seed=0)
    assert data.input.shape == (24, 20, 3)
    assert (data.output.task, data.output.shape, data.output.labels) == (
        "segmentation",
        (24, 20, 3),
        ("background", "1", "2"),
    )
    drawn = {image.tobytes(): mask for image, mask in map(shapes, range(8))}
    assert np.array_equal(data.train.targets[:1][0], drawn[data.train.samples[:1][0].tobytes()])


def test_the_check_tells_pairs_sizes_and_shares(tmp_path):
    checked = check_data(folder(tmp_path / "cells", values=(0, 7, 200)))
    rows = {row["class"]: row for row in checked.facts["classes"]}
    assert checked.form == "masks"
    assert checked.facts["pairs"] == 8
    assert checked.facts["sizes"] == {"20x24": 8}
    assert [row["value"] for row in rows.values()] == [0, 7, 200]
    assert sum(row["share_of_pixels"] for row in rows.values()) == pytest.approx(1)
    assert fitting_builders(checked) == ["unet"]


@pytest.mark.parametrize(("images", "masks"), [("image", "label"), ("imgs", "Annotations"), ("Images", "gt")])
def test_the_folders_may_have_other_usual_names(tmp_path, images, masks):
    for seed in range(4):
        save(tmp_path / "cells", seed, *shapes(seed), images, masks)
    assert check_data(tmp_path / "cells").facts["pairs"] == 4


def test_masks_may_end_in_mask(tmp_path):
    root = folder(tmp_path / "cells", 4)
    for file in sorted((root / "masks").iterdir()):
        file.rename(file.with_name(f"{file.stem}_mask.png"))
    assert check_data(root).facts["pairs"] == 4


def test_split_folders_are_the_splits(tmp_path):
    for part, seeds in {"train": range(4), "val": range(4, 6), "test": range(6, 9)}.items():
        for seed in seeds:
            save(tmp_path / "cells" / part, seed, *shapes(seed))
    data = load(tmp_path / "cells", seed=0)
    assert data.identity.samples == {"train": 4, "validation": 2, "test": 3}


def test_splits_may_lie_inside_of_the_two_folders(tmp_path):
    for part, seeds in {"train": range(4), "val": range(4, 6), "test": range(6, 9)}.items():
        for seed in seeds:
            save(tmp_path / "cells", seed, *shapes(seed), f"images/{part}", f"masks/{part}")
    assert load(tmp_path / "cells", seed=0).identity.samples == {"train": 4, "validation": 2, "test": 3}


def test_validation_images_of_the_data_stay_out_of_the_test_split(tmp_path):
    for part, seeds in {"train": range(6), "val": range(6, 8)}.items():
        for seed in seeds:
            save(tmp_path / "cells" / part, seed, *shapes(seed))
    data = load(tmp_path / "cells", seed=0)
    held = [np.asarray(image).tobytes() for image in data.validation.samples[:]]
    assert held == [shapes(seed)[0].tobytes() for seed in (6, 7)]


def test_a_table_of_two_columns_of_files_is_read(tmp_path):
    root = folder(tmp_path / "cells", 6)
    lines = [f"images/{at}.png,masks/{at}.png,{'test' if at > 3 else 'train'}" for at in range(6)]
    (root / "index.csv").write_text("\n".join(["picture,mask,part", *lines]))
    data = load(root / "index.csv", seed=0, split="column:part")
    assert data.identity.samples == {"train": 3, "validation": 1, "test": 2}


def test_a_missing_file_of_a_table_is_named_with_its_line(tmp_path):
    root = folder(tmp_path / "cells", 4)
    lines = [f"images/{at}.png,masks/{at + (at == 2) * 90}.png" for at in range(4)]
    (root / "index.csv").write_text("\n".join(["image,mask", *lines]))
    (found,) = problems(root / "index.csv")
    assert "line 4" in found
    assert "92.png does not exist" in found


def test_an_image_without_a_mask_and_a_mask_without_an_image_are_both_named(tmp_path):
    root = folder(tmp_path / "cells")
    (root / "masks" / "3.png").unlink()
    (root / "images" / "5.png").unlink()
    found = problems(root)
    assert len(found) == 2
    assert "images/3.png has no mask" in found[0]
    assert "masks/5.png is a mask without an image" in found[1]


def test_a_mask_of_another_size_is_named_with_both_sizes(tmp_path):
    root = folder(tmp_path / "cells")
    Image.fromarray(np.zeros((9, 7), np.uint8)).save(root / "masks" / "2.png")
    (found,) = problems(root)
    assert "masks/2.png has 7x9 pixels" in found
    assert "images/2.png 20x24" in found


def test_damaged_files_are_named(tmp_path):
    root = folder(tmp_path / "cells")
    (root / "images" / "1.png").write_bytes(b"no picture")
    whole = (root / "masks" / "2.png").read_bytes()
    (root / "masks" / "2.png").write_bytes(whole[: len(whole) // 2])
    found = " ".join(problems(root))
    assert "images/1.png" in found
    assert "masks/2.png" in found


def test_a_coloured_mask_is_refused(tmp_path):
    root = folder(tmp_path / "cells")
    Image.fromarray(shapes(0)[0]).save(root / "masks" / "0.png")
    (found,) = problems(root)
    assert "masks/0.png is coloured" in found


def test_masks_of_one_value_are_refused(tmp_path):
    (found,) = problems(folder(tmp_path / "cells", values=(4, 4, 4)))
    assert "all masks have the value 4 alone" in found


def test_masks_with_soft_edges_are_refused_and_a_threshold_makes_two_classes_of_them(tmp_path):
    root = tmp_path / "cells"
    for seed in range(6):
        image, mask = shapes(seed, classes=2)
        soft = np.clip(mask * 150.0 + np.random.default_rng(seed).normal(20, 15, mask.shape), 0, 255)
        save(root, seed, image, soft.astype(np.uint8))
    (found,) = problems(root)
    assert "soft edges" in found
    assert "mask_threshold=128" in found
    data = load(root, seed=0, mask_threshold=128)
    assert data.output.labels == ("background", "foreground")
    assert set(np.unique(data.train.targets[:])) == {0, 1}
    assert "leaves a single class" in problems(root, mask_threshold=255)[0]


def test_classes_have_the_names_given(tmp_path):
    root = folder(tmp_path / "cells", values=(0, 9, 40))
    assert load(root, seed=0, mask_labels="sky,disc,square").output.labels == ("sky", "disc", "square")
    (found,) = problems(root, mask_labels="sky,disc")
    assert "2 names of classes (sky, disc), the masks have values 0, 9, 40" in found


def test_palette_masks_are_read_by_their_indices(tmp_path):
    root = tmp_path / "cells"
    colours = [[0, 0, 0], [128, 0, 0], [0, 128, 0]]
    for seed in range(4):
        image, mask = shapes(seed)
        save(root, seed, image, mask)
        painted = Image.fromarray(mask)
        painted.putpalette([part for colour in colours for part in colour])
        painted.save(root / "masks" / f"{seed}.png")
    data = load(root, seed=0)
    assert data.contract()["output"]["values"] == [0, 1, 2]
    assert data.contract()["output"]["palette"] == colours


def test_too_few_images_for_three_splits_are_refused(tmp_path):
    (found,) = problems(folder(tmp_path / "cells", 2))
    assert "2 images with a mask; expected at least 3" in found


def test_images_of_several_sizes_need_a_tile_or_a_size(tmp_path):
    root = folder(tmp_path / "cells", 4)
    save(root, 9, *shapes(9, size=(40, 30)))
    (found,) = problems(root)
    assert "tile=N" in found
    assert "image_size=N" in found
    assert load(root, seed=0, tile=16).input.shape == (16, 16, 3)
    assert load(root, seed=0, image_size=32).output.shape == (32, 32, 3)


def test_tiles_of_an_image_stay_in_one_split_and_each_pixel_is_measured_once(tmp_path):
    root = folder(tmp_path / "cells", 10, size=(40, 33), colour=False)
    data = load(root, seed=0, tile=16)
    assert data.contract()["input"]["tiles"] is True
    measured = sum(int((split.targets[:] != VOID).sum()) for split in (data.validation, data.test))
    images = {"train": 7, "validation": 1, "test": 2}
    each = data.identity.samples["test"] // 2
    assert data.identity.samples == {part: count * each for part, count in images.items()}
    assert measured == 3 * 40 * 33
    assert (data.train.targets[:] != VOID).all()


def test_a_tile_larger_than_an_image_is_refused(tmp_path):
    (found,) = problems(folder(tmp_path / "cells"), tile=32)
    assert "tile = 32 is larger than an image, whose shorter side has 20 pixels" in found


def test_a_group_of_images_stays_in_one_split(tmp_path):
    root = tmp_path / "cells"
    for seed in range(12):
        save(root, f"patient{seed // 3}_{seed}", *shapes(seed))
    data = load(root, seed=0, group_from=r"(patient\d)")
    assert data.identity.samples == {"train": 6, "validation": 3, "test": 3}


def test_options_of_other_data_are_refused(tmp_path):
    root = folder(tmp_path / "cells", 4)
    with pytest.raises(UsageError, match="columns: no option of images with masks"):
        check_data(root, columns="a")
    with pytest.raises(UsageError, match="tile = 16 cuts images as they are"):
        check_data(root, tile=16, image_size=16)


def test_tile_is_no_option_of_plain_images(tmp_path):
    for name in ("cat", "dog"):
        for seed in range(4):
            save(tmp_path / "pets", seed + 10 * (name == "dog"), shapes(seed)[0], shapes(seed)[1], name, "aside")
    shutil.rmtree(tmp_path / "pets" / "aside")
    with pytest.raises(UsageError, match="tile: of masks"):
        check_data(tmp_path / "pets", tile=16)


def test_a_changed_mask_is_read_anew_and_an_unchanged_set_is_not(tmp_path, home):
    root = folder(tmp_path / "cells", 4)
    first = load(root, seed=0)
    (entry,) = [path for path in (home / "cache").iterdir() if path.is_dir()]
    written = (entry / "samples.npy").stat().st_mtime_ns
    assert load(root, seed=0).identity.sha256 == first.identity.sha256
    assert (entry / "samples.npy").stat().st_mtime_ns == written
    save(root, 2, *shapes(77))
    assert load(root, seed=0).identity.sha256 != first.identity.sha256


def test_the_written_schema_reads_the_data_the_same_way(tmp_path):
    from zoo.data.schema import write_schema

    root = folder(tmp_path / "my cells", 6, size=(40, 33), colour=False)
    checked = check_data(root, tile=16, mask_labels="sky,disc,square")
    write_schema(tmp_path / "data.toml", checked.schema)
    data = load(str(tmp_path / "data.toml"), seed=0)
    assert data.output.shape == (16, 16, 3)
    assert data.output.labels == ("sky", "disc", "square")


def test_test_data_of_the_same_form_are_the_test_split(tmp_path):
    root = folder(tmp_path / "cells", 6)
    for seed in (20, 21):
        save(tmp_path / "others", seed, *shapes(seed))
    data = load(root, seed=0, test_data=str(tmp_path / "others"))
    assert data.identity.samples == {"train": 5, "validation": 1, "test": 2}
    with pytest.raises(DataError, match="holds no images with masks"):
        load(root, seed=0, test_data=str(tmp_path))
