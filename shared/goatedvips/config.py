"""The settings, read once from the environment variables."""

import os
from types import SimpleNamespace


class Settings(SimpleNamespace):  # a dataclass would cost the authorizer 8 ms, for importing `inspect`
    """The settings of one process; `template.yaml` sets each but `database_ca_file`.

    The only secret is `origin_secret`. Functions on AWS connect to the database with an IAM token; what else is secret
    is in AWS Secrets Manager.
    """

    database_url: str
    """postgresql://user[:password]@host:port/database; the template gives the user in a variable of its own."""
    database_iam: bool
    """Whether the password of each database connection is an IAM token."""
    database_ca_file: str
    """A PEM file with the authorities that may sign the database's certificate, in a layer; empty: Amazon's."""
    database_socket_timeout: float | None
    """Seconds to wait for an answer of the database; None: no limit but the function's own."""
    origin_secret: str
    """What CloudFront proves with that a request came through it; empty if there is no CloudFront."""
    query_log: bool
    """Whether every statement is logged with its milliseconds."""
    verified_email_required: bool
    """Whether spins, claims and joins need a verified e-mail address."""
    legacy_app: bool
    """Whether the legacy application still uses the database: passwords are then written in its scrypt format."""
    link_base: str
    """The URL in front of the paths of links in mail: the front end's, or this API's if there is no front end."""
    api_url: str
    """The URL of this API, without a slash at its end: one-click unsubscribing leads there."""
    critical_mail_set: str
    """The configuration set of critical mail, which SES delivers to addresses on its suppression list too; may be
    empty."""
    bulk_mail_set: str
    """The configuration set of all other mail; may be empty."""
    mail_events_topic: str
    """The ARN of the SNS topic that SES reports bounces and complaints to; only handle_mail_events has it."""
    mail_from: str
    mail_rate: int
    """The greatest number of messages that SES takes from this account in a second."""
    mail_tenant: str
    """The SES tenant that mail is sent by; empty: none."""
    staff_address: str
    """Where mail on new tickets goes; empty: nowhere."""
    inbox_url: str
    """Where a push message leads to: the front end's page of the member's inbox, or this API's route."""
    push_public_key: str
    """The public key (VAPID, RFC 8292) that browsers subscribe to push with; empty: there is no push."""
    push_key_secret: str
    """The secret with its private key; only send_pushes has it."""
    push_services_url: str
    """The base URL of a stand-in for browsers' push services, on a developer's machine; empty for the services."""
    affiliate_api_url: str
    """The complete URL of the feed; only fetch_wagers has it."""
    affiliate_token_secret: str
    """The secret with the bearer token for it."""
    feed_bucket: str
    """The name of the bucket with the raw feeds."""
    feed_least_percent: int
    """Of the uids of the last whole feed, how many percent a feed must have to be whole."""
    ticket_base: str
    """URL that, with a ticket's id behind it, leads staff to the ticket: the front end's page, or this API's route."""


def _flag(name: str) -> bool:
    value = os.environ.get(name) or "false"
    if value not in {"true", "false"}:  # a misspelled value must not switch a protection off
        raise ValueError(f"{name} must be true or false, not {value!r}")
    return value == "true"


def _database_url() -> str:
    """Return the database's URL with the user whom the template gives beside it."""
    url, user = os.environ.get("DATABASE_URL", ""), os.environ.get("DATABASE_USER", "")
    return url.replace("://", f"://{user}@", 1) if user else url


def _read() -> Settings:
    timeout = os.environ.get("DATABASE_SOCKET_TIMEOUT")
    app_url, api_url = (os.environ.get(name, "").rstrip("/") for name in ("APP_URL", "API_URL"))
    return Settings(
        database_url=_database_url(),
        database_iam=_flag("DATABASE_IAM"),
        database_ca_file=os.environ.get("DATABASE_CA_FILE", ""),
        database_socket_timeout=float(timeout) if timeout else None,
        origin_secret=os.environ.get("ORIGIN_SECRET", ""),
        query_log=_flag("QUERY_LOG"),
        verified_email_required=_flag("VERIFIED_EMAIL_REQUIRED"),
        legacy_app=_flag("LEGACY_APP"),
        link_base=app_url or api_url,
        api_url=api_url,
        critical_mail_set=os.environ.get("CRITICAL_MAIL_SET", ""),
        bulk_mail_set=os.environ.get("BULK_MAIL_SET", ""),
        mail_events_topic=os.environ.get("MAIL_EVENTS_TOPIC", ""),
        mail_from=os.environ.get("MAIL_FROM", ""),
        mail_rate=int(os.environ.get("MAIL_RATE") or 1),
        mail_tenant=os.environ.get("MAIL_TENANT", ""),
        staff_address=os.environ.get("STAFF_ADDRESS", ""),
        inbox_url=f"{app_url}/notifications" if app_url else f"{api_url}/v1/me/notifications",
        push_public_key=os.environ.get("PUSH_PUBLIC_KEY", ""),
        push_key_secret=os.environ.get("PUSH_KEY_SECRET", ""),
        push_services_url=os.environ.get("PUSH_SERVICES_URL", ""),
        affiliate_api_url=os.environ.get("AFFILIATE_API_URL", ""),
        affiliate_token_secret=os.environ.get("AFFILIATE_TOKEN_SECRET", ""),
        feed_bucket=os.environ.get("FEED_BUCKET", ""),
        feed_least_percent=int(os.environ.get("FEED_LEAST_PERCENT") or 80),
        ticket_base=f"{app_url}/admin/tickets" if app_url else f"{api_url}/v1/tickets",
    )


settings = _read()
