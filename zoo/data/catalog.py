"""The data sets the zoo knows by name, as data: no framework, no numpy."""

from __future__ import annotations

from zoo.cards import DatasetCard, RemoteFile
from zoo.registry import Registry

DATASETS: Registry[DatasetCard] = Registry("data set", entry_points="zoo.datasets", hint="; see: zoo data list")

_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_ZALANDO = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/"
    "b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/"
)
_WAND = "https://raw.githubusercontent.com/nanguoyu/Magic_Wand_Data/18618c54c10602076e10441ddc7f9082065c617a/data/"
_UEA = (
    "https://raw.githubusercontent.com/aeon-toolkit/aeon/a101ddc8b35a65441609b45c9bcce5aeafa0c131/aeon/datasets/data/"
)
_DIGIT_LABELS = tuple(str(digit) for digit in range(10))
_IN_SKLEARN = "carried by scikit-learn"


def _idx_file(name: str, sha256: str, size: int) -> RemoteFile:
    """One of Fashion-MNIST's four files; the checksums are those of its publisher's files."""
    return RemoteFile(name=name, sha256=sha256, bytes=size, urls=(_KERAS + name, _ZALANDO + name))


_CARDS = (
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
        name="iris",
        loader="zoo.data.known.tables:load_iris",
        kind="table",
        task="multiclass",
        summary="three species of iris from four measures of the flower, in cm",
        samples=150,
        shape=(4,),
        labels=("setosa", "versicolor", "virginica"),
        source=f"R. A. Fisher (1936), UCI Iris, {_IN_SKLEARN}",
        licence="CC BY 4.0",
    ),
    DatasetCard(
        name="wine",
        loader="zoo.data.known.tables:load_wine",
        kind="table",
        task="multiclass",
        summary="three cultivars from 13 chemical measures of the wine",
        samples=178,
        shape=(13,),
        labels=("class_0", "class_1", "class_2"),
        source=f"S. Aeberhard, M. Forina, UCI Wine, {_IN_SKLEARN}",
        licence="CC BY 4.0",
    ),
    DatasetCard(
        name="breast-cancer",
        loader="zoo.data.known.tables:load_breast_cancer",
        kind="table",
        task="binary",
        summary="malignant or benign from 30 measures of cell nuclei",
        samples=569,
        shape=(30,),
        labels=("malignant", "benign"),
        source=f"W. Wolberg, W. Street, O. Mangasarian, UCI Breast Cancer Wisconsin (Diagnostic), {_IN_SKLEARN}",
        licence="CC BY 4.0",
    ),
    DatasetCard(
        name="diabetes",
        loader="zoo.data.known.tables:load_diabetes",
        kind="table",
        task="regression",
        summary="progression of diabetes after one year from ten measures of the patient, in their own units",
        samples=442,
        shape=(10,),
        labels=("progression",),
        source=f"B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, Least Angle Regression (2004), {_IN_SKLEARN}",
        licence="not stated by its authors; distributed by scikit-learn (BSD-3-Clause)",
    ),
    DatasetCard(
        name="wisdm51_watch",
        loader="zoo.data.known.series:load_wisdm51_watch",
        kind="series",
        task="multiclass",
        summary="18 activities from the accelerometer of a watch, 5 s at 20 Hz; ten people are tested on",
        samples=30_173,
        test_samples=6_541,
        shape=(100, 3),
        labels=(
            "walking",
            "jogging",
            "stairs",
            "sitting",
            "standing",
            "typing",
            "teeth",
            "soup",
            "chips",
            "pasta",
            "drinking",
            "sandwich",
            "kicking",
            "catch",
            "dribbling",
            "writing",
            "clapping",
            "folding",
        ),
        source="G. Weiss, WISDM Smartphone and Smartwatch Activity, UCI 507, https://archive.ics.uci.edu/dataset/507",
        licence="CC BY 4.0",
        files=(
            RemoteFile(
                name="wisdm51_watch_accel_windows.npz",
                sha256="362d31c57cbd704d9ad9b80c20e8c57bf53aca9e3bc51e26f214a4b4edead575",
                bytes=26_753_361,
                urls=(),
            ),
        ),
    ),
    DatasetCard(
        name="magic_wand",
        loader="zoo.data.known.series:load_magic_wand",
        kind="series",
        task="multiclass",
        summary="five gestures with a wand from acceleration and rotation, 119 steps",
        samples=125,
        test_samples=25,
        shape=(119, 6),
        labels=("AlohomoraCharm", "ArrestoMomentumCharm", "AvadaKedavra", "LocomotorCharm", "Revelio"),
        source="N. Guo, https://github.com/nanguoyu/Magic_Wand_Data",
        licence="MIT",
        place="magic_wand/data",
        files=(
            RemoteFile(
                name="train/AlohomoraCharm.csv",
                sha256="463b001e4189bec8753858e2fadb27b0f090703f42ad52ea78a97f41b6ca3036",
                bytes=248_391,
                urls=(f"{_WAND}train/AlohomoraCharm.csv",),
            ),
            RemoteFile(
                name="train/ArrestoMomentumCharm.csv",
                sha256="40a9e5e90218bc978b16f0dc53e27e12585cb88bb495b6d79408c1e9d63dc9e3",
                bytes=225_728,
                urls=(f"{_WAND}train/ArrestoMomentumCharm.csv",),
            ),
            RemoteFile(
                name="train/AvadaKedavra.csv",
                sha256="553a76f01b93f4f0ea409307f0aa481ab62fb78c3c3bb938117003170f56d6e1",
                bytes=276_716,
                urls=(f"{_WAND}train/AvadaKedavra.csv",),
            ),
            RemoteFile(
                name="train/LocomotorCharm.csv",
                sha256="e7873cb5f92371a159d9286299368be0cbb65570a4439d1ca3ea633374ba9594",
                bytes=241_888,
                urls=(f"{_WAND}train/LocomotorCharm.csv",),
            ),
            RemoteFile(
                name="train/Revelio.csv",
                sha256="dc4b91802a1922e6198b772c4d7592bd9df6dcf96a12d684078ea3d64fd117b9",
                bytes=268_724,
                urls=(f"{_WAND}train/Revelio.csv",),
            ),
            RemoteFile(
                name="test/AlohomoraCharm.csv",
                sha256="b4cd2efd581a1d3aace6724e18716e335baca7a2b2a7419992fb093633517e85",
                bytes=76_681,
                urls=(f"{_WAND}test/AlohomoraCharm.csv",),
            ),
            RemoteFile(
                name="test/ArrestoMomentumCharm.csv",
                sha256="3e334b3501ace2bf65019a6f4e4c00150033760a00b46dc69aa836ae94a97543",
                bytes=88_860,
                urls=(f"{_WAND}test/ArrestoMomentumCharm.csv",),
            ),
            RemoteFile(
                name="test/AvadaKedavra.csv",
                sha256="8ea88e94f7af31448a8353a36acb40d005bea6330fa0c285f677b9484a9bb839",
                bytes=23_844,
                urls=(f"{_WAND}test/AvadaKedavra.csv",),
            ),
            RemoteFile(
                name="test/LocomotorCharm.csv",
                sha256="0c89e3115b53de728fafeb9e05785987fe2117a8deca86af47ac5ce46dd28fad",
                bytes=76_357,
                urls=(f"{_WAND}test/LocomotorCharm.csv",),
            ),
            RemoteFile(
                name="test/Revelio.csv",
                sha256="ed9cf8eaa5c1413d5a562798946b1ca300a41ea16fd122e359aef5ea66e731ab",
                bytes=50_637,
                urls=(f"{_WAND}test/Revelio.csv",),
            ),
        ),
    ),
    DatasetCard(
        name="basic_motions",
        loader="zoo.data.known.series:load_set",
        kind="series",
        task="multiclass",
        summary="standing, running, walking or badminton from the sensors of a watch, 10 s at 10 Hz",
        samples=80,
        test_samples=40,
        shape=(100, 6),
        labels=("Standing", "Running", "Walking", "Badminton"),
        source="J. Clements, UEA archive, https://www.timeseriesclassification.com/description.php?Dataset=BasicMotions",
        licence="research use with citation (Bagnall et al., arXiv:1811.00075)",
        place="ucr/BasicMotions",
        files=(
            RemoteFile(
                name="BasicMotions_TRAIN.ts",
                sha256="8dc43cc6306cb679c888c01e26f91772ac4441a916da43bac8b79734a538b9d6",
                bytes=227_790,
                urls=(f"{_UEA}BasicMotions/BasicMotions_TRAIN.ts",),
            ),
            RemoteFile(
                name="BasicMotions_TEST.ts",
                sha256="79213102bc6fca1a398ad98ce1185dff0208fa3d1465e687f48288946b0ff8dc",
                bytes=227_713,
                urls=(f"{_UEA}BasicMotions/BasicMotions_TEST.ts",),
            ),
        ),
    ),
    DatasetCard(
        name="japanese_vowels",
        loader="zoo.data.known.series:load_set",
        kind="series",
        task="multiclass",
        summary="nine speakers by 12 coefficients of two vowels, 7 to 29 steps",
        samples=640,
        test_samples=370,
        shape=(29, 12),
        labels=("1", "2", "3", "4", "5", "6", "7", "8", "9"),
        source="M. Kudo, J. Toyama, M. Shimbo, https://archive.ics.uci.edu/dataset/128/japanese+vowels",
        licence="research use with citation (Bagnall et al., arXiv:1811.00075)",
        place="ucr/JapaneseVowels",
        files=(
            RemoteFile(
                name="JapaneseVowels_TRAIN.ts",
                sha256="68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd",
                bytes=487_971,
                urls=(f"{_UEA}JapaneseVowels/JapaneseVowels_TRAIN.ts",),
            ),
            RemoteFile(
                name="JapaneseVowels_TEST.ts",
                sha256="b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462",
                bytes=649_132,
                urls=(f"{_UEA}JapaneseVowels/JapaneseVowels_TEST.ts",),
            ),
        ),
    ),
)

for _card in _CARDS:
    DATASETS.add(_card.name, _card)
