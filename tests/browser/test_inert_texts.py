"""What others wrote means nothing in a real browser: every page, with what Streamlit makes something of in its rows."""

import shutil
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

from billing_core.database import Sessions, connect
from billing_core.dates import utc_now
from billing_core.identity import SESSION_COOKIE, Role
from tests.browser.conftest import PROJECT, TIMEOUT_MS, Product
from tests.demo_company import settled
from tests.pages.conftest import signed_in_user
from tests.pages.walk import hostile
from tests.pages.walk.conftest import SIZE
from tests.pages.walk.prepared import prepare
from tests.pages.walk.starts import addresses

expect.set_options(timeout=TIMEOUT_MS)

WRITTEN = (
    " *[x](https://evil.example) www.evil.example ap@evil.example :material/delete: :material_face: :smile: "
    ":streamlit: $x^2$ <b>bb</b> a -> b :red[r] `c` ~~d~~ [^1] אבג"
)
MADE = """
    () => [...document.querySelectorAll(`[data-testid=stApp] :is(a[href*="//evil"], a[href*="//www.evil"],
        a[href^="mailto:"], [aria-label^="delete"], [aria-label^="face"], [alt="Streamlit logo"], .katex)`)]
        .map(one => one.outerHTML)
"""
# By paragraph. A chart shortens names.
SHOWN = """
    () => [...document.querySelectorAll(`[data-testid=stApp] :is(
        [data-testid=stMarkdownContainer], [data-testid=stCaptionContainer], [data-testid=stHeading])`)]
        .map(one => one.textContent)
"""
# What stands on the wrong side of the text before it.
TURNED = """
    () => [...document.querySelectorAll("span:not([class], [style])")].filter(one => {
        const next = one.nextSibling;
        if (next?.nodeType !== Node.TEXT_NODE || !next.textContent.trim() || one.closest("span span:not([class])"))
            return false;
        const range = document.createRange();
        range.selectNodeContents(next);
        const [before, behind] = [[...one.getClientRects()].at(-1), range.getClientRects()[0]];
        return before && behind && Math.abs(before.top - behind.top) < 5 && behind.left < before.right - 1;
    }).map(one => one.parentElement.textContent)
"""


@pytest.fixture
def written(tmp_path, demo_company) -> tuple[list[tuple[str, dict]], str]:
    """Addresses within the company, and the token of an administrator's session."""
    now = utc_now()
    filled = demo_company("walked", lambda sessions: prepare(sessions, now=now), today=now.date(), now=now, **SIZE)
    file = tmp_path / "billing.sqlite3"
    shutil.copyfile(filled, file)
    sessions = Sessions(connect(f"sqlite:///{file}"))
    with sessions.begin() as session:
        hostile.write(session, WRITTEN)
    _, token = signed_in_user(sessions, Role.ADMIN, now=now)
    settled(sessions)
    found = addresses(file)
    menu = [path for folder in ("pages", "pages/admin") for path in sorted((PROJECT / folder).glob("[a-z]*.py"))]
    own = [(path.relative_to(PROJECT / "pages").as_posix(), {}) for path in menu if path.stem != "navigation"]
    return [*own, *found], token


@pytest.fixture
def product(tmp_path, written) -> Iterator[Product]:
    running = Product(tmp_path)
    yield running
    running.stop()


@pytest.mark.later
def test_what_others_wrote_is_read_as_it_was_written_on_every_page(product: Product, page: Page, written):
    visited, token = written
    product.wait_until_it_answers()
    page.context.add_cookies([{"name": SESSION_COOKIE, "value": token, "url": product.address}])

    read = 0
    for file, query in visited:
        path = file.removesuffix(".py").replace("/", "_")
        page.goto(f"{product.address}/{path}?{urlencode(query, doseq=True)}")
        page.wait_for_selector("[data-test-script-state=notRunning]")
        expect(page.get_by_test_id("stSkeleton")).to_have_count(0)

        assert page.evaluate(MADE) == [], path
        assert page.evaluate(TURNED) == [], path
        texts = [text for text in page.evaluate(SHOWN) if "[x]" in text]
        # The brand of a card is shown in words.
        shown = [text.replace("material face", "material_face") for text in texts]
        assert [text for text in shown if text.count("[x]") != 2 * text.count(hostile.WRITTEN + WRITTEN)] == [], path
        read += len(texts)
    assert read > 20, "else it says nothing"
