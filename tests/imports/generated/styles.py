"""How the cells of a column are written: numbers, prices and days as programs and people of several countries do."""

from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.imports.generated.meanings import At

MONTHS = {
    "en": "January February March April May June July August September October November December".split(),
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember".split(),
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(),
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split(),
}
_SHORT_MONTHS = {
    "en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(),
    "de": "Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez.".split(),
    "fr": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.".split(),
    "es": "ene feb mar abr may jun jul ago sep oct nov dic".split(),
}
_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()


@dataclass(frozen=True)
class Numbers:
    """``decimal`` sign, sign between groups of thousands (none: empty), at least so many decimals, and where the sign
    or code of a currency stands, if any.
    """

    decimal: str
    group: str
    decimals: int = 0
    money: str = ""

    @property
    def reading(self) -> str:
        return "point" if self.decimal == "." else "comma"

    def written(self, number: Decimal, currency: str = "") -> str:
        plain = f"{number.normalize():f}"
        whole, _, part = plain.partition(".")
        part = part.ljust(self.decimals, "0")
        if self.group == "lakh":
            head, tail = whole[:-3], whole[-3:]
            pairs = [head[max(place - 2, 0) : place] for place in range(len(head), 0, -2)][::-1]
            whole = ",".join([*pairs, tail])
        elif self.group:
            whole = f"{int(whole):,}".replace(",", self.group)
        text = f"{whole}{self.decimal}{part}" if part else whole
        return self.money.format(number=text, currency=currency) if self.money and currency else text


_GROUPS = {".": ("", "", ",", "'", " ", "lakh"), ",": ("", "", ".", "'", "’", " ", "\u00a0", "\u202f")}
NUMBERS = st.sampled_from([".", ","]).flatmap(
    lambda sign: st.builds(Numbers, st.just(sign), st.sampled_from(_GROUPS[sign]), st.sampled_from([0, 0, 2, 3]))
)
PRICES = st.sampled_from([".", ","]).flatmap(
    lambda sign: st.builds(
        Numbers,
        st.just(sign),
        st.sampled_from(_GROUPS[sign]),
        st.sampled_from([0, 2, 2, 4]),
        st.sampled_from(["", "", "{currency}{number}", "{currency} {number}", "{number} {currency}"]),
    )
)
SIGNS = {"USD": ("$", "US$", "USD"), "EUR": ("€", "EUR"), "GBP": ("£", "GBP"), "CHF": ("CHF", "Fr."), "JPY": ("¥",)}


@dataclass(frozen=True)
class Days:
    """A pattern, ``{d} {m} {y}`` as numbers, and the time behind it. ``order``: what a person says of it when asked."""

    pattern: str
    order: str = ""
    padded: bool = True
    time: str = ""
    language: str = "en"

    def written(self, meaning: Any) -> str:
        day = meaning.local if isinstance(meaning, At) else meaning
        width = 2 if self.padded else 1
        names, short = MONTHS[self.language], _SHORT_MONTHS[self.language]
        text = self.pattern.format(
            d=f"{day.day:0{width}}",
            m=f"{day.month:0{width}}",
            y=f"{day.year:04}",
            s=f"{day.year % 100:02}",
            name=names[day.month - 1],
            short=short[day.month - 1],
            weekday=_WEEKDAYS[day.weekday()],
        )
        if isinstance(meaning, At):
            return f"{text} {meaning.local:%H:%M:%S} {_offset(meaning.offset)}"
        return text + _TIMES[self.time].format(at=time((day.toordinal() * 7) % 24, day.day, 59))


_TIMES = {
    "": "",
    "24": " {at:%H:%M}",
    "24s": " {at:%H:%M:%S}",
    "12": " {at:%I:%M %p}",
    "12s": ", {at:%I:%M:%S %p}",
    "T": "T{at:%H:%M:%S}",
}
_SIGNED = ("/", "-", ".")


def _offset(offset: timedelta) -> str:
    minutes = int(offset.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"


@st.composite
def days(draw: st.DrawFn) -> Days:
    kind = draw(st.sampled_from(["iso", "day", "month", "short", "short year first", "named", "year", "compact"]))
    sign = draw(st.sampled_from(_SIGNED))
    clock = draw(st.sampled_from(["", "", *_TIMES]))
    padded = draw(st.booleans())
    match kind:
        case "iso":
            return Days("{y}-{m}-{d}", time=clock)
        case "compact":
            return Days("{y}{m}{d}")
        case "year":
            return Days(f"{{y}}{sign}{{m}}{sign}{{d}}", padded=padded, time=_spaced(clock))
        case "day":
            return Days(f"{{d}}{sign}{{m}}{sign}{{y}}", "day-first", padded, _spaced(clock))
        case "month":  # nobody writes it with points
            return Days(
                "{m}/{d}/{y}" if sign == "." else f"{{m}}{sign}{{d}}{sign}{{y}}", "month-first", padded, _spaced(clock)
            )
        case "short":
            if draw(st.booleans()):
                return Days(f"{{d}}{sign}{{m}}{sign}{{s}}", "day-first", padded, _spaced(clock))
            return Days("{m}/{d}/{s}", "month-first", padded, _spaced(clock))
        case "short year first":
            return Days("{s}/{m}/{d}" if sign == "." else f"{{s}}{sign}{{m}}{sign}{{d}}", "year-first")
    language = draw(st.sampled_from(["en", "de", "fr", "es"]))
    patterns = {
        "en": ("{d} {name} {y}", "{short} {d}, {y}", "{d}-{short}-{s}", "{weekday}, {d} {name} {y}", "{name} {d}, {y}"),
        "de": ("{d}. {name} {y}", "{d}. {short} {y}", "{d} {short} {s}"),
        "fr": ("{d} {name} {y}", "{d} {short} {y}", "le {d} {name} {y}"),
        "es": ("{d} de {name} de {y}", "{d} {name} {y}", "{d}-{short}-{y}", "{d}-{short}-{s}"),
    }
    return Days(draw(st.sampled_from(patterns[language])), padded=padded, time=_spaced(clock), language=language)


def _spaced(time: str) -> str:
    return "24" if time == "T" else time


def serial(day: date, from_1904: bool = False) -> int:
    """As spreadsheets count days."""
    return (day - (date(1904, 1, 1) if from_1904 else date(1899, 12, 30))).days
