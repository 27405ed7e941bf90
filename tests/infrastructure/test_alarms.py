"""Each alarm that the code can raise has its alarm in the template, by the dimensions that the code writes."""

import json

import pytest

from goatedvips.alarms import Alarm, alarm
from tests.infrastructure.project import of_type, template

ALARMS = [resource["Properties"] for resource in of_type(template(), "AWS::CloudWatch::Alarm").values()]


def dimensions(properties: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    return {dimension["Name"]: dimension["Value"] for dimension in properties["Dimensions"]}


def test_the_template_has_exactly_the_alarms_of_the_code() -> None:
    assert sorted(dimensions(properties)["name"] for properties in ALARMS) == sorted(Alarm)


@pytest.mark.parametrize("name", Alarm)
def test_the_code_writes_the_metric_that_the_template_watches(
    name: Alarm, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    alarm(name, reason="because")
    (record,) = caplog.records
    assert (record.levelname, vars(record)["alarm"], vars(record)["reason"]) == ("ERROR", name.value, "because")
    metric = json.loads(capsys.readouterr().out.splitlines()[-1])
    (directive,) = metric["_aws"]["CloudWatchMetrics"]
    (properties,) = (found for found in ALARMS if dimensions(found)["name"] == name)
    assert directive["Namespace"] == properties["Namespace"]
    assert [written["Name"] for written in directive["Metrics"]] == [properties["MetricName"]]
    assert directive["Dimensions"] == [list(dimensions(properties))]
    assert {key: metric[key] for key in dimensions(properties)} == dimensions(properties)
    assert metric[properties["MetricName"]] == [1.0]


def test_one_alarm_in_a_minute_is_enough() -> None:
    for properties in ALARMS:
        watched = {key: properties[key] for key in ("Statistic", "Period", "EvaluationPeriods", "Threshold")}
        assert watched == {"Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1}
        assert properties["TreatMissingData"] == "notBreaching"
        assert properties["AlarmActions"] == [{"Ref": "AlarmTopic"}]
