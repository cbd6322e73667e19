"""Changing a customer, and who sees which."""

import pytest
from sqlalchemy import select

from billing_core.audit.models import AuditEntry
from billing_core.customers import queries, service
from billing_core.errors import Conflict, Forbidden, Invalid, NotFound
from billing_core.identity import SYSTEM, Actor, Role, actor_with
from tests.reports.company import NOW, a_customer

ADMIN = actor_with(Role.ADMIN, user_id=1, name="Ada")


def change(session, customer_id, *, actor=ADMIN, version=1, **facts):
    return service.change(session, actor, customer_id, version=version, facts=facts, now=NOW)


def test_a_change_is_saved_with_its_trace(session):
    acme = a_customer(session)

    changed = change(session, acme, name="  Acme Holding ", country="Germany", city="Köln")

    assert (changed.name, changed.country, changed.version) == ("Acme Holding", "DE", 2)
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "customer.write")).one()
    assert entry.before == {"name": "Acme Corp", "country": "", "city": ""}
    assert entry.after == {"name": "Acme Holding", "country": "DE", "city": "Köln"}


def test_lists_of_addresses_are_kept_once_each_in_one_way_of_writing(session):
    acme = a_customer(session)
    lists = {"further_emails": "Ben <ben@acme.example>;", "cc_emails": "cfo@acme.example\n; ap@acme.example"}
    changed = change(session, acme, email="ap@acme.example", **lists, bcc_emails="BEN@acme.example, us@ours.example")
    assert (changed.email, changed.further_emails) == ("ap@acme.example", "ben@acme.example")
    assert (changed.cc_emails, changed.bcc_emails) == ("cfo@acme.example", "us@ours.example")
    with pytest.raises(Invalid) as refusal:
        change(session, acme, version=2, email="ap@acme.example", cc_emails="nobody")
    assert [*refusal.value.fields] == ["cc_emails"]


def test_saving_without_a_change_leaves_no_trace(session):
    acme = a_customer(session)
    assert change(session, acme, name="Acme Corp").version == 1
    assert session.scalars(select(AuditEntry)).all() == []


def test_a_stale_form_does_not_overwrite_what_somebody_else_saved(session):
    acme = a_customer(session)
    change(session, acme, city="Bonn")

    with pytest.raises(Conflict, match="Somebody else"):
        change(session, acme, city="Köln")

    assert queries.one(session, ADMIN, acme).city == "Bonn"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "  "),
        ("name", "x" * 201),
        ("country", "Atlantis"),
        ("email", "no address"),
        ("city", "a\x00b"),
        ("name", "Acme \x1b[2J"),
        ("currency", "EUR"),
        ("ref", "OTHER"),
    ],
)
def test_what_is_wrong_is_refused_by_the_name_of_the_field(session, field, value):
    acme = a_customer(session)
    with pytest.raises(Invalid) as refused:
        change(session, acme, **{field: value})
    assert list(refused.value.fields) == [field]


def test_only_administrators_change_customers(session):
    acme = a_customer(session)
    with pytest.raises(Forbidden):
        change(session, acme, actor=actor_with(Role.MANAGER, user_id=2, name="Mia"), name="Mine")


def test_somebody_bound_to_one_customer_sees_that_one_alone(session):
    acme, other = a_customer(session), a_customer(session, "OTHER")
    bound = actor_with(Role.ADMIN, user_id=3, name="Bo", customer_id=acme)

    assert queries.count(session, bound) == 1
    assert [identity for identity, *_ in queries.names(session, bound)] == [acme]
    for read in (lambda: queries.one(session, bound, other), lambda: queries.id_of(session, bound, "OTHER")):
        with pytest.raises(NotFound):
            read()


def test_customers_are_searched_by_their_name_whatever_the_case(session):
    for ref, name, currency in (("A", "Zeta 100%", "USD"), ("B", "alpha", "EUR"), ("C", "Beta", "USD")):
        a_customer(session, ref, name=name, currency=currency)

    def names(text):
        return [name for _, name, _ in queries.names(session, SYSTEM, text=text)]

    assert names("ALPHA") == ["alpha"]
    assert names("0%") == ["Zeta 100%"]
    assert sorted(names("")) == ["Beta", "Zeta 100%", "alpha"]


def test_customers_are_searched_without_regard_to_accents_in_any_alphabet(session):
    for ref, name in (("A", "MÜLLER GmbH"), ("B", "Praça 7"), ("C", "Ёлкин и сын"), ("D", "Ωμέγας"), ("E", "Łódź Sp.")):
        a_customer(session, ref, name=name)
    for text, name in (
        ("müller g", "MÜLLER GmbH"),
        ("práca", "Praça 7"),
        ("елкин", "Ёлкин и сын"),
        ("ΩΜΕΓΑΣ", "Ωμέγας"),
        ("lodz", "Łódź Sp."),
    ):
        assert [found for _, found, _ in queries.names(session, SYSTEM, text=text)] == [name]


def test_customers_are_searched_by_every_address_that_is_no_secret(session):
    acme = a_customer(session)
    lists = {"further_emails": "ben@x.example", "cc_emails": "CFO@x.example", "bcc_emails": "us@ours.example"}
    change(session, acme, email="ap@acme.example", **lists)
    found = [[row[0] for row in queries.names(session, ADMIN, text=text)] for text in ("ben@x", "cfo@", "us@ours")]
    assert found == [[acme], [acme], []]


def test_a_customer_is_found_by_its_ref_first_and_then_by_its_id(session):
    first = a_customer(session, "ALFKI")
    second = a_customer(session, str(first))

    assert queries.id_of(session, SYSTEM, " ALFKI ") == first
    assert queries.id_of(session, SYSTEM, str(first)) == second
    assert queries.id_of(session, SYSTEM, str(second)) == second
    for missing in ("", "alfki?", "999", "9" * 40, "²"):
        with pytest.raises(NotFound):
            queries.id_of(session, SYSTEM, missing)


def test_what_customers_there_are_is_told_to_those_who_may_read_them(session):
    acme = a_customer(session)
    nobody = Actor(9, "Nobody", frozenset())
    for read in (queries.names, queries.countries, queries.currencies):
        with pytest.raises(Forbidden):
            read(session, nobody)
    assert queries.names(session, ADMIN) == [(acme, "Acme Corp", "USD")]


def test_a_search_may_hold_what_no_text_of_ours_holds(session):
    a_customer(session)
    assert [name for _, name, _ in queries.names(session, ADMIN, text="acme\0 corp")] == ["Acme Corp"]
