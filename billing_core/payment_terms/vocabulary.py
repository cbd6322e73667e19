"""The words in which payment terms are agreed, by language: lower case, without accents, blanks for hyphens.

Each meaning is a mark that the reading goes by. What a language has no word for here is not understood: so "10 days
after delivery" and "5 working days" are nobody's guess.
"""

import enum
from typing import Final


class Meaning(enum.Enum):
    """Of words and figures. ``NEXT``: of the following month; ``FILLER``: nothing, as the words around terms do.

    ``MONTH_END``: days beside it count from it. ``TO_MONTH_END``: days before it count first, and the end of the month
    that they lead to is meant. ``FROM``: before a ``TO_MONTH_END``, days count from it nonetheless.
    ``INVOICE_RECEIPT``: days may count from it, while they do not from ``RECEIPT``, which is at once.
    """

    DAY = enum.auto()
    WEEK = enum.auto()
    MONTH_END = enum.auto()
    TO_MONTH_END = enum.auto()
    FROM = enum.auto()
    NEXT = enum.auto()
    AFTER_NEXT = enum.auto()
    NEXT_END = enum.auto()
    RECEIPT = enum.auto()
    INVOICE_RECEIPT = enum.auto()
    OR = enum.auto()
    NET = enum.auto()
    FILLER = enum.auto()
    NUMBER = enum.auto()
    PERCENT = enum.auto()
    DAY_OF_MONTH = enum.auto()


# "Net 30" is English, although "net" is French too: there a number says what it counts.
COUNTS_IN_WORDS: Final = frozenset({"fr"})

WORDS: Final[dict[str, dict[Meaning, str]]] = {
    "en": {
        Meaning.DAY: "day|days|d|calendar day|calendar days",
        Meaning.WEEK: "week|weeks",
        Meaning.MONTH_END: (
            "eom|e o m|end of month|end of the month|month end|end of this month|end of the invoice month|"
            "end of invoice month|end of the current month|end of current month|end of the month of invoice"
        ),
        Meaning.TO_MONTH_END: "then the end of that month|then end of that month|then to the end of that month",
        Meaning.NEXT: (
            "of the following month|of following month|of next month|of the next month|of the month following|"
            "following month|next month|prox|proximo|of the month after"
        ),
        Meaning.AFTER_NEXT: "of the second following month|of second following month|of the second month following",
        Meaning.NEXT_END: (
            "end of the following month|end of following month|end of next month|end of the next month|"
            "end of the month following"
        ),
        Meaning.RECEIPT: ("on receipt|upon receipt|immediately|immediate|at once|due now|cash|cash on receipt"),
        Meaning.INVOICE_RECEIPT: (
            "on receipt of invoice|upon receipt of invoice|on receipt of the invoice|upon receipt of the invoice|"
            "from receipt of invoice|from receipt of the invoice|from the receipt of the invoice|"
            "after receipt of invoice|after receipt of the invoice|after the receipt of the invoice|"
            "of receipt of invoice|of receipt of the invoice|following receipt of invoice|"
            "following receipt of the invoice|from invoice receipt|after invoice receipt"
        ),
        Meaning.OR: "or|otherwise|else",
        Meaning.NET: "net|n|without discount|without deduction",
        Meaning.FILLER: (
            "due|payable|payment|payments|paid|pay|is|are|the|a|an|of|after|from|within|in|by|on|upon|if|date|invoice|"
            "invoicing|terms|term|to|be|and|at|for|with|full|please|st|nd|rd|th|latest|no later than|"
            "not later than|discount|cash discount|early payment discount|early settlement discount|"
            "prompt payment discount|settlement|early|when|day of the invoice|strictly"
        ),
    },
    "de": {
        Meaning.DAY: "tag|tage|tagen|tg|kalendertag|kalendertage|kalendertagen",
        Meaning.WEEK: "woche|wochen",
        Meaning.TO_MONTH_END: (
            "monatsende|monatsultimo|ultimo|ende des monats|ende des laufenden monats|ende des rechnungsmonats|"
            "ende monat|ende des monates"
        ),
        Meaning.FROM: "nach|nach dem|ab|ab dem|vom|von",
        Meaning.NEXT: (
            "des folgemonats|folgemonats|folgemonat|des folgenden monats|des nachsten monats|nachsten monats|"
            "des naechsten monats|naechsten monats|des kommenden monats|des darauffolgenden monats"
        ),
        Meaning.AFTER_NEXT: (
            "des ubernachsten monats|ubernachsten monats|des uebernaechsten monats|uebernaechsten monats|"
            "des zweiten folgemonats"
        ),
        Meaning.NEXT_END: (
            "ende des folgemonats|ende folgemonat|ende des folgenden monats|ende des nachsten monats|"
            "ende nachsten monats|ende des naechsten monats|ende naechsten monats"
        ),
        Meaning.RECEIPT: (
            "sofort|umgehend|unverzuglich|unverzueglich|bei erhalt|nach erhalt|sofort nach erhalt|"
            "sofort nach erhalt der rechnung|sofort nach rechnungserhalt|sofort bei erhalt"
        ),
        Meaning.INVOICE_RECEIPT: (
            "bei erhalt der rechnung|nach erhalt der rechnung|ab erhalt der rechnung|bei rechnungserhalt|"
            "nach rechnungserhalt|ab rechnungserhalt|nach eingang der rechnung|ab eingang der rechnung|"
            "nach rechnungseingang|ab rechnungseingang|nach zugang der rechnung|ab zugang der rechnung"
        ),
        Meaning.OR: "oder|sonst|ansonsten",
        Meaning.NET: "netto|rein netto|netto kasse|ohne abzug|ohne skonto",
        Meaning.FILLER: (
            "zahlbar|zahlung|zahlungen|zahlungsziel|zahlungsfrist|zahlungsbedingung|zahlungsbedingungen|fallig|"
            "faellig|innerhalb|innert|binnen|von|in|bis|zum|zur|ab|nach|bei|mit|abzuglich|abzueglich|am|der|die|das|"
            "den|dem|des|und|dann|rechnungsdatum|rechnungsstellung|ausstellungsdatum|rechnung|datum|"
            "spatestens|spaetestens|bitte|zahlen|zu|fur|fuer|ist|ziel|frist|skonto|skontoabzug|nachlass|wir|gewahren|"
            "gewaehren|sind|rechnungsbetrag|betrag|ihrer|unserer"
        ),
    },
    "fr": {
        Meaning.DAY: "jour|jours|j|jrs",
        Meaning.WEEK: "semaine|semaines",
        Meaning.TO_MONTH_END: (
            "fin de mois|fin du mois|fdm|fin de ce mois|fin du mois de facturation|fin du mois en cours"
        ),
        Meaning.FROM: (
            "apres|apres la|a partir de|a partir de la|a compter de|a compter de la|de la|depuis la|suivant la"
        ),
        Meaning.NEXT: "du mois suivant|mois suivant|du mois prochain|mois prochain|du mois qui suit",
        Meaning.AFTER_NEXT: "du deuxieme mois suivant|du second mois suivant",
        Meaning.NEXT_END: "fin du mois suivant|fin de mois suivant|fin du mois prochain|fin mois suivant",
        Meaning.RECEIPT: ("a reception|des reception|comptant|au comptant|immediat|immediatement|paiement immediat"),
        Meaning.INVOICE_RECEIPT: (
            "a reception de facture|a reception de la facture|des reception de facture|des reception de la facture|"
            "apres reception de facture|apres reception de la facture|apres la reception de la facture|"
            "de la reception de la facture|suivant la reception de la facture"
        ),
        Meaning.OR: "ou|sinon",
        Meaning.NET: "net|nets|sans escompte",
        Meaning.FILLER: (
            "paiement|payable|reglement|regle|paye|a|sous|dans|les|le|la|de|du|d|des|l|delai|un|date|facture|"
            "facturation|emission|d emission|apres|partir|compter|en|cas|si|pour|et|echeance|au|plus|tard|"
            "conditions|avec|anticipe|est|par|er|escompte|remise|maximum"
        ),
    },
    "es": {
        Meaning.DAY: "dia|dias|d|dias naturales",
        Meaning.WEEK: "semana|semanas",
        Meaning.TO_MONTH_END: "fin de mes|final de mes|fin del mes|final del mes|fin del mes en curso",
        Meaning.FROM: (
            "despues de|despues del|desde|desde el|tras|tras el|a partir de|a partir del|a contar de|a contar del|"
            "a contar desde|a contar desde el"
        ),
        Meaning.NEXT: (
            "del mes siguiente|mes siguiente|del mes proximo|del proximo mes|proximo mes|del siguiente mes|"
            "del mes que viene"
        ),
        Meaning.AFTER_NEXT: "del segundo mes siguiente",
        Meaning.NEXT_END: "fin del mes siguiente|final del mes siguiente|fin de mes siguiente|fin del proximo mes",
        Meaning.RECEIPT: (
            "al recibo|a la recepcion|contado|al contado|inmediato|pago inmediato|inmediatamente|a la vista|a recepcion"
        ),
        Meaning.INVOICE_RECEIPT: (
            "al recibo de la factura|a la recepcion de la factura|al recibir la factura|a recepcion de factura|"
            "a recepcion de la factura|desde la recepcion de la factura|desde recepcion de factura|"
            "tras la recepcion de la factura|despues de la recepcion de la factura|de la recepcion de la factura"
        ),
        Meaning.OR: "o",
        Meaning.NET: "neto|netos|neta|sin descuento",
        Meaning.FILLER: (
            "pago|pagadero|pagadera|pagar|paga|plazo|vencimiento|vence|a|en|dentro|de|del|los|la|el|las|fecha|factura|"
            "emision|desde|tras|despues|partir|contar|si|se|y|por|con|un|al|condiciones|descuento|dto|pronto|"
            "anticipado|para|maximo|su"
        ),
    },
}
