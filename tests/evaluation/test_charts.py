"""Training curves: axes of round values, whatever the losses are."""

import pytest

from kinesight.evaluation.charts import Curve, curve_chart


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((0.2, 0.9), ("0", "0.2", "0.4", "0.6", "0.8")),
        ((0.5, 2.03), ("0", "1", "2")),
        ((30.0, 45.0), ("0", "20", "40")),
        ((0.01, 5.0), ("0.01", "0.1", "1")),
    ],
)
def test_a_curve_has_round_values_at_its_axis(values: tuple[float, ...], shown: tuple[str, ...]) -> None:
    chart = curve_chart("loss", [Curve("train", (1.0, 4.0), values)])
    ticks = [part.rpartition(">")[2] for part in chart.split("</text>") if 'text-anchor="end">' in part]
    assert tuple(ticks) == (*shown, "4 steps")
