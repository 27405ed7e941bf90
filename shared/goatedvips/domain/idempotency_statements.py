"""The statements of `goatedvips.domain.idempotency`."""

from sqlalchemy import CTE, bindparam, case, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert

from goatedvips.domain import access
from goatedvips.domain.access import NOW
from goatedvips.models.operations import idempotency_records as records

_REQUEST_HASH = bindparam("given_request_hash", type_=records.c.request_hash.type)


def _claim(caller: CTE) -> ReturningInsert[int, bytes, int | None, str | None]:
    """Return the upsert that claims a key. A concurrent request with the same key waits for its lock on the record."""
    new = insert(records).from_select(
        ["user_id", "request_hash", "key", "body_hash", "created_at"],
        select(caller.c.id, _REQUEST_HASH, bindparam("given_key"), bindparam("given_body_hash"), NOW),
    )
    expired = records.c.created_at <= bindparam("kept_since", type_=records.c.created_at.type)
    return new.on_conflict_do_update(
        index_elements=["user_id", "request_hash", "key"],
        set_={  # a record that has not expired does not change
            "body_hash": case((expired, new.excluded.body_hash), else_=records.c.body_hash),
            "status": case((expired, None), else_=records.c.status),
            "answer": case((expired, None), else_=records.c.answer),
            "created_at": case((expired, new.excluded.created_at), else_=records.c.created_at),
        },
    ).returning(records.c.id, records.c.body_hash, records.c.status, records.c.answer)


claim_for_member = _claim(access.member())
claim_for_staff = _claim(access.staff())
store_answer = (
    update(records)
    .where(records.c.id == bindparam("record_id"))
    .values(status=bindparam("answer_status"), answer=bindparam("answer_body"))
    .returning(records.c.id)
    .execution_options(commit_enclosing=True)
)
