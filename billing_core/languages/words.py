"""The words on documents, in the languages that customers are written to in. The first is the one to fall back on."""

from collections.abc import Mapping
from typing import Final

LANGUAGES: Final = ("en", "de", "fr", "es")

_ALL: Final[dict[str, tuple[str, str, str, str]]] = {
    # Documents
    "invoice": ("Invoice", "Rechnung", "Facture", "Factura"),
    "credit_note": ("Credit note", "Gutschrift", "Avoir", "Nota de crédito"),
    "statement": ("Statement of account", "Kontoauszug", "Relevé de compte", "Estado de cuenta"),
    "draft": ("Draft", "Entwurf", "Brouillon", "Borrador"),
    "paid": ("Paid", "Bezahlt", "Payée", "Pagada"),
    "cancelled": ("Cancelled", "Storniert", "Annulée", "Anulada"),
    # Facts
    "number": ("Number", "Nummer", "Numéro", "Número"),
    "issued_on": ("Date", "Datum", "Date", "Fecha"),
    "due_on": ("Due date", "Fällig am", "Échéance", "Vencimiento"),
    "reference": ("Reference", "Referenz", "Référence", "Referencia"),
    "for_invoice": ("For invoice", "Zu Rechnung", "Pour la facture", "Para la factura"),
    "invoice_date": ("Invoice date", "Rechnungsdatum", "Date de la facture", "Fecha de la factura"),
    "reason": ("Reason", "Grund", "Motif", "Motivo"),
    "tax_id": ("Tax ID", "USt-IdNr.", "N° TVA", "NIF/IVA"),
    "your_tax_id": ("Your tax ID", "Ihre USt-IdNr.", "Votre n° TVA", "Su NIF/IVA"),
    "email": ("E-mail", "E-Mail", "E-mail", "Correo"),
    "phone": ("Phone", "Telefon", "Téléphone", "Teléfono"),
    # Table
    "description": ("Description", "Beschreibung", "Description", "Descripción"),
    "quantity": ("Quantity", "Menge", "Quantité", "Cantidad"),
    "unit_price": ("Unit price", "Einzelpreis", "Prix unitaire", "Precio unitario"),
    "discount": ("Discount", "Rabatt", "Remise", "Descuento"),
    "tax": ("Tax", "MwSt.", "TVA", "IVA"),
    "amount": ("Amount", "Betrag", "Montant", "Importe"),
    # Totals
    "lines_total": ("Sum of lines", "Summe der Positionen", "Total des lignes", "Suma de las líneas"),
    "rounding": ("Rounding", "Rundung", "Arrondi", "Redondeo"),
    "subtotal": ("Subtotal", "Nettobetrag", "Total HT", "Base imponible"),
    "tax_on": ("Tax {rate} on {net}", "MwSt. {rate} auf {net}", "TVA {rate} sur {net}", "IVA {rate} sobre {net}"),
    "total": ("Total", "Gesamtbetrag", "Total TTC", "Total"),
    "received": ("Paid", "Bezahlt", "Payé", "Pagado"),
    "credited": ("Credited", "Gutgeschrieben", "Crédité", "Abonado"),
    "written_off": ("Written off", "Ausgebucht", "Passé en perte", "Dado de baja"),
    "refunded": ("Refunded", "Erstattet", "Remboursé", "Reembolsado"),
    "amount_due": ("Amount due", "Zu zahlen", "Montant à payer", "Importe a pagar"),
    "amount_credited": ("Amount credited", "Gutschriftbetrag", "Montant crédité", "Importe abonado"),
    "paid_back": ("Of which refunded", "Davon erstattet", "Dont remboursé", "Del cual reembolsado"),
    # Below the totals
    "payment": ("Payment", "Zahlung", "Paiement", "Pago"),
    "payable_by": (
        "Payable by {day}",
        "Zahlbar bis {day}",
        "Payable au plus tard le {day}",
        "A pagar a más tardar el {day}",
    ),
    "payment_terms": ("Terms", "Zahlungsbedingungen", "Conditions", "Condiciones"),
    "bank_details": ("Bank details", "Bankverbindung", "Coordonnées bancaires", "Datos bancarios"),
    "quote": (
        "Please quote {number} with your payment.",
        "Bitte geben Sie bei der Zahlung {number} an.",
        "Merci d’indiquer {number} lors du paiement.",
        "Indique {number} al realizar el pago.",
    ),
    "pay_online": ("Pay online", "Online bezahlen", "Payer en ligne", "Pagar en línea"),
    "scan": ("Scan or click", "Scannen oder anklicken", "Scannez ou cliquez", "Escanee o haga clic"),
    "view_online": ("View online", "Online ansehen", "Voir en ligne", "Ver en línea"),
    "notes": ("Notes", "Hinweise", "Remarques", "Notas"),
    "page": (
        "Page {page} of {pages}",
        "Seite {page} von {pages}",
        "Page {page} sur {pages}",
        "Página {page} de {pages}",
    ),
    # Statement
    "period": ("Period", "Zeitraum", "Période", "Periodo"),
    "opening_balance": ("Opening balance", "Anfangssaldo", "Solde initial", "Saldo inicial"),
    "closing_balance": ("Closing balance", "Endsaldo", "Solde final", "Saldo final"),
    "charges": ("Charged", "Soll", "Débit", "Cargos"),
    "credits": ("Credited", "Haben", "Crédit", "Abonos"),
    "balance": ("Balance", "Saldo", "Solde", "Saldo"),
    "refund": ("Refund", "Erstattung", "Remboursement", "Reembolso"),
    "online": ("online", "online", "en ligne", "en línea"),
    "credit_paid_out": ("Credit paid out", "Guthaben ausgezahlt", "Avoir versé", "Saldo a favor pagado"),
    "credit_applied": ("Credit used", "Guthaben verrechnet", "Avoir utilisé", "Saldo a favor aplicado"),
    "write_off": ("Write-off", "Ausbuchung", "Passage en perte", "Baja contable"),
    "other": ("Correction", "Korrektur", "Correction", "Corrección"),
    "undone": ("{what}, undone", "{what}, rückgängig", "{what}, annulation", "{what}, anulación"),
    "in_your_favour": ("In your favour", "Ihr Guthaben", "En votre faveur", "A su favor"),
    "only_the_first": (
        "Only the first {count} entries are listed; the balances count all of them.",
        "Nur die ersten {count} Buchungen sind aufgeführt; die Salden enthalten alle.",
        "Seules les {count} premières écritures figurent ici ; les soldes les comptent toutes.",
        "Solo figuran los primeros {count} movimientos; los saldos los incluyen todos.",
    ),
    "not_yet_due": ("Not yet due", "Nicht fällig", "Non échu", "No vencido"),
    "days_late": ("{days} days late", "{days} Tage überfällig", "{days} jours de retard", "{days} días de retraso"),
    "later_than": ("Over {days} days", "Über {days} Tage", "Plus de {days} jours", "Más de {days} días"),
    "nothing_happened": (
        "Nothing was charged or paid in this period.",
        "In diesem Zeitraum gab es keine Bewegung.",
        "Aucun mouvement sur cette période.",
        "No hubo movimientos en este periodo.",
    ),
}


def by_language(side_by_side: Mapping[str, tuple[str, str, str, str]]) -> dict[str, dict[str, str]]:
    """Words that stand side by side in the order of ``LANGUAGES``, each language's together."""
    return {
        language: {key: words[index] for key, words in side_by_side.items()} for index, language in enumerate(LANGUAGES)
    }


WORDS: Final = by_language(_ALL)
