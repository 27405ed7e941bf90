"""The legacy application on an adopted database: nothing is lost, and all it does goes on as before.

One database for all: pushed by drizzle-kit, filled with awkward rows, upgraded while the application was up.
"""

import json
import secrets

import pytest
import sqlalchemy as sa

from goatedvips.models.every import metadata
from goatedvips.validators.tables import insert_schema, select_schema
from tests.support.legacy.application import Adopted, LegacyApplication

pytestmark = pytest.mark.xdist_group("node")


def fresh(kind: str) -> str:
    return f"{kind}-{secrets.token_hex(6)}"


# The adoption


def test_every_row_and_column_of_the_guide_comes_through_equal(adopted: Adopted) -> None:
    (_, before), (_, after) = adopted.before, adopted.after
    assert after == before
    assert len(before) == 10
    counts = {table: count for table, (count, _) in before.items()}
    assert counts["users"] == 100_009
    assert min(counts.values()) >= 2


def test_every_row_is_read_by_the_schema_of_its_table(adopted: Adopted) -> None:
    with adopted.database.connect() as connection:
        for name in adopted.columns:
            table, schema = metadata.tables[name], select_schema(metadata.tables[name])
            for row in connection.execute(sa.select(table).where(table.c.id < 1000)):
                json.dumps(schema.model_validate(row).model_dump(mode="json"), allow_nan=False)


def test_the_schemas_ask_for_what_drizzle_zod_asks_for(old: LegacyApplication) -> None:
    """Required, nullable: of the guide's columns, in what is inserted and in what is selected."""
    shapes = old.run("""
        tables.map((table) => [getTableName(table), Object.entries(getTableColumns(table)).map(([key, column]) => [
            column.name, ...[createInsertSchema(table), createSelectSchema(table)].map((schema) =>
                [!schema.shape[key].isOptional(), schema.shape[key].isNullable()])])])
    """)
    differ = []
    for name, columns in shapes:
        table = metadata.tables[name]
        for column, *zod in columns:
            ours = [
                [schema.model_fields[column].is_required(), bool(table.c[column].nullable)]
                for schema in (insert_schema(table), select_schema(table))
            ]
            # JSON's null is a value to zod, so it takes null for every JSON column.
            is_json = isinstance(table.c[column].type, sa.JSON)
            expected = [
                [required, nullable and (table.c[column].nullable or not is_json)] for required, nullable in zod
            ]
            if ours != expected:
                differ.append((name, column, ours, zod))
    assert not differ


def test_rows_that_need_a_decision_are_told_beforehand_and_afterwards_and_no_others(adopted: Adopted) -> None:
    """Those with values that are odd by themselves are beside the point here."""
    for report, _ in (adopted.before, adopted.after):
        assert [finding for finding in report.obstacles if not finding.is_harmless] == []
        keyless = {
            (kind.table, kind.what.split()[0]): [row_id for row_id, _ in kind.rows]
            for kind in report.undecided
            if not (kind.is_note or kind.what.startswith(("times", "NaN", "uids", "e-mail addresses that no mail")))
        }
        assert keyless == {
            ("users", "usernames"): [2, 3],
            ("users", "e-mail"): [2, 5],
            ("wheel_spins", "spins"): [2, 3, 4, 5],
            ("bonus_codes", "codes"): [2],
            ("wager_race_participants", "further"): [2, 6],
            ("newsletter_subscriptions", "addresses"): [2, 3],
            ("notification_preferences", "preferences"): [1, 2],
        }
    assert adopted.after[0].undecided == adopted.before[0].undecided


# The guide's own queries


def test_the_guides_queries_answer_as_before(old: LegacyApplication) -> None:
    user = old.run("db.query.users.findFirst({where: eq(users.id, userId)})", userId=1)
    assert (user["username"], user["total_wager"], user["bio"]) == ("Goat", "1234567890.12345678", "\U0001f410\n\t")
    assert user["createdAt"] == "2024-02-29T23:59:59.999Z"
    assert old.run("selectUserSchema.safeParse(user)", user=user | {"createdAt": None})["success"] is False
    assert old.run("db.query.users.findFirst({where: eq(users.id, userId)})", userId=10**9) is None

    races = old.run("""
        db.query.wagerRaces.findMany({where: eq(wagerRaces.status, "live"), with: {participants: true}})
    """)
    by_title = {race["title"]: race for race in races}
    assert set(by_title) >= {"Forgotten", "Running"}
    assert len(by_title["Running"]["participants"]) >= 1003
    assert by_title["Running"]["participants"][0].keys() == {
        *("id", "raceId", "userId", "totalWager", "rank", "joinedAt", "updatedAt", "wagerHistory")
    }

    ticket = old.run(
        "db.query.supportTickets.findFirst({where: eq(supportTickets.id, 1), with: {user: true, messages: true}})"
    )
    assert (ticket["user"]["id"], len(ticket["messages"])) == (1, 2)
    member = old.run("""
        db.query.users.findFirst({where: eq(users.id, 1), with: {wheelSpins: true, wagerRaceParticipations: true}})
    """)
    assert (len(member["wheelSpins"]), len(member["wagerRaceParticipations"])) == (6, 4)


def test_a_validated_insert_returns_the_whole_row(old: LegacyApplication) -> None:
    name = fresh("New")
    user = old.register(name)
    assert user == old.run("db.query.users.findFirst({where: eq(users.username, name)})", name=name)
    assert (user["isAdmin"], user["emailVerified"], user["profileColor"]) == (False, False, "#D7FF00")
    assert (user["total_wager"], user["uid"], user["isActive"]) == ("0.00000000", None, False)
    with pytest.raises(RuntimeError, match="duplicate key"):
        old.register(name)


WRITES = {
    "users": ('{username: word, email: word, password: "x"}', '{bio: "Hello", lastActive: new Date()}'),
    "wheelSpins": ("{userId, segmentIndex: 3}", '{rewardCode: "GOAT"}'),
    "bonusCodes": ("{code: word, expiresAt: new Date()}", "{userId, isUsed: true, claimedAt: new Date()}"),
    "wagerRaces": (
        """{title: word, type: "weekly", status: "upcoming", prizePool: "100", startDate: new Date(),
            endDate: new Date(), minWager: "0", prizeDistribution: {1: 100}}""",
        '{status: "live", updatedAt: new Date()}',
    ),
    "wagerRaceParticipants": (
        '{raceId: 3, userId, totalWager: "0"}',
        '{totalWager: "5.50", rank: 1, wagerHistory: [{at: new Date(), total: 5.5}]}',
    ),
    "supportTickets": ('{userId, subject: "S", description: "D"}', '{status: "closed", updatedAt: new Date()}'),
    "ticketMessages": ('{ticketId: 1, userId, message: "M"}', "{isStaffReply: true}"),
    "historicalRaces": (
        """{month: "May", year: "2026", prizePool: "99999999.99", startDate: new Date(), endDate: new Date(),
            participants: [{rank: 1, userId}], totalWagered: "1", participantCount: "1"}""",
        "{metadata: {note: word}}",
    ),
    "newsletterSubscriptions": ("{email: word}", "{isSubscribed: false, unsubscribedAt: new Date()}"),
    "notificationPreferences": ("{}", "{promotionalOffers: false, updatedAt: new Date()}"),
}


@pytest.mark.parametrize("table", WRITES)
def test_rows_of_every_table_are_inserted_changed_found_and_deleted(old: LegacyApplication, table: str) -> None:
    values, change = WRITES[table]
    given = {"word": fresh("Word"), "userId": old.register()["id"]}
    (row,) = old.run(f"db.insert({table}).values(createInsertSchema({table}).parse({values})).returning()", **given)
    (changed,) = old.run(
        f"db.update({table}).set({change}).where(eq({table}.id, id)).returning()", id=row["id"], **given
    )
    assert changed != row
    found = old.run(f"db.query.{table}.findFirst({{where: eq({table}.id, id)}})", id=row["id"])
    assert found == changed
    assert old.run(f"db.delete({table}).where(eq({table}.id, id)).returning()", id=row["id"]) == [found]


def test_what_reads_the_same_is_still_let_in(old: LegacyApplication) -> None:
    """What the guide's own keys allow, ours never refuse."""
    name = fresh("twin")
    for spelling in (name, name.upper(), name.title()):
        assert old.register(spelling)
    member = old.register()["id"]
    (race,) = old.run(f"db.insert(wagerRaces).values({WRITES['wagerRaces'][0]}).returning()", word="Twice")
    for table, values in (
        ("wheelSpins", "{userId, segmentIndex: 0}"),
        ("wagerRaceParticipants", '{raceId, userId, totalWager: "1"}'),
    ):
        for _ in range(5):
            assert old.run(f"db.insert({table}).values({values}).returning()", userId=member, raceId=race["id"]), table


@pytest.mark.parametrize("turn", range(3))
def test_transactions_that_collide_at_once_both_commit(old: LegacyApplication, turn: int) -> None:
    """Each inserts what the other has inserted, in another spelling, and neither has committed."""
    first, second = fresh("left"), fresh("right")
    registered = old.run(
        """
        Promise.all([[first, second], [second.toUpperCase(), first.toUpperCase()]].map((names) =>
            db.transaction(async (tx) => {
                const made = [];
                for (const username of names) {
                    made.push(...await tx.insert(users).values({username, email: username, password: "x"}).returning());
                    await new Promise((resolve) => setTimeout(resolve, 100));
                }
                return made;
            })))
        """,
        first=first,
        second=second,
    )
    assert [len(rows) for rows in registered] == [2, 2]


def test_a_transaction_that_fails_leaves_nothing(old: LegacyApplication) -> None:
    name = fresh("rolled-back")
    with pytest.raises(RuntimeError, match="duplicate key"):
        old.run(
            """
            db.transaction(async (tx) => {
                await tx.insert(users).values({username: name, email: name, password: "x"});
                await tx.insert(users).values({username: name.toUpperCase(), email: name, password: "x"});
            })
            """,
            name=name,
        )
    assert old.run("db.query.users.findFirst({where: eq(users.username, name)})", name=name) is None
