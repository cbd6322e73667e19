"""What a payment intent of Stripe's tells about the payment."""

from typing import Final

import stripe

from billing_core.online_payments.gateway import PaymentDetails
from billing_core.online_payments.stripe import amounts

# What has to be asked for as a whole, below the intent.
EXPANDED: Final = ("latest_charge", "latest_charge.balance_transaction")


def details_of(intent: stripe.PaymentIntent) -> PaymentDetails:
    """The intent's own payment; the fee where Stripe knows it and did not exchange currencies."""
    charge = intent.latest_charge
    if not isinstance(charge, stripe.Charge):
        return PaymentDetails(intent.id, None, None)
    booked = charge.balance_transaction
    if not isinstance(booked, stripe.BalanceTransaction) or booked.currency != intent.currency:
        return PaymentDetails(intent.id, charge.id, None)
    return PaymentDetails(intent.id, charge.id, amounts.from_stripe(booked.fee, booked.currency))
