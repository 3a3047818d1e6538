import pytest

from zoo.reporting.summary import show, verdict
from zoo.runs import Manifest


def manifest(network, baselines, metric="accuracy", test=10_000, **changes):
    return Manifest(
        name="run",
        builder="mlp",
        seed=0,
        metrics={"test": {metric: network}},
        baselines={name: {metric: value} for name, value in baselines.items()},
        data={"name": "mnist", "samples": {"train": 54_000, "test": test}} | changes,
    )


@pytest.mark.parametrize(
    ("network", "baselines", "said"),
    [
        (
            0.9890,
            {"majority": 0.11, "logistic": 0.922},
            "The network beats the logistic model by 6.7 points of accuracy on the test split (98.90 % against",
        ),
        (0.9890, {"majority": 0.11, "logistic": 0.9885}, "The logistic model is as good: accuracy 98.85 %"),
        (0.9890, {"majority": 0.11, "logistic": 0.9895}, "the network buys nothing here."),
        (0.90, {"logistic": 0.95}, "The logistic model beats the network by 5.0 points of accuracy"),
        (0.10, {"majority": 0.35, "logistic": None}, "The majority class beats the network by 25.0 points"),
        (0.99, {}, "No verdict: there is no baseline"),
        (None, {"logistic": 0.9}, "No verdict: the run is running"),
    ],
)
def test_the_sentence_says_whether_the_network_buys_anything(network, baselines, said):
    sentence = verdict(manifest(network, baselines))
    assert said in sentence
    assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("network", "baselines", "said"),
    [
        (
            1.9,
            {"mean": 3.0, "seasonal_naive": 2.75, "linear": 2.0},
            "MAE 1.9 on the test split; the network is better than the linear model by 5.0 % (2) and the "
            "seasonal-naive forecast by 30.9 % (2.75) and the mean by 36.7 % (3).",
        ),
        (2.1, {"seasonal_naive": 2.75, "linear": 2.0}, "the linear model (2) beats the network; use it, or train"),
        (2.0, {"seasonal_naive": 2.75, "linear": 2.001}, "as good is the linear model; the network is better than the"),
        (3.0, {"seasonal_naive": 2.75, "linear": 2.0}, "forecast (2.75) and the linear model (2) beat the network"),
    ],
)
def test_a_forecast_is_judged_by_its_mean_error(network, baselines, said):
    assert said in verdict(manifest(network, baselines, metric="mae"))


def test_one_changed_sample_of_a_small_split_is_no_win():
    assert "buys nothing" in verdict(manifest(1.0, {"logistic": 35 / 36}, test=36))
    assert "beats the logistic model by 5.6 points" in verdict(manifest(1.0, {"logistic": 34 / 36}, test=36))


@pytest.mark.parametrize(("linear", "said"), [(0.3, "beats the linear model by 0.180 of R²"), (0.45, "buys nothing")])
def test_regression_is_compared_by_r2(linear, said):
    assert said in verdict(manifest(0.48, {"mean": -0.01, "linear": linear}, metric="r2", test=88))


def test_a_run_without_any_figure_has_no_verdict():
    assert verdict(Manifest(name="run", builder="mlp", seed=0, status="interrupted")).startswith(
        "No verdict: the run is"
    )


def test_a_stand_in_is_said_in_the_same_breath():
    assert verdict(manifest(0.9, {"logistic": 0.5}, stand_in=True)).startswith(
        "On a stand-in, not on mnist: The network"
    )


def test_a_baseline_that_saw_less_is_not_passed_over():
    run = manifest(0.9, {"logistic": 0.5})
    run.baselines["logistic"]["samples"] = 25_510
    assert "the logistic model was fitted on 25,510 of 54,000 training samples." in verdict(run)


@pytest.mark.parametrize(
    ("metric", "value", "shown"),
    [("accuracy", 0.98312, "98.31 %"), ("r2", 0.4824, "0.482"), ("mae", 41.234, "41.23"), ("auc", None, "–")],  # noqa: RUF001
)
def test_figures_are_shown_in_their_unit(metric, value, shown):
    assert show(metric, value) == shown


def test_a_lower_mean_error_of_a_baseline_is_said_where_r2_is_as_good():
    run = manifest(0.84, {"mean": 0.0, "gradient_boosting": 0.85}, metric="r2", test=80)
    run.metrics["test"]["mae"] = 2.4
    run.baselines["gradient_boosting"]["mae"] = 2.2
    assert "by mean error gradient boosting beats the network: MAE 2.2 against 2.4, 9 % more" in verdict(run)
    run.metrics["test"]["mae"] = 2.3  # within 5 %
    assert "mean error" not in verdict(run)


def test_gradient_boosting_is_named_where_it_wins():
    said = verdict(manifest(0.70, {"logistic": 0.6, "gradient_boosting": 0.8}, test=500))
    assert said.startswith("Gradient boosting beats the network by 10.0 points of accuracy")
