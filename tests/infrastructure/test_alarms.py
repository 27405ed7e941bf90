"""Each alarm that the code can raise has its alarm in the template, by the dimensions that the code writes."""

import json
import os
import re
from typing import Any

import pytest

from goatedvips.alarms import Alarm, alarm
from tests.infrastructure.project import FUNCTIONS, document, of_type, template

ALL = {name: resource["Properties"] for name, resource in of_type(template(), "AWS::CloudWatch::Alarm").items()}
ALARMS = [properties for properties in ALL.values() if properties.get("MetricName") == "Alarm"]
MOST_ALARMS = 40


def dimensions(properties: dict[str, Any]) -> dict[str, Any]:
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
    assert directive["Namespace"] == os.environ["POWERTOOLS_METRICS_NAMESPACE"]
    variables = document()["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == properties["Namespace"] == {"Ref": "AWS::StackName"}
    assert [written["Name"] for written in directive["Metrics"]] == [properties["MetricName"]]
    assert directive["Dimensions"] == [list(dimensions(properties))]
    assert {key: metric[key] for key in dimensions(properties)} == dimensions(properties)
    assert metric[properties["MetricName"]] == [1.0]


def test_alarms_are_few_and_each_is_notified_of_and_says_what_happened() -> None:
    assert len(ALL) <= MOST_ALARMS
    for properties in ALL.values():
        assert properties["AlarmActions"] == [{"Ref": "AlarmTopic"}]
        assert len(properties["AlarmDescription"].split()) > 5
    subscription = {"Protocol": "email", "Endpoint": {"Ref": "AlarmEmail"}}
    assert template()["AlarmTopic"]["Properties"]["Subscription"] == [subscription]


def test_each_domain_has_an_alarm_on_the_errors_in_its_log() -> None:
    domains = {function.domain.capitalize() for function in FUNCTIONS}
    for domain in domains:
        metric, properties = template()[f"{domain}ErrorsFilter"]["Properties"], ALL[f"{domain}ErrorsAlarm"]
        assert metric["LogGroupName"] == {"Ref": f"{domain}Logs"}
        (written,) = metric["MetricTransformations"]
        assert properties["Namespace"] == written["MetricNamespace"]
        assert properties["MetricName"] == written["MetricName"]
        assert '$.message = "failed"' in metric["FilterPattern"]  # as `runs` and `http.api` log it


def test_the_alarm_on_failed_events_watches_every_queue() -> None:
    watched = {
        metric["MetricStat"]["Metric"]["Dimensions"][0]["Value"]["Fn::GetAtt"][0]
        for metric in ALL["FailedEventsAlarm"]["Metrics"]
        if "MetricStat" in metric
    }
    assert watched == set(of_type(template(), "AWS::SQS::Queue"))


def test_the_ages_are_metrics_of_the_function_that_measures_them() -> None:
    for name, metric in (("OutboxAgeAlarm", "OutboxAge"), ("FeedAgeAlarm", "FeedAge")):
        assert ALL[name]["Namespace"] == {"Ref": "AWS::StackName"}
        assert ALL[name]["MetricName"] == metric
        assert dimensions(ALL[name]) == {"function": {"Ref": "AdvanceRacesFunction"}, "service": "goatedvips"}


def test_the_dashboard_is_json_and_shows_only_its_stack() -> None:
    body = template()["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = [widget["properties"] for widget in json.loads(body)["widgets"]]
    assert len(widgets) >= 8
    metrics = [metric for widget in widgets for metric in widget["metrics"]]
    namespaces = {metric[0] for metric in metrics if isinstance(metric[0], str)}
    stack = "${AWS::StackName}"
    assert namespaces <= {stack, f"{stack}/logs"} | {
        f"AWS/{name}" for name in ("ApiGateway", "Lambda", "RDS", "SQS", "SES")
    }
    searches = [metric[0]["expression"] for metric in metrics if isinstance(metric[0], dict)]
    for search in searches:
        assert re.search(rf"""SEARCH\('\{{("{re.escape(stack)}"|AWS/\w+),[\w,]+\}} MetricName="\w+"',""", search)
    assert searches


def test_one_alarm_in_a_minute_is_enough() -> None:
    for properties in ALARMS:
        watched = {key: properties[key] for key in ("Statistic", "Period", "EvaluationPeriods", "Threshold")}
        assert watched == {"Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1}
        assert properties["TreatMissingData"] == "notBreaching"
