"""How a country writes town, region and postal code: the postal services' own rules, as the Universal Postal Union has
them.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycountry import countries

from billing_core.customers.town_lines import town_lines

COUNTRIES = sorted(country.alpha_2 for country in countries)


@pytest.mark.parametrize(
    ("country", "city", "state", "postal_code", "lines"),
    [
        ("US", "Oakland", "CA", "94607", ["Oakland, CA 94607"]),
        ("US", "Oakland", "", "94607", ["Oakland 94607"]),
        ("US", "", "CA", "94607", ["CA 94607"]),
        ("CA", "Ottawa", "ON", "K1A 0B1", ["Ottawa ON K1A 0B1"]),
        ("AU", "Sydney", "NSW", "2000", ["Sydney NSW 2000"]),
        ("GB", "London", "", "SW1A 2AA", ["London", "SW1A 2AA"]),
        ("DE", "Berlin", "", "10115", ["10115 Berlin"]),
        ("CH", "Zürich", "", "8001", ["8001 Zürich"]),
        ("IT", "Milano", "MI", "20121", ["20121 Milano MI"]),
        ("MX", "Monterrey", "N.L.", "64000", ["64000 Monterrey, N.L."]),
        ("BR", "São Paulo", "SP", "01310-100", ["São Paulo-SP", "01310-100"]),
        ("IN", "Mumbai", "Maharashtra", "400001", ["Mumbai 400001", "Maharashtra"]),
        ("MZ", "Maputo", "Maputo", "1100", ["1100 Maputo Maputo"]),
        ("PR", "San Juan", "", "00901", ["San Juan PR 00901"]),
        ("NZ", "Wellington", "", "6011", ["Wellington 6011"]),
    ],
)
def test_a_letter_finds_its_way(country, city, state, postal_code, lines):
    assert town_lines(country, city=city, state=state, postal_code=postal_code) == lines


@pytest.mark.parametrize("country", ["", "QQ", "ZZ", "DE", "HK"])
def test_what_a_country_has_no_place_for_stands_in_the_usual_order(country):
    assert town_lines(country, city="Town", state="Region", postal_code="123") == ["123 Town, Region"]


@given(st.sampled_from(COUNTRIES), *(st.sampled_from(["", text]) for text in ("Town", "Region", "123")))
def test_nothing_is_left_out_in_any_country(country, city, state, postal_code):
    lines = town_lines(country, city=city, state=state, postal_code=postal_code)
    assert all(text in " ".join(lines) for text in (city, state, postal_code))
    assert all(lines)
