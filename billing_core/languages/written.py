"""Languages that files of others are written in: many more than those that customers are written to in."""

from typing import Final

# By CLDR code: the largest, and those of Europe.
WRITTEN: Final = (
    *("en", "de", "fr", "es", "it", "nl", "pt", "pl", "cs", "sk", "hu", "ro", "bg", "hr", "sl", "sr", "da", "sv"),
    *("nb", "fi", "et", "lv", "lt", "el", "tr", "ru", "uk", "ja", "zh", "zh-Hant", "ko", "ar", "he", "hi", "th"),
    *("vi", "id", "ms", "ca"),
)
