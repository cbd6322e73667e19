"""How much of a file is read at most, and why. Whatever is larger is refused with a sentence."""

from typing import Final

# Of what is packed. A table of fifty million cells comes to about half a gigabyte; nobody unpacks more on a page.
MOST_UNPACKED: Final = 2_147_483_648
# Tables shrink to a tenth, and the most even ones to a hundredth; what shrinks further was made to fill memory or disk.
MOST_SHRUNK: Final = 400
# Below this, how far it shrinks does not matter.
ANY_RATIO: Final = 33_554_432
# Files in an archive, each of which becomes an upload.
MOST_MEMBERS: Final = 50
# As many as a sheet of Excel can have.
MOST_COLUMNS: Final = 16_384
# Of the list of what an archive holds: a hundred thousand names.
LARGEST_DIRECTORY: Final = 8_388_608
# Of a workbook.
MOST_SHEETS: Final = 1_000
# Elements of a small part of a workbook, such as its styles.
MOST_ELEMENTS: Final = 250_000
# In bytes: a tag, or a remark, as XML has it.
LONGEST_TAG: Final = 4_194_304
# Rows at the beginning of a file that may be blank.
MOST_BLANK: Final = 10_000
# Characters; also the csv module's own limit.
LONGEST_CELL: Final = 131_072
LONGEST_LINE: Final = 2_000_000
