"""What the customer's page of an invoice says beside the document's own words, in the customers' languages."""

from typing import Final

from billing_core.languages.words import by_language

_ALL: Final[dict[str, tuple[str, str, str, str]]] = {
    "download": ("Download PDF", "PDF herunterladen", "Télécharger le PDF", "Descargar PDF"),
    "bill_to": ("Bill to", "Rechnung an", "Facturé à", "Facturar a"),
    "lines": ("Items", "Positionen", "Lignes", "Conceptos"),
    "questions": ("Questions?", "Fragen?", "Des questions ?", "¿Alguna pregunta?"),
    # Badges
    "open": ("Open", "Offen", "À payer", "Pendiente"),
    "overdue": ("Overdue", "Überfällig", "En retard", "Vencida"),
    # Sentences
    "overdue_since": (
        "This invoice was payable by {day}.",
        "Diese Rechnung war bis zum {day} zu zahlen.",
        "Cette facture était à payer au plus tard le {day}.",
        "Esta factura debía pagarse a más tardar el {day}.",
    ),
    "paid_on": (
        "This invoice was paid on {day}. Thank you.",
        "Diese Rechnung wurde am {day} bezahlt. Vielen Dank.",
        "Cette facture a été payée le {day}. Merci.",
        "Esta factura se pagó el {day}. Gracias.",
    ),
    "was_refunded": (
        "What was paid for this invoice was refunded.",
        "Der für diese Rechnung gezahlte Betrag wurde erstattet.",
        "Le montant payé pour cette facture a été remboursé.",
        "El importe pagado por esta factura se ha reembolsado.",
    ),
    "was_cancelled": (
        "This invoice was cancelled. Nothing is to be paid for it.",
        "Diese Rechnung wurde storniert. Es ist nichts dafür zu zahlen.",
        "Cette facture a été annulée. Il n’y a rien à payer.",
        "Esta factura se ha anulado. No hay nada que pagar.",
    ),
    # Where there is nothing to show
    "not_found": (
        "There is no invoice at this address",
        "Unter dieser Adresse gibt es keine Rechnung",
        "Aucune facture à cette adresse",
        "No hay ninguna factura en esta dirección",
    ),
    "not_found_advice": (
        "Check that the link is complete, or ask whoever sent it to you for a new one.",
        "Prüfen Sie, ob der Link vollständig ist, oder bitten Sie den Absender um einen neuen.",
        "Vérifiez que le lien est complet, ou demandez-en un nouveau à son expéditeur.",
        "Compruebe que el enlace esté completo o pida uno nuevo a quien se lo envió.",
    ),
    "too_often": (
        "Too many requests from your network",
        "Zu viele Anfragen aus Ihrem Netz",
        "Trop de demandes depuis votre réseau",
        "Demasiadas solicitudes desde su red",
    ),
    "too_often_advice": (
        "Wait a minute, then open the link again.",
        "Warten Sie eine Minute und öffnen Sie den Link dann erneut.",
        "Attendez une minute, puis ouvrez de nouveau le lien.",
        "Espere un minuto y vuelva a abrir el enlace.",
    ),
}

WORDS: Final = by_language(_ALL)
