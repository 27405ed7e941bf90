"""The template: authorizers, rights of roles, logs, failed events, and that CloudFormation accepts it."""

import graphlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from local.template import build_parameters, load
from tests.infrastructure.project import FUNCTIONS, Function, document, expanded, of_type, template

each_function = pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
LOCAL = "http://127.0.0.1:3000"
MOST_RESOURCES = 500  # CloudFormation's limit for a stack
# Actions without a resource, or whose resource does not exist beforehand.
WITHOUT_RESOURCE = re.compile(
    r"xray:Put(TraceSegments|TelemetryRecords)|ec2:\w*(NetworkInterfaces?|Subnets|IpAddresses)"
)


def test_a_route_has_its_authorizer_exactly_where_its_handler_needs_a_caller() -> None:
    """Tested with SAM CLI's reader, which serves the API locally and silently drops what it cannot resolve."""
    routes = load(build_parameters("postgresql://postgres@127.0.0.1:5432/goatedvips", LOCAL), LOCAL).api.routes
    guarded = {route.function_name: route.authorizer_object is not None for route in routes}
    assert guarded == {f.id: f.who in ("member", "staff") for f in FUNCTIONS if f.template_routes}


@each_function
def test_staff_s_routes_are_those_under_admin(function: Function) -> None:
    assert (function.who == "staff") == any(" /v1/admin/" in route for route in function.template_routes)


def test_api_gateway_may_call_the_authorizer() -> None:
    permissions = of_type(expanded(), "AWS::Lambda::Permission").values()
    assert {"Fn::GetAtt": ["AuthorizeFunction", "Arn"]} in [p["Properties"]["FunctionName"] for p in permissions]


@each_function
def test_a_function_logs_to_the_group_of_its_domain(function: Function) -> None:
    group = f"{function.domain.capitalize()}Logs"
    assert function.resource["LoggingConfig"] == {"LogGroup": {"Ref": group}}
    properties = template()[group]["Properties"]
    assert properties["LogGroupName"] == {"Fn::Sub": f"/${{AWS::StackName}}/{function.domain}"}
    assert "RetentionInDays" in properties


@each_function
def test_a_function_s_role_reaches_its_log_and_its_database_user_and_no_other_user(function: Function) -> None:
    allowed = statements(function.resource["Role"]["Fn::GetAtt"][0])
    logs = [s["Resource"] for s in allowed if "logs:PutLogEvents" in s["Action"]]
    assert {"Fn::GetAtt": [f"{function.domain.capitalize()}Logs", "Arn"]} in (
        logs[0] if isinstance(logs[0], list) else logs
    )
    users = {s["Resource"]["Fn::Sub"][0].rpartition("/")[2] for s in allowed if "rds-db:connect" in s["Action"]}
    given = function.resource.get("Environment", {"Variables": {}})["Variables"].get("DATABASE_USER", "api")
    user = "${MigrationUser}" if given == {"Ref": "MigrationUser"} else given
    assert users == ({user} if function.is_in_network else set())


@each_function
def test_a_user_of_the_database_is_updated_after_the_migration(function: Function) -> None:
    uses_it = function.is_in_network and function.name != "migrate"
    assert template()[function.id].get("DependsOn") == ("Migration" if uses_it else None)
    assert expanded()[function.id].get("DependsOn") == ("Migration" if uses_it else None)


def test_the_migration_changes_with_its_layer_and_waits_for_what_it_needs() -> None:
    migration = expanded()["Migration"]
    (layer,) = (name for name in expanded() if name.startswith("MigrationsLayer"))
    assert migration["Properties"]["Migrations"] == {"Ref": layer}
    assert (
        migration["Properties"]["ServiceTimeout"] == document()["Resources"]["MigrateFunction"]["Properties"]["Timeout"]
    )
    assert {"MigrateFunction", "Writer", "S3GatewayEndpoint"} <= names(migration)
    (invocation,) = (
        resource["Properties"]
        for resource in of_type(expanded(), "AWS::Lambda::EventInvokeConfig").values()
        if resource["Properties"]["FunctionName"] == {"Ref": "MigrateFunction"}
    )
    assert invocation["MaximumRetryAttempts"] == 0


@pytest.mark.parametrize("role", of_type(template(), "AWS::IAM::Role"))
def test_a_role_has_no_right_that_is_not_tied_to_a_resource(role: str) -> None:
    for statement in statements(role):
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        if statement["Effect"] == "Allow":
            assert not any("*" in action for action in actions)
            assert statement["Resource"] != "*" or all(WITHOUT_RESOURCE.fullmatch(action) for action in actions)


def test_no_role_is_granted_more_logs_than_its_functions_write() -> None:
    written: dict[str, set[str]] = {}
    for function in FUNCTIONS:
        role = function.resource["Role"]["Fn::GetAtt"][0]
        written.setdefault(role, set()).add(f"{function.domain.capitalize()}Logs")
    granted = {role: {name for name in names(statements(role)) if name.endswith("Logs")} for role in written}
    assert granted == written


@each_function
def test_versions_and_snapshots_are_for_functions_that_a_member_waits_for(function: Function) -> None:
    properties = function.resource
    chosen = {"AutoPublishAlias", "AutoPublishAliasAllProperties", "SnapStart"} & set(properties)
    if chosen:
        assert function.who in ("anyone", "member")
        assert properties["AutoPublishAlias"] == "live"
        assert properties["AutoPublishAliasAllProperties"] is True  # else a change of the layer publishes nothing
        assert properties["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    if function.who == "member" and function.domain not in ("accounts", "privacy"):
        assert chosen
    if function.domain == "accounts":  # what is done once in a while does not pay for its snapshots
        assert bool(chosen) == (function.name in {"log_in", "get_me"})


def test_a_change_of_the_layer_publishes_new_versions() -> None:
    assert template()["SharedLayer"]["Properties"]["PublishLambdaVersion"] is True


@each_function
def test_failed_asynchronous_events_go_to_the_queue_of_the_domain(function: Function) -> None:
    queue = f"{function.domain.capitalize()}FailedEvents"
    events = [*function.events("ScheduleV2"), *function.events("EventBridgeRule"), *function.events("SNS")]
    for event in events:
        failed = function.resource["EventInvokeConfig"]["DestinationConfig"]["OnFailure"]
        assert failed == {"Type": "SQS", "Destination": {"Fn::GetAtt": [queue, "Arn"]}}
        rights = statements(function.resource["Role"]["Fn::GetAtt"][0])
        assert queue in names([s for s in rights if s["Action"] == "sqs:SendMessage"])
        never_arrived = (
            event["RedrivePolicy"]["deadLetterTargetArn"] if "Topic" in event else event["DeadLetterConfig"]["Arn"]
        )
        assert never_arrived == {"Fn::GetAtt": [queue, "Arn"]}


@each_function
def test_a_schedule_has_its_role_its_instant_and_an_end_of_its_retries(function: Function) -> None:
    for schedule in function.events("ScheduleV2"):
        assert schedule["RoleArn"] == {"Fn::GetAtt": ["SchedulesRole", "Arn"]}
        assert function.id in names(statements("SchedulesRole"))
        assert f"{function.domain.capitalize()}FailedEvents" in names(statements("SchedulesRole"))
        assert json.loads(schedule["Input"]) == {"scheduled_time": "<aws.scheduler.scheduled-time>"}
        assert schedule["RetryPolicy"].keys() == {"MaximumEventAgeInSeconds", "MaximumRetryAttempts"}


def test_rules_and_topics_may_send_to_the_queues_of_their_functions() -> None:
    """SAM adds the right only for a queue that it makes itself."""

    def queues(kind: str) -> set[str]:
        return {f"{function.domain.capitalize()}FailedEvents" for function in FUNCTIONS if function.events(kind)}

    (policy,) = of_type(template(), "AWS::SQS::QueuePolicy").values()
    by_rules, by_topics = policy["Properties"]["PolicyDocument"]["Statement"]
    assert queues("EventBridgeRule") <= names(policy["Properties"]["Queues"]) == names(by_rules["Resource"])
    assert queues("SNS") == names(by_topics["Resource"])
    for allowed, service in ((by_rules, "events"), (by_topics, "sns")):
        assert (allowed["Effect"], allowed["Action"]) == ("Allow", "sqs:SendMessage")
        assert allowed["Principal"] == {"Service": f"{service}.amazonaws.com"}
    assert by_rules["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    assert by_topics["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Ref": "MailEventsTopic"}}}


@each_function
def test_a_function_times_out_before_the_api_does(function: Function) -> None:
    if function.who is not None:
        assert function.resource.get("Timeout", document()["Globals"]["Function"]["Timeout"]) < 30


def test_cloudformation_accepts_the_template() -> None:
    resources = expanded()
    assert len(resources) < MOST_RESOURCES
    graph = {name: names(resource) & set(resources) - {name} for name, resource in resources.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


def statements(role: str) -> list[dict[str, Any]]:
    """Return the statements of a role's own policies and of the project's managed ones."""
    properties = template()[role]["Properties"]
    managed = [template()[arn["Ref"]]["Properties"] for arn in properties.get("ManagedPolicyArns", [])]
    return [s for policy in (*properties["Policies"], *managed) for s in policy["PolicyDocument"]["Statement"]]


def names(value: object) -> set[str]:
    """Return the names of the resources that a part of the template refers to."""
    return set(_names(value))


def _names(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _names(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "Ref" and isinstance(item, str):
                yield item
            elif key == "Fn::GetAtt":
                yield item.partition(".")[0] if isinstance(item, str) else item[0]
            elif key == "Fn::Sub":
                text, given = item if isinstance(item, list) else (item, {})
                yield from re.findall(r"\$\{(\w+)[}.]", text)
                yield from _names(given)
            elif key == "DependsOn":
                yield from [item] if isinstance(item, str) else item
            else:
                yield from _names(item)


def test_the_authorizer_has_time_for_two_database_timeouts() -> None:
    (authorizer,) = (function for function in FUNCTIONS if function.name == "authorize")
    seconds = float(authorizer.resource["Environment"]["Variables"]["DATABASE_SOCKET_TIMEOUT"])
    assert 2 * seconds < authorizer.resource["Timeout"]
