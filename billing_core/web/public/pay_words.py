"""What the pages of a payment say, in the customers' languages."""

from typing import Final

from billing_core.languages.words import by_language

_ALL: Final[dict[str, tuple[str, str, str, str]]] = {
    "payment": ("Payment", "Zahlung", "Paiement", "Pago"),
    "to": ("to {issuer}", "an {issuer}", "à {issuer}", "a {issuer}"),
    "to_invoice": ("See the invoice", "Rechnung ansehen", "Voir la facture", "Ver la factura"),
    # The sandbox
    "sandbox": (
        "This is a test: no money moves",
        "Dies ist ein Test: Es fließt kein Geld",
        "Ceci est un test : aucun argent n’est débité",
        "Esto es una prueba: no se mueve dinero",
    ),
    "sandbox_advice": (
        "Pay with one of the test cards below. Never enter a real card.",
        "Zahlen Sie mit einer der Testkarten unten. Geben Sie nie eine echte Karte ein.",
        "Payez avec l’une des cartes de test ci-dessous. Ne saisissez jamais une vraie carte.",
        "Pague con una de las tarjetas de prueba de abajo. No introduzca nunca una tarjeta real.",
    ),
    "number": ("Card number", "Kartennummer", "Numéro de carte", "Número de tarjeta"),
    "expiry": ("Expiry date", "Ablaufdatum", "Date d’expiration", "Caducidad"),
    "expiry_form": ("MM / YY", "MM / JJ", "MM / AA", "MM / AA"),
    "cvc": ("Security code", "Prüfnummer", "Code de sécurité", "Código de seguridad"),
    "pay": ("Pay {amount}", "{amount} zahlen", "Payer {amount}", "Pagar {amount}"),
    "test_cards": ("Test cards", "Testkarten", "Cartes de test", "Tarjetas de prueba"),
    "any_date": (
        "With any expiry date in the future and any security code.",
        "Mit jedem Ablaufdatum in der Zukunft und jeder Prüfnummer.",
        "Avec n’importe quelle date d’expiration future et n’importe quel code de sécurité.",
        "Con cualquier fecha de caducidad futura y cualquier código de seguridad.",
    ),
    "succeeds": ("is paid", "wird bezahlt", "est payée", "se paga"),
    "card_declined": ("is declined", "wird abgelehnt", "est refusée", "se rechaza"),
    "expired_card": ("has expired", "ist abgelaufen", "est expirée", "está caducada"),
    "authentication_required": (
        "asks the cardholder",
        "fragt den Karteninhaber",
        "demande une authentification",
        "pide autenticación",
    ),
    # What is wrong with a field
    "incomplete": ("is not complete", "ist unvollständig", "est incomplet", "está incompleto"),
    "wrong": ("has a wrong digit", "enthält eine falsche Ziffer", "contient une erreur", "contiene un error"),
    "over": ("lies in the past", "liegt in der Vergangenheit", "est dépassée", "ya ha pasado"),
    "real": (
        "is not one of the test cards",
        "gehört zu keiner der Testkarten",
        "n’est pas celui d’une carte de test",
        "no es de ninguna tarjeta de prueba",
    ),
    # What became of it
    "failed_card_declined": (
        "The card was declined. Nothing was paid.",
        "Die Karte wurde abgelehnt. Es wurde nichts bezahlt.",
        "La carte a été refusée. Rien n’a été payé.",
        "La tarjeta fue rechazada. No se ha pagado nada.",
    ),
    "failed_expired_card": (
        "The card has expired. Nothing was paid.",
        "Die Karte ist abgelaufen. Es wurde nichts bezahlt.",
        "La carte est expirée. Rien n’a été payé.",
        "La tarjeta está caducada. No se ha pagado nada.",
    ),
    "failed_authentication_required": (
        "The payment was not confirmed. Nothing was paid.",
        "Die Zahlung wurde nicht bestätigt. Es wurde nichts bezahlt.",
        "Le paiement n’a pas été confirmé. Rien n’a été payé.",
        "El pago no se confirmó. No se ha pagado nada.",
    ),
    "bank": ("Your bank asks", "Ihre Bank fragt nach", "Votre banque demande", "Su banco pregunta"),
    "bank_question": (
        "Do you confirm this payment of {amount} to {issuer}?",
        "Bestätigen Sie diese Zahlung von {amount} an {issuer}?",
        "Confirmez-vous ce paiement de {amount} à {issuer} ?",
        "¿Confirma este pago de {amount} a {issuer}?",
    ),
    "confirm": ("Authenticate", "Bestätigen", "S’authentifier", "Autenticar"),
    "refuse": ("Fail authentication", "Ablehnen", "Refuser", "Rechazar"),
    "paid": ("Thank you, this is paid", "Vielen Dank, es ist bezahlt", "Merci, c’est payé", "Gracias, está pagado"),
    "paid_advice": (
        "{amount} for {number} has reached {issuer}.",
        "{amount} für {number} ist bei {issuer} eingegangen.",
        "{issuer} a reçu {amount} pour {number}.",
        "{issuer} ha recibido {amount} por {number}.",
    ),
    "confirming": (
        "Your payment is being confirmed",
        "Ihre Zahlung wird bestätigt",
        "Votre paiement est en cours de confirmation",
        "Su pago se está confirmando",
    ),
    "confirming_advice": (
        "This takes a moment. You need not stay: the invoice will show it as paid.",
        "Das dauert einen Moment. Sie brauchen nicht zu warten: Die Rechnung zeigt es dann als bezahlt.",
        "Cela prend un instant. Inutile d’attendre : la facture indiquera le paiement.",
        "Esto tarda un momento. No hace falta esperar: la factura lo mostrará como pagado.",
    ),
    "ended": (
        "This payment link cannot be used any more",
        "Dieser Zahlungslink ist nicht mehr gültig",
        "Ce lien de paiement n’est plus valable",
        "Este enlace de pago ya no es válido",
    ),
    "ended_advice": (
        "The invoice says what is still to be paid, and how.",
        "Die Rechnung sagt, was noch zu zahlen ist und wie.",
        "La facture indique ce qui reste à payer, et comment.",
        "La factura indica lo que queda por pagar y cómo.",
    ),
    "not_found": (
        "There is nothing to pay at this address",
        "Unter dieser Adresse ist nichts zu zahlen",
        "Il n’y a rien à payer à cette adresse",
        "No hay nada que pagar en esta dirección",
    ),
}

WORDS: Final = by_language(_ALL)
