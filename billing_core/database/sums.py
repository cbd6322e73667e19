"""However many amounts there are of a currency, they can be added up: databases do so in 64 bits."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from billing_core.errors import Invalid
from billing_core.money import Money

# In minor units. Below half of what 64 bits hold: what is taken back and charged again counts twice in the ledger.
MOST: Final = 4 * 10**18
# Only amounts beyond this lead to the question what there is: of smaller ones it takes four million.
_LARGE: Final = 10**12


def refuse_beyond(
    session: Session,
    amount: InstrumentedAttribute[int],
    currency: InstrumentedAttribute[str],
    adding: Mapping[str, int],
    *,
    what: str,
) -> None:
    """Invalid if all there is of a currency, with what is added to it, could not be added up any more; ``adding`` are
    minor units by currency, ``what`` a noun such as “invoices”.
    """
    for code, minor in adding.items():
        if minor > _LARGE:
            known = session.scalar(select(func.sum(amount)).where(currency == code)) or 0
            if known + minor > MOST:
                raise Invalid(
                    f"All {what} in {code} would come to more than {Money(MOST, code)}, beyond which nobody could add "
                    "them up"
                )
