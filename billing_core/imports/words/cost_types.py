"""Words for what a service is charged by. *Carton* and *box* are cases to one and packages to another, and a price per
kilogram is one per weight unit only where weights are in kilograms: these are asked about.
"""

import re
from typing import Final

from billing_core.imports.words.spelling import snake
from billing_core.rating.models import CostType

_WORDS: Final = {
    CostType.PER_ORDER: "order auftrag bestellung commande pedido ordine",
    CostType.PER_ITEM: "item unit piece pc pce each ea stuck stueck unite pieza unidad pezzo",
    CostType.PER_SKU: "sku",
    CostType.PER_CASE: "case",
    CostType.PER_LOOSE_UNIT: "loose_unit loose_piece",
    CostType.PER_PACKAGE: "package parcel paket colis paquete pacco",
    CostType.PER_WEIGHT_UNIT: "weight_unit weight unit_of_weight",
}
_COST_TYPES: Final = {word: cost_type for cost_type, known in _WORDS.items() for word in known.split()}
_PER: Final = re.compile(r"^(?:(?:charged_)?per|an?|each|je|pro|par|por)_|^/_?")


def cost_type_named(text: str) -> CostType | None:
    """``per_order``, ``Per Order``, ``order``, ``/ order``, ``orders``."""
    word = snake(text)
    if word in set(CostType):
        return CostType(word)
    bare = _PER.sub("", word)
    return _COST_TYPES.get(bare) or _COST_TYPES.get(bare.removesuffix("s"))
