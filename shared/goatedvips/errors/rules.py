"""What the rules of the platform refuse."""

from datetime import datetime
from typing import Literal, TypedDict

from goatedvips.errors.problem import Problem


class InvalidCredentials(Problem):
    """No account has this login and this password. On routes that take the current password: it is wrong."""

    status, code, title = 401, "invalid_credentials", "The login or the password is wrong"


class AccountSuspended(Problem):
    """Staff have suspended the account."""

    status, code, title = 403, "account_suspended", "This account is suspended"


class SelfExcluded(Problem):
    """The member has excluded themselves from play."""

    status, code, title = 403, "self_excluded", "You have excluded yourself from play"


class EmailUnverified(Problem):
    """Spins, claims and joins need a confirmed e-mail address."""

    status, code, title = 403, "email_unverified", "Confirm your e-mail address first"


class OwnRights(Problem):
    """Staff cannot suspend or reward themselves, change their own rights or decide their own request.

    Another staff member can.
    """

    status, code, title = 403, "own_rights", "Staff cannot change their own rights"


class CodeNotClaimable(Problem):
    """The code cannot be claimed by this member now. The answer does not say why."""

    status, code, title = 404, "code_not_claimable", "This code cannot be claimed"


class TokenInvalid(Problem):
    """A mailed token is wrong, used or expired."""

    status, code, title = 404, "token_invalid", "This link is invalid, used or expired"


class AlreadyLinked(Problem):
    """The casino account is linked to this member already, so there is nothing to request."""

    status, code, title = 409, "already_linked", "This casino account is already linked to you"


class AlreadySpun(Problem):
    """A member has one spin per UTC day. `spin_id` is today's spin, `next_spin_at` the time of the next one."""

    status, code, title = 409, "already_spun", "You have used today's spin"
    spin_id: int
    """The id of today's spin."""
    next_spin_at: datetime
    """When the next spin is possible."""


class CodeTaken(Problem):
    """Another code differs only in case, spaces, dashes or invisible characters."""

    status, code, title = 409, "code_taken", "An equivalent code exists already"


class EmailTaken(Problem):
    """Another account has this e-mail address; upper and lower case make no difference."""

    status, code, title = 409, "email_taken", "This e-mail address has an account"


class UsernameTaken(Problem):
    """Another account has this username; upper and lower case make no difference."""

    status, code, title = 409, "username_taken", "This username is taken"


class ExportTooLarge(Problem):
    """The member's data is over 4.5 MB after gzip, more than one answer can hold. Support can send it."""

    status, code, title = 409, "export_too_large", "Your data is too large for one answer"


class ExclusionRunning(Problem):
    """An exclusion can be ended only after `excluded_until`; a `permanent` one never ends."""

    status, code, title = 409, "exclusion_running", "Your exclusion has not ended yet"
    excluded_until: datetime | None
    """From when the exclusion can be ended; null if it is permanent."""
    permanent: bool
    """Whether it never ends."""


class ExclusionShorter(Problem):
    """The present exclusion ends later than the requested one, and it stays: `excluded_until`, or `permanent`."""

    status, code, title = 409, "exclusion_shorter", "An exclusion cannot be shortened"
    excluded_until: datetime | None
    """From when the present exclusion can be ended; null if it is permanent."""
    permanent: bool
    """Whether the present exclusion never ends."""


class LastStaff(Problem):
    """The change would leave no staff member. Make someone else staff first."""

    status, code, title = 409, "last_staff", "There must always be a staff member"


class LinkDecided(Problem):
    """Staff have decided this request already: `decision`."""

    status, code, title = 409, "link_decided", "This request has been decided already"
    decision: Literal["approved", "refused"]
    """What staff decided."""


class LinkPending(Problem):
    """A member can have one pending request. Wait for its decision."""

    status, code, title = 409, "link_pending", "You have a pending request already"


class UidTaken(Problem):
    """The casino account is linked to another member. Refuse the request, or settle with both whose account it is."""

    status, code, title = 409, "uid_taken", "This casino account belongs to another member"


class CampaignFrozen(Problem):
    """The campaign's mail is on its way or was sent, or the campaign is cancelled: only its status may still change."""

    status, code, title = 409, "campaign_frozen", "This campaign can no longer be changed"


class CampaignStatusRefused(Problem):
    """No campaign goes from the present status, `present`, to the requested one."""

    status, code, title = 409, "campaign_status_refused", "The campaign cannot get this status now"
    present: Literal["draft", "scheduled", "sending", "paused", "sent", "cancelled"]
    """The status of the campaign."""


class NotSettleable(Problem):
    """The race cannot be settled now; `detail` has the reason.

    It has not ended, is cancelled, lacks the feed of its end, or that came less than 30 minutes ago. Or its prizes
    cannot be computed.
    """

    status, code, title = 409, "not_settleable", "This race cannot be settled now"


class RaceClosed(Problem):
    """The race has ended or was cancelled."""

    status, code, title = 409, "race_closed", "This race does not take participants any more"


class RaceFrozen(Problem):
    """The race is live, over or cancelled, or belongs to a series, so this cannot change; `detail` has the reason."""

    status, code, title = 409, "race_frozen", "This can no longer be changed"


class RaceSettled(Problem):
    """The race is settled: its ranks and prizes are final."""

    status, code, title = 409, "race_settled", "This race is settled"


class SeedUnused(Problem):
    """No spin was drawn from the active server seed yet, so a rotation would reveal a seed that verifies nothing."""

    status, code, title = 409, "seed_unused", "There is no spin yet that a rotation would make verifiable"


class NewerMessage(TypedDict):
    """A message on a ticket that the caller had not seen."""

    id: int
    """The id of the message."""
    is_staff_reply: bool
    """Whether staff wrote it."""
    message: str
    """The message, as plain text."""
    created_at: datetime
    """When it was written."""


class TicketClosed(Problem):
    """The ticket was closed 14 days ago or earlier. Open a new one."""

    status, code, title = 409, "ticket_closed", "This ticket is closed"


class TicketMoved(Problem):
    """A newer message follows the one that the request names as the last. Read `newer_message`, then reply again."""

    status, code, title = 409, "ticket_moved", "There is a newer message"
    newer_message: NewerMessage
    """The first message that the caller had not seen."""
