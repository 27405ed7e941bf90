"""POST /v1/admin/campaigns/{id}/test: staff have a campaign mailed to themselves."""

import pytest
import sqlalchemy as sa

from goatedvips.models.notifications import outbox
from tests.support.campaigns import Campaigns
from tests.support.functions import Answer, Functions
from tests.support.members import Member, Members


def ask(functions: Functions, campaign_id: int, by: Member) -> Answer:
    return functions.call("test_campaign", by=by, path=f"/v1/admin/campaigns/{campaign_id}/test")


@pytest.mark.parametrize("status", ["draft", "sending", "cancelled"])
def test_the_caller_gets_it_whatever_its_status(
    status: str, campaigns: Campaigns, members: Members, functions: Functions, database: sa.Engine
) -> None:
    campaign_id, staff = campaigns.new(status=status), members.staff()
    answer = ask(functions, campaign_id, staff)
    assert (answer.status, answer.json) == (202, {"email": staff.email})
    with database.connect() as connection:
        (mail,) = connection.execute(sa.select(outbox)).all()
    assert (mail.kind, mail.user_id, mail.address) == ("campaign_test", staff.id, staff.email)
    assert (mail.payload, mail.campaign_id) == ({"campaign_id": campaign_id}, None)


def test_an_address_that_is_not_proved_gets_nothing(
    campaigns: Campaigns, members: Members, functions: Functions, database: sa.Engine
) -> None:
    campaign_id = campaigns.new()
    for staff in (members.staff(email_verified=False), members.staff(email="nobody", email_key="nobody")):
        answer = ask(functions, campaign_id, staff)
        assert (answer.status, answer.json["code"]) == (403, "email_unverified")
    with database.connect() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(outbox)) == 0


def test_there_is_no_other_campaign(campaigns: Campaigns, members: Members, functions: Functions) -> None:
    assert ask(functions, 2**31 - 1, members.staff()).status == 404
