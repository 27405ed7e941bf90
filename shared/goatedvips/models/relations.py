"""The relations between the legacy application's tables, as ORM classes on the same tables.

They are for scripts, tests and interactive use. Handlers use only the tables, because importing the ORM takes about
100 ms of a cold start. A relation is never loaded lazily: name it in the query, as in
`select(User).options(selectinload(User.wheel_spins))`.
"""

from sqlalchemy.orm import DeclarativeBase, Mapped, relationship

from goatedvips.models import every


class Base(DeclarativeBase):
    """The base of the classes below."""

    metadata = every.metadata


class User(Base):
    """A member, who may be staff."""

    __table__ = every.accounts.users

    wheel_spins: Mapped[list["WheelSpin"]] = relationship(back_populates="user", lazy="raise")
    bonus_codes: Mapped[list["BonusCode"]] = relationship(back_populates="user", lazy="raise")
    wager_race_participations: Mapped[list["WagerRaceParticipant"]] = relationship(back_populates="user", lazy="raise")
    support_tickets: Mapped[list["SupportTicket"]] = relationship(
        back_populates="user", lazy="raise", foreign_keys=every.tickets.support_tickets.c.user_id
    )
    ticket_messages: Mapped[list["TicketMessage"]] = relationship(back_populates="user", lazy="raise")


class WheelSpin(Base):
    """One spin."""

    __table__ = every.wheel.wheel_spins

    user: Mapped[User | None] = relationship(back_populates="wheel_spins", lazy="raise")


class BonusCode(Base):
    """One bonus code."""

    __table__ = every.codes.bonus_codes

    user: Mapped[User | None] = relationship(back_populates="bonus_codes", lazy="raise")


class WagerRace(Base):
    """A race."""

    __table__ = every.races.wager_races

    participants: Mapped[list["WagerRaceParticipant"]] = relationship(back_populates="race", lazy="raise")


class WagerRaceParticipant(Base):
    """A member's participation in a race."""

    __table__ = every.races.wager_race_participants

    race: Mapped[WagerRace | None] = relationship(back_populates="participants", lazy="raise")
    user: Mapped[User | None] = relationship(back_populates="wager_race_participations", lazy="raise")


class SupportTicket(Base):
    """A support ticket."""

    __table__ = every.tickets.support_tickets

    user: Mapped[User | None] = relationship(
        back_populates="support_tickets", lazy="raise", foreign_keys=every.tickets.support_tickets.c.user_id
    )
    messages: Mapped[list["TicketMessage"]] = relationship(back_populates="ticket", lazy="raise")


class TicketMessage(Base):
    """A message on a ticket."""

    __table__ = every.tickets.ticket_messages

    ticket: Mapped[SupportTicket | None] = relationship(back_populates="messages", lazy="raise")
    user: Mapped[User | None] = relationship(back_populates="ticket_messages", lazy="raise")
