"""Words for the status of an order that mean one thing everywhere.

What may have been refunded, refused, or never paid is in no list, nor what shops mean differently by it: *closed* is
refunded in one and done in another, *pending* and *unfulfilled* stay on orders that were cancelled. People are asked.
"""

from typing import Final

from billing_core.imports.words.spelling import snake
from billing_core.orders.models import OrderStatus

_WORDS: Final = {
    OrderStatus.DRAFT: "draft quote quotation entwurf angebot brouillon devis borrador presupuesto bozza",
    OrderStatus.SUBMITTED: "submitted new open confirmed placed neu offen bestatigt nouveau nouvelle confirme "
    "confirmee nuevo nueva confirmado confirmada nuovo confermato nieuw",
    OrderStatus.PROCESSING: "processing picking picked packing packed in_progress in_process allocated in_bearbeitung "
    "en_cours en_preparation en_proceso procesando in_lavorazione in_behandeling",
    OrderStatus.SHIPPED: "shipped in_transit dispatched sent versendet versandt verschickt expedie expediee "
    "envoye envoyee enviado enviada despachado spedito verzonden",
    OrderStatus.DELIVERED: "delivered geliefert zugestellt livre livree entregado entregada consegnato geleverd",
    OrderStatus.COMPLETED: "completed complete done fulfilled finished invoiced abgeschlossen erledigt termine "
    "terminee completado completada terminado completato afgerond",
    OrderStatus.CANCELLED: "cancelled canceled void voided storniert annulliert annule annulee cancelado cancelada "
    "anulado anulada annullato geannuleerd",
}
_STATUSES: Final = {word: status for status, known in _WORDS.items() for word in known.split()}


def status_named(text: str) -> OrderStatus | None:
    """None where the word may mean several."""
    return _STATUSES.get(snake(text).removeprefix("wc_"))
