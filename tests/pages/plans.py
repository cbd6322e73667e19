"""What the dialogs of the Plans page say."""

from streamlit.testing.v1 import AppTest

from tests.pages.as_read import as_read


def faults(page: AppTest) -> list[str]:
    """What is said to be wrong, in order."""
    start = ":red[:material/error: "
    found = [as_read(one.value) for one in page.markdown if one.value.startswith(start)]
    return [text.removeprefix(start).removesuffix("]") for text in found]
