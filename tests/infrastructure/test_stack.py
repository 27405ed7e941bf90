"""What a stack consists of, by its parameters: CloudFormation's conditions, evaluated."""

import functools
import json
import re
import tomllib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from samcli.cli.types import CfnParameterOverridesType

from tests.infrastructure.project import FUNCTIONS, ROOT, document, expanded, of_type, template
from tests.infrastructure.test_template import names, statements
from tools import costs
from tools.checkov import write_skips

MOST_RESOURCES = 450  # CloudFormation allows 500 in a stack; docs/operations.md says what happens beyond these
MOST_WITH_PERMISSIONS = 430
MOST_BYTES = 1_000_000  # CloudFormation's limit for a template
MOST_WITH_SNAPSHOTS = 40
OWNERS = {"AllowedOrigins", "MailFrom", "AlarmEmail"}
EXISTING = {
    "SubnetIds": "subnet-1,subnet-2",
    "SecurityGroupIds": "sg-1",
    "DatabaseHost": "proxy.example",
    "DatabaseProxyResource": "prx-1",
    "ClusterHost": "cluster.example",
    "ClusterResource": "cluster-1",
}
NETWORK = {"AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::EC2::VPCEndpoint", "AWS::EC2::RouteTable"}
DATABASE = {"AWS::RDS::DBCluster", "AWS::RDS::DBInstance", "AWS::RDS::DBProxy", "AWS::RDS::DBProxyTargetGroup"}
FRONTS = {"AWS::CloudFront::Distribution", "AWS::ApiGatewayV2::DomainName", "AWS::Route53::RecordSet"}

CONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text())


def overrides(environment: str) -> dict[str, str]:
    """The parameters in samconfig.toml of an environment, as SAM CLI reads them."""
    given = CONFIG[environment]["deploy"]["parameters"]["parameter_overrides"]
    parsed: dict[str, str] = CfnParameterOverridesType().convert(given, None, None)
    return parsed


def evaluate(parameters: dict[str, str]) -> Callable[[object], Any]:
    """Return a function that evaluates what may stand in a condition."""
    given = {name: str(declared.get("Default", "")) for name, declared in document()["Parameters"].items()} | parameters

    def value(part: Any) -> Any:
        if not isinstance(part, dict):
            return part
        ((name, argument),) = part.items()
        match name:
            case "Ref":
                return given[argument]
            case "Condition":
                return value(document()["Conditions"][argument])
            case "Fn::Equals":
                return value(argument[0]) == value(argument[1])
            case "Fn::Not":
                return not value(argument[0])
            case "Fn::And" | "Fn::Or":
                return (all if name == "Fn::And" else any)(map(value, argument))
            case "Fn::Contains":
                return value(argument[1]) in value(argument[0]).split(",")
            case "Fn::Join":  # of a list of which only matters whether it is empty
                return value(argument[1])
        raise AssertionError(name)

    return value


def made(**parameters: str) -> dict[str, Any]:
    """The resources that CloudFormation makes with these parameters beside the owner's three."""
    value = evaluate(dict.fromkeys(OWNERS, "given") | parameters)
    return {
        name: resource
        for name, resource in expanded().items()
        if "Condition" not in resource or value({"Condition": resource["Condition"]})
    }


def kinds(resources: dict[str, Any]) -> set[str]:
    return {resource["Type"] for resource in resources.values()}


def test_three_values_make_the_whole_stack() -> None:
    assert {name for name, declared in document()["Parameters"].items() if "Default" not in declared} == OWNERS
    assert overrides("prod").keys() == OWNERS
    assert kinds(made()) >= NETWORK | DATABASE
    assert not kinds(made()) & FRONTS


def test_an_existing_network_and_database_are_not_made() -> None:
    assert not kinds(made(**EXISTING)) & (NETWORK | DATABASE | {"AWS::EC2::SecurityGroup"})
    in_network = made(SubnetIds="subnet-1,subnet-2", SecurityGroupIds="sg-1", VpcId="vpc-1")
    assert kinds(in_network) >= DATABASE
    assert not kinds(in_network) & NETWORK


@pytest.mark.parametrize(
    ("parameters", "wanted"),
    [
        ({"DomainName": "api.example"}, {"AWS::ApiGatewayV2::DomainName"}),
        ({"OriginSecret": "x" * 32}, {"AWS::CloudFront::Distribution"}),
        (
            {"OriginSecret": "x" * 32, "DomainName": "api.example", "HostedZoneId": "Z1"},
            {"AWS::CloudFront::Distribution", "AWS::Route53::RecordSet"},
        ),
    ],
)
def test_what_stands_in_front_of_the_api_is_chosen_by_parameters(parameters: dict[str, str], wanted: set[str]) -> None:
    assert kinds(made(**parameters)) & FRONTS == wanted


def test_the_rules_hold_for_the_environments_and_refuse_half_a_database() -> None:
    def is_accepted(parameters: dict[str, str]) -> bool:
        value = evaluate(parameters)
        return all(
            value(assertion["Assert"])
            for rule in document()["Rules"].values()
            if value(rule["RuleCondition"])
            for assertion in rule["Assertions"]
        )

    in_network = {"SubnetIds": "subnet-1,subnet-2", "SecurityGroupIds": "sg-1", "VpcId": "vpc-1"}
    domain = {"DomainName": "api.example", "DomainCertificate": "arn:aws:acm:…"}
    accepted = (overrides("staging"), overrides("prod"), EXISTING, in_network, domain, {"OriginSecret": "x" * 32})
    assert all(map(is_accepted, accepted))
    for parameters in (EXISTING, in_network):
        for missing in parameters.keys() - {"DatabaseHost", "SubnetIds"}:
            assert not is_accepted({name: given for name, given in parameters.items() if name != missing}), missing
    assert not is_accepted({name: given for name, given in EXISTING.items() if name != "SubnetIds"})
    assert not is_accepted({"DomainName": "api.example"})


def test_the_rules_use_only_what_cloudformation_has_there() -> None:
    """Any other function in them fails each deployment, and neither cfn-lint nor SAM CLI says so.

    Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-rules.html
    """
    used = set(re.findall(r'"(Fn::\w+|Ref|Condition)":', json.dumps(document()["Rules"])))
    assert used <= {f"Fn::{name}" for name in ("And", "Contains", "Equals", "Not", "Or")} | {"Ref"}


@pytest.mark.parametrize("parameters", [{}, EXISTING, {"OriginSecret": "x" * 32, "DomainName": "api.example"}])
def test_what_is_made_refers_only_to_what_is_made(parameters: dict[str, str]) -> None:
    value = evaluate(dict.fromkeys(OWNERS, "given") | parameters)

    def chosen(part: Any) -> Any:
        """The part without the branches of `Fn::If` that are not taken."""
        if isinstance(part, list):
            return [chosen(item) for item in part]
        if not isinstance(part, dict):
            return part
        if "Fn::If" in part:
            condition, first, second = part["Fn::If"]
            return chosen(first if value({"Condition": condition}) else second)
        return {name: chosen(item) for name, item in part.items()}

    resources = made(**parameters)
    absent = set(expanded()) - set(resources)
    for name, resource in resources.items():
        assert not names(chosen(resource)) & absent, name


def test_the_stack_stays_within_the_limits_of_cloudformation() -> None:
    assert len(expanded()) < MOST_RESOURCES
    assert len(json.dumps(expanded())) < MOST_BYTES
    assert len(of_type(expanded(), "AWS::Lambda::Alias")) <= MOST_WITH_SNAPSHOTS


def test_beyond_430_resources_no_function_has_a_permission_of_its_own_for_the_api() -> None:
    """docs/operations.md, "When it grows", says what the API invokes them by then."""
    per_function = [name for name in of_type(expanded(), "AWS::Lambda::Permission") if name.endswith("RoutePermission")]
    assert per_function
    assert len(expanded()) <= MOST_WITH_PERMISSIONS or not per_function


@functools.cache
def routes() -> set[str]:
    return {route for function in FUNCTIONS for route in function.template_routes}


def test_routes_that_can_be_abused_are_throttled_more_tightly_than_others() -> None:
    properties = template()["Api"]["Properties"]
    default, tighter = properties["DefaultRouteSettings"], properties["RouteSettings"]
    assert tighter.keys() <= routes()
    assert tighter.keys() >= {
        "POST /v1/sessions",
        "POST /v1/accounts",
        "POST /v1/newsletter/subscriptions",
        "POST /v1/codes/claim",
    }
    for settings in tighter.values():
        assert settings.keys() == default.keys()
        assert all(settings[name] < default[name] for name in default)


def test_the_api_logs_each_access_with_who_what_and_how_it_ended() -> None:
    settings = template()["Api"]["Properties"]["AccessLogSettings"]
    assert settings["DestinationArn"] == {"Fn::GetAtt": ["ApiLogs", "Arn"]}
    shown = json.loads(settings["Format"])
    assert {"request_id", "source_ip", "route", "status", "milliseconds", "user_id", "error"} <= shown.keys()
    assert all(re.fullmatch(r"\$context\.[\w.]+", value) for value in shown.values())


def test_no_function_in_the_network_needs_the_internet() -> None:
    """In the network are the database and the endpoints of Amazon S3 and Amazon SES; nothing else can be reached."""
    reached = {"rds-db", "s3", "ses", "logs", "sqs", "xray", "ec2"}  # Lambda itself does the last four
    for function in FUNCTIONS:
        rights = statements(function.resource["Role"]["Fn::GetAtt"][0])
        actions = {
            action for s in rights for action in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])
        }
        needed = {action.partition(":")[0] for action in actions}
        if function.is_in_network:
            assert needed <= reached, function.name
            assert "AWS_ENDPOINT_URL_SECRETS_MANAGER" not in str(function.resource)


def test_mail_goes_by_two_configuration_sets_whose_events_reach_one_topic() -> None:
    sets = of_type(template(), "AWS::SES::ConfigurationSet")
    suppressed = {name: s["Properties"]["SuppressionOptions"]["SuppressedReasons"] for name, s in sets.items()}
    assert suppressed == {"CriticalMailSet": [], "BulkMailSet": ["BOUNCE", "COMPLAINT"]}
    destinations = [d["Properties"] for d in of_type(template(), "AWS::SES::ConfigurationSetEventDestination").values()]
    assert {d["ConfigurationSetName"]["Ref"] for d in destinations} == set(sets)
    for destination in destinations:
        assert {"bounce", "complaint"} <= set(destination["EventDestination"]["MatchingEventTypes"])
        assert destination["EventDestination"]["SnsDestination"] == {"TopicARN": {"Ref": "MailEventsTopic"}}


def test_the_log_of_the_database_has_no_values_and_an_end() -> None:
    settings = template()["DatabaseSettings"]["Properties"]["Parameters"]
    assert (settings["log_parameter_max_length"], settings["log_error_verbosity"]) == ("0", "terse")
    cluster, logs = template()["Cluster"], template()["DatabaseLogs"]
    assert cluster["DependsOn"] == "DatabaseLogs"
    assert cluster["Properties"]["DBClusterIdentifier"] == {"Ref": "AWS::StackName"}
    assert logs["Properties"]["LogGroupName"] == {"Fn::Sub": "/aws/rds/cluster/${AWS::StackName}/postgresql"}
    assert all(
        "RetentionInDays" in group["Properties"] for group in of_type(template(), "AWS::Logs::LogGroup").values()
    )


def test_the_events_of_mail_are_encrypted_with_a_key_that_amazon_ses_may_use() -> None:
    assert template()["MailEventsTopic"]["Properties"]["KmsMasterKeyId"] == {"Ref": "MailEventsKey"}
    key = template()["MailEventsKey"]["Properties"]
    assert key["EnableKeyRotation"] is True
    (allowed,) = (s for s in key["KeyPolicy"]["Statement"] if "Service" in s["Principal"])
    assert allowed["Principal"] == {"Service": "ses.amazonaws.com"}
    assert set(allowed["Action"]) == {"kms:GenerateDataKey*", "kms:Decrypt"}


def test_the_api_is_named_by_its_domain_else_by_cloudfront_else_by_api_gateway() -> None:
    """In links of mail, List-Unsubscribe among them, and in the stack's output."""
    (sender,) = (f.resource["Environment"]["Variables"] for f in FUNCTIONS if f.name == "send_notifications")
    assert sender["API_URL"] == document()["Outputs"]["ApiUrl"]["Value"]
    first, by_domain, (second, by_cloudfront, by_gateway) = (
        sender["API_URL"]["Fn::If"][0],
        sender["API_URL"]["Fn::If"][1],
        sender["API_URL"]["Fn::If"][2]["Fn::If"],
    )
    assert (first, by_domain) == ("HasDomain", {"Fn::Sub": "https://${DomainName}"})
    assert (second, by_cloudfront) == ("HasCloudFront", {"Fn::Sub": "https://${Distribution.DomainName}"})
    assert by_gateway == {"Fn::Sub": "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}"}


def test_nothing_that_enters_the_database_has_a_password() -> None:
    cluster, proxy = (template()[name]["Properties"] for name in ("Cluster", "Proxy"))
    assert cluster["MasterUserAuthenticationType"] == "iam-db-auth"
    assert cluster["EnableIAMDatabaseAuthentication"] is True
    assert not {"MasterUserPassword", "ManageMasterUserPassword"} & cluster.keys()
    assert (proxy["DefaultAuthScheme"], proxy["RequireTLS"]) == ("IAM_AUTH", True)
    assert "Auth" not in proxy
    assert not [name for name in template() if "MasterSecret" in name]


def test_what_checkov_skips_has_its_reason_and_its_resources() -> None:
    skips = document()["Metadata"]["checkov"]
    assert skips.keys() <= kinds(expanded())
    own = [
        skip
        for resource in template().values()
        for skip in resource.get("Metadata", {}).get("checkov", {}).get("skip", [])
    ]
    reasons = [reason for of_kind in skips.values() for reason in of_kind.values()] + [skip["comment"] for skip in own]
    assert all(len(reason.split()) > 3 for reason in reasons)
    written = write_skips(document())["Resources"]["SpinWheelFunction"]["Metadata"]["checkov"]["skip"]
    assert {skip["id"]: skip["comment"] for skip in written} == skips["AWS::Lambda::Function"]


def test_the_costs_in_the_documents_are_those_that_make_deploy_says() -> None:
    """`python -m tools.costs` prints the table."""
    assert costs.table() in (ROOT / "docs/operations.md").read_text()


def test_the_costs_are_computed_from_what_they_show() -> None:
    (proxy,) = (line for line in costs.LINES if line.what.startswith("RDS Proxy"))
    assert proxy.cell(0) == "730 h x 8 ACU = $87.60"
    for size in range(len(costs.SIZES)):
        shown = [line.cell(size).rpartition("$")[2].replace(",", "") for line in costs.LINES]
        assert sum(Decimal(amount) for amount in shown if amount) == costs.total(size)


def test_the_costs_count_what_the_stack_has() -> None:
    def factors(what: str) -> list[Decimal]:
        (line,) = (line for line in costs.LINES if line.what.startswith(what))
        return [Decimal(factor.split()[0].replace(",", "")) for factor in line.quantities[0]]

    alarms = [
        alarm["Properties"].get("Metrics", []) for alarm in of_type(template(), "AWS::CloudWatch::Alarm").values()
    ]
    assert factors("alarms") == [sum(max(1, sum("MetricStat" in metric for metric in metrics)) for metrics in alarms)]
    assert factors("secrets") == [len(of_type(template(), "AWS::SecretsManager::Secret"))]
    assert factors("key of AWS KMS") == [len(of_type(template(), "AWS::KMS::Key"))]
    memory = document()["Globals"]["Function"]["MemorySize"]
    snapshots = [f.resource.get("MemorySize", memory) for f in FUNCTIONS if "SnapStart" in f.resource]
    _, versions, size = factors("SnapStart: snapshots")
    assert versions == 2 * len(snapshots)
    assert versions * size == pytest.approx(Decimal(2 * sum(snapshots)) / 1024, rel=Decimal("0.03"))
    assert f"snapshots of {len(snapshots)} functions" in costs.table()
