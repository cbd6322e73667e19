"""A bank's refusal of a card: what its code means for the next try, and the sentence for people. Pure."""

from typing import Final

from billing_core.online_payments.gateway import ChargeOutcome

AUTHENTICATION_REQUIRED: Final = "authentication_required"
# Where the gateway would not ask the bank at all: the same request would be refused again.
REFUSED: Final = "refused"
# The card is lost, stolen or closed, or its holder has told the bank to refuse us: asking again can only harm. Stripe's
# words.
HARD: Final = frozenset(
    {
        "account_closed",
        "do_not_try_again",
        "fraudulent",
        "incorrect_number",
        "invalid_account",
        "lost_card",
        "merchant_blacklist",
        "pickup_card",
        REFUSED,
        "restricted_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "stolen_card",
        "stop_payment_order",
    }
)
_LONGEST: Final = 300


def outcome(code: str, decline_code: str) -> ChargeOutcome:
    """The outcome of a charge that did not succeed. ``code`` is the error's, ``decline_code`` the bank's own."""
    wanted = AUTHENTICATION_REQUIRED in (code, decline_code)
    return ChargeOutcome.AUTHENTICATION if wanted else ChargeOutcome.DECLINED


def is_hard(decline_code: str) -> bool:
    return decline_code in HARD


def reason(message: str, decline_code: str) -> str:
    """Why a payment failed, on one line."""
    said = one_line(message) or "The payment failed"
    code = one_line(decline_code).replace("_", " ")
    return (f"{said} ({code})" if code and code not in said else said)[:_LONGEST]


def one_line(text: object) -> str:
    """Text that any column can hold."""
    return " ".join("".join(char if char.isprintable() else " " for char in str(text)).split())
