"""The bucket of raw feeds: nobody else reads it, nothing is lost before its time, and only who must may write."""

from typing import Any

import pytest

from goatedvips.clients import push_batches
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
    pushes = rule("push/")
    assert (pushes["ExpirationInDays"], pushes["NoncurrentVersionExpiration"]) == (7, {"NoncurrentDays": 1})


def test_its_events_go_to_event_bridge() -> None:
    configuration = BUCKET["Properties"]["NotificationConfiguration"]
    assert configuration == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


def reaching(action: str, prefix: str) -> set[str]:
    """The functions that may do something with the objects whose keys begin with a prefix."""
    return {
        function.name
        for function in FUNCTIONS
        for statement in statements(function.resource["Role"]["Fn::GetAtt"][0])
        if action in statement["Action"] and f"/{prefix}" in str(statement["Resource"])
    }


def test_only_fetch_wagers_writes_raw_feeds_and_has_the_token() -> None:
    with_token = {function.name for function in FUNCTIONS if "AffiliateToken" in str(function.resource)}
    assert reaching("s3:PutObject", PREFIX) == with_token == {"fetch_wagers"}


def test_only_send_pushes_writes_results_and_has_the_key_that_signs() -> None:
    with_key = {function.name for function in FUNCTIONS if "PushKey'" in str(function.resource)}
    assert reaching("s3:PutObject", push_batches.IN) == reaching("s3:GetObject", push_batches.OUT) == with_key
    assert with_key == {"send_pushes"}
    rights = statements("SendPushesRole")
    assert [s["Resource"] for s in rights if "secretsmanager" in str(s["Action"])] == [{"Ref": "PushKey"}]
    (listing,) = (s for s in rights if s["Action"] == "s3:ListBucket")
    assert listing["Condition"] == {"StringLike": {"s3:prefix": f"{push_batches.IN}*"}}


def test_only_the_sender_writes_batches_and_only_record_pushes_reads_results() -> None:
    assert reaching("s3:PutObject", push_batches.OUT) == {"send_notifications"}
    assert reaching("s3:GetObject", push_batches.IN) == {"record_pushes"}


@pytest.mark.parametrize(("name", "layer"), [("fetch_wagers", "AffiliateLayer"), ("send_pushes", "PushLayer")])
def test_a_function_that_needs_the_internet_is_outside_the_vpc_and_no_other_has_its_packages(
    name: str, layer: str
) -> None:
    assert {f.name for f in FUNCTIONS if f.resource.get("Layers") == [{"Ref": layer}]} == {name}
    (function,) = (function for function in FUNCTIONS if function.name == name)
    assert function.resource["VpcConfig"] == {"Ref": "AWS::NoValue"}
    assert function.resource["Timeout"] < 10 * 60  # when the next run of fetch_wagers begins


@pytest.mark.parametrize(("name", "prefix"), [("send_pushes", push_batches.OUT), ("record_pushes", push_batches.IN)])
def test_each_batch_and_its_results_start_a_function(name: str, prefix: str) -> None:
    (function,) = (function for function in FUNCTIONS if function.name == name)
    (rule,) = function.events("EventBridgeRule")
    assert rule["Pattern"]["detail"]["object"] == {"key": [{"prefix": prefix}]}
    assert function.sample["detail"]["object"]["key"].startswith(prefix)
