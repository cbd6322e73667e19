"""Every kind of import, in the order in which files depend on each other."""

from billing_core.imports import customers, orders
from billing_core.imports.kinds import Definition, Kind

DEFINITIONS: dict[Kind, Definition] = {
    definition.kind: definition for definition in (customers.DEFINITION, orders.ORDERS, orders.ORDER_ITEMS)
}
