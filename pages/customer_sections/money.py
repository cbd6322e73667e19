"""What a customer owes and what is kept for it, on every tab of its page."""

from billing_core.customers.models import Customer
from billing_core.figures import Scope
from billing_core.identity import Actor
from billing_core.receivables import figures
from pages.ui.figures import cards
from pages.ui.figures.cards import Card
from pages.ui.reads import Reader


def draw(read: Reader, actor: Actor, customer: Customer) -> None:
    scope = Scope(customer_id=actor.customer_id or customer.id, today=read.days)
    owed = Card(figures.OUTSTANDING, scope, currency=customer.currency)
    more = [Card(figures.OVERDUE, scope), Card(figures.CUSTOMER_CREDIT, scope)]
    known = cards.values(read, [owed, *more])
    # Who owes nothing and is owed nothing needs no cards that say so.
    if any(known.values()):
        cards.draw([owed, *(card for card in more if card.amounts(known, scope))], known, key="customer_owes")
