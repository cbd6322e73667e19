# ruff: noqa: E501 - the lines of the files are as long as they are
"""The sample company's four files where they are at hand, and small files with all of their quirks where not."""

from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2].parent / "shared" / "samples" / "northwind"
FILES = {
    "customers": "customers.csv",
    "products": "products.csv",
    "orders": "orders.csv",
    "order-items": "order_details.csv",
}

CUSTOMERS = """\
CustomerID,CompanyName,ContactName,ContactTitle,Address,City,Region,PostalCode,Country,Phone,Fax
ALFKI,Alfreds Futterkiste,Maria Anders,Sales Representative,Obere Str. 57,Berlin,,12209,Germany,030-0074321,030-0076545
BLONP,Blondesddsl père et fils,Frédérique Citeaux,Marketing Manager,"24, place Kléber",Strasbourg,,67000,France,88.60.15.31,
ISLAT,Island Trading,Helen Bennett,Marketing Manager,Garden House,Cowes,Isle of Wight,PO31 7PJ,UK,(198) 555-8888,
LETSS,Let's Stop N Shop,Jaime Yorres,Owner,87 Polk St. Suite 5,San Francisco,CA,94117,USA,(415) 555-5938,
LILAS,LILA-Supermercado,Carlos González,Accounting Manager,Carrera 52 con Ave. Bolívar #65-98,Barquisimeto,Lara,3508,Venezuela,(9) 331-6954,
Val2 ,IT,Val2,IT,,,,,,,
"""
PRODUCTS = """\
ProductID,ProductName,QuantityPerUnit,UnitPrice,Discontinued
1,Chai,10 boxes x 20 bags,18,0
2,Chang,24 - 12 oz bottles,19,0
"""
ORDERS = """\
OrderID,CustomerID,OrderDate,RequiredDate,ShippedDate,Shipper,Freight,ShipName,ShipAddress,ShipCity,ShipRegion,ShipPostalCode,ShipCountry
10248,BLONP,1996-07-04 00:00:00.000,1996-08-01 00:00:00.000,1996-07-16 00:00:00.000,Federal Shipping,32.38,Vins et alcools Chevalier,59 rue de l-Abbaye,Reims,,51100,France
10249,LILAS,1996-07-05 00:00:00.000,1996-08-16 00:00:00.000,,Speedy Express,11.61,"Toms, Spezialitäten",Luisenstr. 48,Münster,,44087,Venezuela
10250,ISLAT,1998-05-06 00:00:00.000,1998-06-03 00:00:00.000,,United Package,38.28,Bon app-,"12, rue des Bouchers",Cowes,Isle of Wight,PO31,UK
"""
ORDER_DETAILS = """\
OrderID,ProductID,UnitPrice,Quantity,Discount
10248,1,14,12,0.0
10248,2,9.8,10,0.0
10249,99,18.6,9,0.05
10250,1,7.7,100,0.15
"""


def sample(kind: str) -> bytes:
    """One of the four files as they are; the test is skipped where they are not at hand."""
    file = SAMPLES / FILES[kind]
    if not file.exists():
        pytest.skip("the sample files are not on this machine")
    return file.read_bytes()
