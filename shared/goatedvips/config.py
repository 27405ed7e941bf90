"""The settings, read once from the environment variables."""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process; `template.yaml` sets each.

    None is a secret: functions on AWS connect to the database with an IAM token.
    """

    database_url: str
    """postgresql://user[:password]@host:port/database"""
    database_iam: bool
    """Whether the password of each database connection is an IAM token."""
    database_socket_timeout: float | None
    """Seconds to wait for an answer of the database; None: no limit but the function's own."""
    query_log: bool
    """Whether every statement is logged with its milliseconds."""
    verified_email_required: bool
    """Whether spins, claims and joins need a verified e-mail address."""
    legacy_app: bool
    """Whether the legacy application still uses the database: passwords are then written in its scrypt format."""
    link_base: str
    """The URL in front of the paths of links in mail: the front end's, or this API's if there is no front end."""
    mail_from: str
    staff_address: str
    """Where mail on new tickets goes; empty: nowhere."""


def _flag(name: str) -> bool:
    value = os.environ.get(name) or "false"
    if value not in {"true", "false"}:  # a misspelled value must not switch a protection off
        raise ValueError(f"{name} must be true or false, not {value!r}")
    return value == "true"


def _read() -> Settings:
    timeout = os.environ.get("DATABASE_SOCKET_TIMEOUT")
    return Settings(
        database_url=os.environ.get("DATABASE_URL", ""),
        database_iam=_flag("DATABASE_IAM"),
        database_socket_timeout=float(timeout) if timeout else None,
        query_log=_flag("QUERY_LOG"),
        verified_email_required=_flag("VERIFIED_EMAIL_REQUIRED"),
        legacy_app=_flag("LEGACY_APP"),
        link_base=(os.environ.get("APP_URL") or os.environ.get("API_URL", "")).rstrip("/"),
        mail_from=os.environ.get("MAIL_FROM", ""),
        staff_address=os.environ.get("STAFF_ADDRESS", ""),
    )


settings = _read()
