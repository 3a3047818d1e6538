"""Images known by name."""

from __future__ import annotations

from zoo.cards import DatasetCard, RemoteFile, Tree

_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_ZALANDO = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/"
    "b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/"
)
_DIGIT_LABELS = tuple(str(digit) for digit in range(10))
_IN_SKLEARN = "carried by scikit-learn"


def _idx_file(name: str, sha256: str, size: int) -> RemoteFile:
    """One of Fashion-MNIST's four files; the checksums are those of its publisher's files."""
    return RemoteFile(name=name, sha256=sha256, bytes=size, urls=(_KERAS + name, _ZALANDO + name))


CARDS = (
    DatasetCard(
        name="mnist",
        loader="zoo.data.known.images:load_mnist",
        kind="image",
        task="multiclass",
        summary="handwritten digits, 28x28 grey",
        samples=70_000,
        test_samples=10_000,
        shape=(28, 28),
        labels=_DIGIT_LABELS,
        source="Y. LeCun, C. Cortes, C. Burges, http://yann.lecun.com/exdb/mnist/",
        licence="CC BY-SA 3.0",
        files=(
            RemoteFile(
                name="mnist.npz",
                sha256="731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
                bytes=11_490_434,
                urls=(_KERAS + "mnist.npz",),
            ),
        ),
        content_sha256="52cd6c10ae77107af32269dd9d10ca19c1b749e83235a0c75e2f0729ebeaf141",
    ),
    DatasetCard(
        name="fashion_mnist",
        loader="zoo.data.known.images:load_fashion_mnist",
        kind="image",
        task="multiclass",
        summary="pictures of clothing, 28x28 grey",
        samples=70_000,
        test_samples=10_000,
        shape=(28, 28),
        labels=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        source="Zalando SE, https://github.com/zalandoresearch/fashion-mnist",
        licence="MIT",
        files=(
            _idx_file(
                "train-images-idx3-ubyte.gz",
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                26_421_880,
            ),
            _idx_file(
                "train-labels-idx1-ubyte.gz",
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                29_515,
            ),
            _idx_file(
                "t10k-images-idx3-ubyte.gz",
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                4_422_102,
            ),
            _idx_file(
                "t10k-labels-idx1-ubyte.gz",
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                5_148,
            ),
        ),
        content_sha256="51bad0352284eacba9865b8317af0b9281dae4f52f7f667217f2ee65f7069790",
    ),
    DatasetCard(
        name="digits",
        loader="zoo.data.known.images:load_digits",
        kind="image",
        task="multiclass",
        summary="handwritten digits, 8x8 grey; the set's values of 0 to 16 are spread to pixels of 0 to 255",
        samples=1_797,
        shape=(8, 8),
        labels=_DIGIT_LABELS,
        source=f"E. Alpaydin, C. Kaynak, UCI Optical Recognition of Handwritten Digits (test part), {_IN_SKLEARN}",
        licence="CC BY 4.0",
    ),
    DatasetCard(
        name="flowers_mini",
        loader="zoo.data.known.own:load_own",
        kind="image",
        task="multiclass",
        summary="photographs of five flowers, the shorter side 160 pixels",
        samples=1_200,
        labels=("daisy", "dandelion", "roses", "sunflowers", "tulips"),
        source="TensorFlow flower_photos, 240 of each class, made smaller, https://www.tensorflow.org/datasets",
        licence="CC BY 2.0, by their photographers",
        tree=Tree(
            suffix=".jpg",
            files=1_200,
            bytes=15_887_799,
            sha256="053078744cc5654d672062aa53a43708e5d740cb9ce490408da31a54f9e223ea",
        ),
        options={"image_size": 96},
        adjustable=("image_size", "image_channels"),
    ),
)
