"""The bucket of raw feeds: nobody else reads it, nothing is lost before its time, and only who must may write."""

from typing import Any

from goatedvips.clients.raw_feed import SETTLED_PREFIX
from goatedvips.domain.wagers.feed_keys import PREFIX
from tests.infrastructure.project import FUNCTIONS, of_type, template
from tests.infrastructure.test_template import statements

(NAME,) = of_type(template(), "AWS::S3::Bucket")
BUCKET: dict[str, Any] = template()[NAME]


def rule(prefix: str) -> dict[str, Any]:
    """The life cycle of what begins with a prefix."""
    rules = BUCKET["Properties"]["LifecycleConfiguration"]["Rules"]
    (found,) = (rule for rule in rules if rule.get("Prefix") == prefix)
    assert found["Status"] == "Enabled"
    return dict(found)


def test_it_is_encrypted_versioned_and_closed_and_outlives_its_stack() -> None:
    properties = BUCKET["Properties"]
    assert properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert BUCKET["DeletionPolicy"] == BUCKET["UpdateReplacePolicy"] == "Retain"
    (policy,) = of_type(template(), "AWS::S3::BucketPolicy").values()
    (denied,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert (denied["Effect"], denied["Action"]) == ("Deny", "s3:*")
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_raw_feeds_go_to_cold_storage_from_which_they_are_read_at_once_and_end() -> None:
    feeds = rule(PREFIX)
    assert feeds["Transitions"] == [{"StorageClass": "GLACIER_IR", "TransitionInDays": 90}]
    assert feeds["ExpirationInDays"] == 400
    assert rule(SETTLED_PREFIX)["ExpirationInDays"] == 3 * 365 + 1
    assert rule("push/")["ExpirationInDays"] == 7


def test_its_events_go_to_event_bridge() -> None:
    configuration = BUCKET["Properties"]["NotificationConfiguration"]
    assert configuration == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


def test_only_fetch_wagers_writes_raw_feeds_and_has_the_token() -> None:
    writers, with_token = set(), set()
    for function in FUNCTIONS:
        allowed = [s for s in statements(function.resource["Role"]["Fn::GetAtt"][0]) if "s3:PutObject" in s["Action"]]
        writers |= {function.name for s in allowed if f"/{PREFIX}" in str(s["Resource"])}
        with_token |= {function.name} if "AffiliateToken" in str(function.resource) else set()
    assert writers == with_token == {"fetch_wagers"}


def test_the_function_that_needs_the_internet_is_outside_the_vpc_and_no_other_has_its_packages() -> None:
    layers = {function.name: function.resource.get("Layers") for function in FUNCTIONS}
    assert {name for name, layer in layers.items() if layer == [{"Ref": "AffiliateLayer"}]} == {"fetch_wagers"}
    (fetch,) = (function for function in FUNCTIONS if function.name == "fetch_wagers")
    assert fetch.resource["VpcConfig"] == {"Ref": "AWS::NoValue"}
    assert fetch.resource["Timeout"] < 10 * 60  # when the next run begins
