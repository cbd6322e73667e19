"""How the cells of a column are written: found out from all of them, as one alone can often be read in two ways."""

import enum


class Written(enum.StrEnum):
    """What the cells of a column are, by which it is known how they may be written."""

    AS_IT_STANDS = "as it stands"
    TEXT = "text"
    CODE = "code"
    POSTAL_CODE = "postal code"
    NUMBER = "number"
    PERCENT = "percent"
    MONEY = "money"
    DAY = "day"
    INSTANT = "instant"
    MOMENT = "moment"
