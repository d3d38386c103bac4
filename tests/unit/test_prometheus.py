"""The parser of what Prometheus reads."""

import pytest

from harness.prometheus import parsed, targets

TEXT = """# HELP flink_x_total A counter of Flink's.
# TYPE flink_x_total counter
flink_x_total{host="n1",name="a \\"b\\", c",} 3.0
# TYPE heddle_y gauge
heddle_y NaN
heddle_y{le="+Inf"} +Inf
# EOF
"""


def test_samples_and_their_types():
    values, types = parsed(TEXT)
    assert types == {"flink_x_total": "counter", "heddle_y": "gauge"}
    assert values[("flink_x_total", (("host", "n1"), ("name", 'a \\"b\\", c')))] == 3
    assert values[("heddle_y", (("le", "+Inf"),))] == float("inf")


@pytest.mark.parametrize("wrong", ["heddle y z", "heddle_y", "heddle_y 1\nheddle_y 2", "# TYPE a gauge\n# TYPE a gauge"])
def test_what_is_no_metric_is_not_passed_over(wrong):
    with pytest.raises(AssertionError):
        parsed(wrong)


def test_targets_by_component_and_container():
    group = {"targets": ["n1:1", "n1:2"], "labels": {"component": "jobmanager", "container": "c1"}}
    assert targets([group]) == {("jobmanager", "c1"): ["n1:1", "n1:2"]}
