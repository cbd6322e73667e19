"""Payment terms in the words of a customer's language."""

from decimal import Decimal

from billing_core.languages.available import nearest
from billing_core.languages.formats import Writing, writing
from billing_core.payment_terms.reading import read
from billing_core.payment_terms.terms import LONGEST_TEXT, Basis, EarlyPayment, Terms


def in_language(text: str, language: str) -> str:
    """The text as it is printed for customers of this language: the same terms in its words. What is said in that
    language already, what is not understood, and what is too long in it stays as it was written.
    """
    reading = read(text)
    if reading is None or nearest(language) in reading.languages:
        return text
    translated = written(reading.terms, writing(language))
    return translated if len(translated) <= LONGEST_TEXT else text


def written(terms: Terms, words: Writing) -> str:
    """``Net 30 days, 2% discount within 14 days``; ``reading`` reads it as the same terms."""
    parts = [_due(terms, words), *(_discount(one, words) for one in terms.discounts)]
    return ", ".join(parts)


def _discount(discount: EarlyPayment, words: Writing) -> str:
    days = words.ngettext("within {days} day", "within {days} days", Decimal(discount.days)).format(days=discount.days)
    percent = words.percent(discount.percent)
    return words.gettext("{percent} discount {within_days}").format(percent=percent, within_days=days)


def _due(terms: Terms, words: Writing) -> str:
    match terms.basis:
        case Basis.ISSUE if not terms.days:
            return words.gettext("Due on receipt")
        case Basis.ISSUE:
            text = words.ngettext("Net {days} day", "Net {days} days", Decimal(terms.days))
            return text.format(days=terms.days)
        case Basis.MONTH_END if not terms.days:
            return words.gettext("End of the month")
        case Basis.MONTH_END:
            text = words.ngettext(
                "{days} day after the end of the month", "{days} days after the end of the month", Decimal(terms.days)
            )
            return text.format(days=terms.days)
        case Basis.TO_MONTH_END:
            text = words.ngettext(
                "{days} day, then the end of that month", "{days} days, then the end of that month", Decimal(terms.days)
            )
            return text.format(days=terms.days)
        case Basis.DAY_OF_MONTH if terms.months == 1 and terms.day >= 31:
            return words.gettext("End of the following month")
        case Basis.DAY_OF_MONTH if terms.months == 1:
            return words.gettext("On day {day} of the following month").format(day=terms.day)
        case Basis.DAY_OF_MONTH:
            return words.gettext("On day {day} of the second following month").format(day=terms.day)
