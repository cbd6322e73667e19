"""The Northwind files, and what billing them must come to, computed from the files with nothing of ours."""

import csv
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

SAMPLE = Path(__file__).parents[3] / "shared" / "samples" / "northwind"
NAMES = ("customers.csv", "products.csv", "orders.csv", "order_details.csv")

# The same layout in small, for where the sample is not at hand: accents, a trailing blank, empty cells.
LOOK_ALIKE = {
    "customers.csv": (
        "CustomerID,CompanyName,ContactName,ContactTitle,Address,City,Region,PostalCode,Country,Phone,Fax\n"
        "ERNSH,Ernst Handel,Roland Mendel,Sales Manager,Kirchgasse 6,Graz,,8010,Austria,7675-3425,\n"
        "SAVEA,Save-a-lot Markets,Jose Pavarotti,Sales,187 Suffolk Ln.,Boise,ID,83720,USA,(208) 555-8097,\n"
        "BERGS,Berglunds snabbköp,Christina Berglund,Order,Berguvsvägen 8,Luleå,,S-958 22,Sweden,0921-12 34 65,\n"
    ),
    "products.csv": (
        "ProductID,ProductName,QuantityPerUnit,UnitPrice,Discontinued\n"
        "1,Chai,10 boxes x 20 bags,18,0\n2,Chang,24 - 12 oz bottles,19,0\n"
    ),
    "orders.csv": (
        "OrderID,CustomerID,OrderDate,RequiredDate,ShippedDate,Shipper,Freight,ShipName,ShipAddress,ShipCity,"
        "ShipRegion,ShipPostalCode,ShipCountry\n"
        "11001,ERNSH,1998-04-06 00:00:00.000,1998-05-04 00:00:00.000,1998-04-14 00:00:00.000,United Package,"
        "197.3,Ernst Handel,Kirchgasse 6,Graz,,8010,Austria\n"
        "11002,ERNSH ,1998-04-17 00:00:00.000,1998-05-15 00:00:00.000,,Speedy Express,"
        "81.83,Ernst Handel,Kirchgasse 6,Graz,,8010,Austria\n"
        "11003,SAVEA,1998-04-20 00:00:00.000,1998-05-18 00:00:00.000,1998-04-28 00:00:00.000,Federal Shipping,"
        "30.09,Save-a-lot Markets,187 Suffolk Ln.,Boise,ID,83720,USA\n"
        "11004,ERNSH,1998-05-01 00:00:00.000,1998-05-29 00:00:00.000,,Federal Shipping,"
        "55.12,Ernst Handel,Kirchgasse 6,Graz,,8010,Austria\n"
    ),
    "order_details.csv": (
        "OrderID,ProductID,UnitPrice,Quantity,Discount\n"
        "11001,1,14,12,0.0\n11001,2,9.8,10,0.0\n11002,1,14,40,0.05\n11003,2,9.8,7,0.0\n11004,1,14,5,0.0\n"
    ),
}


def files(folder: Path) -> list[Path]:
    """The sample's files as they are, or the look-alikes written into the folder."""
    if SAMPLE.is_dir():
        return [SAMPLE / name for name in NAMES]
    for name, text in LOOK_ALIKE.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in NAMES]


def charges(
    paths: list[Path], customer: str, month: str, *, per_order: Decimal, per_item: Decimal
) -> dict[str, tuple[Decimal, Decimal]]:
    """Order number -> (charge of the order, charge of its items), for a month such as ``1998-04``."""
    orders, details = paths[2], paths[3]
    items: dict[str, int] = defaultdict(int)
    for row in _rows(details):
        items[row["OrderID"].strip()] += int(row["Quantity"])
    return {
        row["OrderID"].strip(): (per_order, per_item * items[row["OrderID"].strip()])
        for row in _rows(orders)
        if row["CustomerID"].strip() == customer and row["OrderDate"].startswith(month)
    }


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
