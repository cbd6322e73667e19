"""The colours of badges, by their names in the theme."""

from typing import Literal

Color = Literal["red", "orange", "yellow", "blue", "green", "violet", "gray"]
