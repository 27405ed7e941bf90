"""How the functions' roles, and what they may do, can differ from the declaration, each with its repair."""

from dataclasses import dataclass
from enum import Enum, auto


class FaultKind(Enum):
    """How a role, or what the roles need of the database, can differ from its declaration."""

    MISSING = auto()
    MAY_NOT_LOG_IN = auto()
    IS_LIMITED = auto()
    ENDS = auto()
    IS_SUPERUSER = auto()
    PASSES_ROW_SECURITY = auto()
    LACKS_SETTING = auto()
    HAS_ANOTHER_SETTING_HERE = auto()
    LACKS_RIGHT = auto()
    HAS_RIGHT = auto()
    LACKS_USE = auto()
    LACKS_EXECUTE = auto()
    HAS_EXECUTE = auto()
    DATABASE_IS_SHUT = auto()
    LACKS_POLICY = auto()
    OTHERS_HAVE_RIGHTS = auto()
    OTHERS_HAVE_EXECUTE = auto()


@dataclass(frozen=True)
class Fault:
    """What a role lacks, or has and must not have.

    Parameters
    ----------
    what: a sentence without its full stop.
    repair: the statements that put it right.
    is_of_role: whether it takes the right to alter the role; else it takes the owner of this database's things.
    """

    kind: FaultKind
    what: str
    repair: str
    is_of_role: bool = True
