"""What the dialogs of the Plans page say."""

from streamlit.testing.v1 import AppTest


def faults(page: AppTest) -> list[str]:
    """What is said to be wrong, in order."""
    start = ":red[:material/error: "
    found = [one.value.replace("\\", "") for one in page.markdown if one.value.startswith(start)]
    return [text.removeprefix(start).removesuffix("]") for text in found]
