"""Every kind of import, in the order in which files depend on each other."""

from collections.abc import Sequence

from billing_core.imports import Kind
from billing_core.imports.kind import Definition
from billing_core.imports.kinds import customers, orders, plans, products, promo_codes, rates, services, usage
from billing_core.imports.mapping import guess, plain

DEFINITIONS: dict[Kind, Definition] = {
    definition.kind: definition
    for definition in (
        customers.DEFINITION,
        services.DEFINITION,
        products.DEFINITION,
        rates.DEFINITION,
        orders.ORDERS,
        orders.ORDER_ITEMS,
        plans.PLANS,
        plans.CUSTOMER_PLANS,
        promo_codes.DEFINITION,
        usage.DEFINITION,
    )
}


def guess_kind(header: Sequence[str], file_name: str) -> Kind:
    """The kind whose required columns are all present; among several, the one in the file's name, then the one with the
    most matching columns.
    """
    name = plain(file_name)

    def suits(definition: Definition) -> tuple[bool, bool, int]:
        guessed = guess(definition, header)
        complete = all(required in guessed for required in definition.required)
        words = (plain(definition.kind), plain(definition.title))
        return complete, any(word in name for word in words), len(guessed)

    return max(DEFINITIONS.values(), key=suits).kind
