"""What the environment says, read once."""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process; `template.yaml` gives each its value.

    Secrets are not among them: the database is entered with an IAM token where it is not local.
    """

    database_url: str
    """postgresql://user[:password]@host:port/database"""
    database_iam: bool
    """Sign an IAM token as the password of each connection."""
    database_socket_timeout: float | None
    """Seconds to wait for the database on the wire; none: as long as the function may run."""
    query_log: bool
    """Log every statement with its milliseconds."""
    verified_email_required: bool
    """Spins, claims and joins take a verified e-mail address."""
    legacy_app: bool
    """The application that came before still runs on the same data: write passwords so that it can check them."""
    link_base: str
    """Where the links in mail lead: the front end, or this API's own pages where there is none."""
    mail_from: str
    staff_address: str
    """Who is told of new tickets; empty: nobody."""


def _flag(name: str) -> bool:
    value = os.environ.get(name) or "false"
    if value not in {"true", "false"}:  # a switch that protects must not be off because of its spelling
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
