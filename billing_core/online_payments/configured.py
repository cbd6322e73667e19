"""The configured gateway: Stripe where it has a key, otherwise our own sandbox."""

from billing_core.database import Sessions
from billing_core.invoices.payment_links import Mode
from billing_core.online_payments.gateway import Gateway
from billing_core.online_payments.sandbox.gateway import SandboxGateway
from billing_core.online_payments.stripe.gateway import StripeGateway, mode_of
from billing_core.settings import Settings


def gateway(sessions: Sessions, settings: Settings) -> Gateway:
    """Made anew for each use: it holds no connection."""
    key = settings.stripe_secret_key
    if key is None:
        return SandboxGateway(sessions, settings)
    return StripeGateway(key, base=settings.stripe_api_base)


def mode(settings: Settings) -> Mode:
    return Mode.SANDBOX if settings.stripe_secret_key is None else mode_of(settings.stripe_secret_key)


def webhook_secret(settings: Settings) -> str:
    """The secret that signs events: Stripe's, or for the sandbox one derived from our own secret."""
    if settings.stripe_webhook_secret is not None and settings.stripe_secret_key is not None:
        return settings.stripe_webhook_secret.get_secret_value()
    return f"whsec_{settings.derived('sandbox webhooks').hex()}"
