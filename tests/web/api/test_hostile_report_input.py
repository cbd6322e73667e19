"""Hostile input to the reports API, on both databases: the documented 4xx each time, and nothing is changed."""

import json

import pytest

from tests.web.api.reporting import ACME, two_customers

REPORTS = "/api/v2/reports/"
GENERATE = {"customer_id": ACME, "start_date": "2023-01-01", "end_date": "2023-01-31", "output_format": "json"}
SQL = "1' OR '1'='1'; DROP TABLE billing_reports; --"
PARAMETERS = {
    "customer_id": ["", " 1", "1.0", "1e3", "-1", "0", str(2**31), str(2**63), "9" * 5000, "١", "null", "1_0"],
    "start_date": ["", "0000-01-01", "2023-02-30", "2023-1-1", "20230101", "1675209600", "2023-01-01T00:00:00Z"],
    "end_date": ["10000-01-01", "-2023-01-01", "tomorrow", "NaN", "٢٠٢٣-01-01"],
    "created_after": ["0000-01-01", "2023-01-01T25:00:00Z", "2023-01-01T00:00:00", "1675209600", "2023-01-01 00:00"],
    "created_before": ["2023-01-01T00:00:00+99:99", "2023-01-01T00:00:60Z", "inf"],
    "order_by": [
        "",
        "-",
        "--id",
        "id,created_at",
        "total_minor",
        "created_at desc",
        "ID",
        "__class__",
        "question_count",
    ],
    "limit": ["0", "-1", "1001", "1e2", "NaN", ""],
    "starting_after": ["0", "999", "../1", "9" * 30, "9" * 5000],
    "page": ["2"],
    "customer": ["123"],
}
OF_THE_SUMMARY = ("customer_id", "limit", "page", "start_date")
PATHS = [
    *("0", "99", "-1", "1.0", "%00", "1%00", "9" * 19, "9" * 5000, "%D9%A1", "abc", "NaN", "..%2f1", "1%2f", "%2e%2e"),
    *("1;drop", "%27%20OR%201=1", "00000000-0000-0000-0000-000000000000", "{1}", "1%0a", "%ED%A0%80", "%FF"),
]
FORMATS = ["xyz", "", "CSV", "csv ", "../../etc/passwd", "csv/../json", "pdf\n", "\0", "dict", SQL, "x" * 5000]
FIELDS = {
    "customer_id": ["123", 123.5, True, None, [123], {"id": 123}, "", 1e400, float("nan")],
    "start_date": [20230101, None, "", "2023-02-30", "0000-01-01", "0001-01-01", "9999-12-31", "2023-01-01T00:00:00Z"],
    "end_date": ["9999-12-31", "2023-01-00", True, ["2023-01-31"], "2023-01-31\0"],
    "output_format": ["xyz", None, 1, "", "JSON", "../json", "\ud800", "x" * 5000],
    "surplus": [1],
    "created_by": ["me"],
}
BODIES = [
    b"",
    b"null",
    b"[]",
    b'"text"',
    b"{",
    b'{"customer_id": 123,}',
    b"\xff\xfe{}",
    b'{"customer_id": NaN, "start_date": "2023-01-01", "end_date": "2023-01-31"}',
    b'{"customer_id": 1' + b"0" * 5000 + b"}",
    b'{"customer_id": 123, "customer_id": 456, "start_date": "2023-01-01", "end_date": "2023-01-31"}',
    b"[" * 100_000,
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
]


@pytest.fixture
def asking(sessions, program):
    """A program, and a check that at its end everything is as it was."""
    with sessions.begin() as session:
        two_customers(session)
    client = program()
    before = client.get(REPORTS).content
    yield client
    assert client.get(REPORTS).content == before


def refused(answer, status: int, named: str = "") -> None:
    assert answer.status_code == status, answer.text
    (said,) = answer.json().values()
    assert named in said
    assert "Traceback" not in said


def test_parameters(asking):
    for name, values in PARAMETERS.items():
        for value in (*values, SQL, "\0", "a\0b", "x" * 3000, "\N{PILE OF POO}"):
            refused(asking.get(REPORTS, params={name: value}), 400, name)
            if name in OF_THE_SUMMARY:
                refused(asking.get(f"{REPORTS}customer-summary/", params={name: value}), 400, name)
    for raw in (b"customer_id=%ED%A0%80", b"customer_id=%FF", b"order_by=%00", b"start_date=%"):
        refused(asking.get(f"{REPORTS}?{raw.decode()}"), 400, raw.decode().split("=")[0])


def test_a_parameter_twice(asking):
    refused(asking.get(f"{REPORTS}?customer_id=123&customer_id=456"), 400, "customer_id: is given more than once")
    refused(asking.get(f"{REPORTS}1/download/?format=csv&format=csv"), 400, "format: is given more than once")


def test_ids_of_reports(asking):
    for path in PATHS:
        for rest in ("/", "/download/", "/download/?format=json"):
            answer = asking.get(REPORTS + path + rest)
            assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."}), path


def test_formats_of_downloads(asking):
    for value in FORMATS:
        answer = asking.get(f"{REPORTS}1/download/", params={"format": value})
        refused(answer, 400, "format")
    refused(asking.get(f"{REPORTS}99/download/?format=xyz"), 400, "Invalid format: xyz")


def test_bodies(asking):
    generate = f"{REPORTS}generate/"
    for name, values in FIELDS.items():
        for value in (*values, SQL, {"deep": [[[[]]]]}):
            body = json.dumps(GENERATE | {name: value})
            answer = asking.post(generate, content=body, headers={"Content-Type": "application/json"})
            refused(answer, 400)
    for name in ("customer_id", "start_date", "end_date"):
        without = {key: value for key, value in GENERATE.items() if key != name}
        refused(asking.post(generate, json=without), 400, f"{name}: is required")
    for surplus in ("surplus", "customer_email"):
        refused(asking.post(generate, json=GENERATE | {surplus: 1}), 400, f"{surplus}: is not known")
    for nobody in (0, -1, 2**31, 2**63, 10**30):
        answer = asking.post(generate, json=GENERATE | {"customer_id": nobody})
        refused(answer, 400, f"Customer with ID {nobody} not found")
    for body in BODIES:
        refused(asking.post(generate, content=body, headers={"Content-Type": "application/json"}), 400)
    refused(asking.post(generate, data=GENERATE), 400)
    refused(asking.post(generate, content=b" " * (1024 * 1024 + 1), headers={"Content-Type": "application/json"}), 413)
