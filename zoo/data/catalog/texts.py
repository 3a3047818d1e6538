"""Texts known by name."""

from __future__ import annotations

from zoo.cards import DatasetCard, RemoteFile
from zoo.data.catalog.pinned import github

_ADJUSTABLE = ("words", "vocabulary")

CARDS = (
    DatasetCard(
        name="imdb",
        loader="zoo.data.known.texts:load_imdb",
        kind="text",
        task="binary",
        summary="film reviews, negative or positive",
        samples=50_000,
        test_samples=25_000,
        labels=("neg", "pos"),
        source="A. Maas et al., Learning word vectors for sentiment analysis (ACL 2011), "
        "https://ai.stanford.edu/~amaas/data/sentiment/",
        licence="none stated; free for research with citation",
        files=(
            RemoteFile(
                name="imdb.csv.gz",
                sha256="67d53f9c89307a4e0304bc89f49ebc0bb2fa2045b225569888d45c49fa47310b",
                bytes=25_747_732,
                urls=(),
            ),
        ),
        adjustable=_ADJUSTABLE,
    ),
    DatasetCard(
        name="sms_spam",
        loader="zoo.data.known.own:load_own",
        kind="text",
        task="binary",
        summary="short messages, wanted or spam",
        samples=5_574,
        labels=("ham", "spam"),
        source="T. Almeida, J. Hidalgo, UCI SMS Spam Collection, https://archive.ics.uci.edu/dataset/228",
        licence="CC BY 4.0",
        place="text/sms_spam",
        path="sms.tsv",
        files=github(
            "justmarkham/pycon-2016-tutorial",
            "5339710562cc46c4a32a369d63f1e8751a18a54e",
            "data",
            ("sms.tsv", "7d039a24a6083ed9ef0f806ebad56bbb976e3aeb8de05669173bfdc4996c239d", 477_907),
        ),
        options={"words": 64},
        adjustable=_ADJUSTABLE,
    ),
    DatasetCard(
        name="trec",
        loader="zoo.data.known.texts:load_trec",
        kind="text",
        task="multiclass",
        summary="questions by what they ask for",
        samples=5_952,
        test_samples=500,
        labels=("description", "entity", "abbreviation", "human", "location", "number"),
        source="X. Li, D. Roth, Learning question classifiers (COLING 2002), https://cogcomp.seas.upenn.edu/Data/QA/QC/",
        licence="none stated; free for research with citation",
        place="text/trec",
        files=github(
            "AcademiaSinicaNLPLab/sentiment_dataset",
            "23c72429de5fb3d2f3da87bf2efb5559c15b78f7",
            "data",
            ("TREC.train.all", "c8183fd8c2a5cc4a9a1c56548d7c6410a8b71ed7843df9ef1f0a05cd7cf2fb3e", 292_402),
            ("TREC.test.all", "92a6a3cede5678b447ef5f1d7ec474134fcda211e6590e6fa627b4a2c68e4566", 19_479),
        ),
        options={"words": 32},
        adjustable=_ADJUSTABLE,
    ),
)
