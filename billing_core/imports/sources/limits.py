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
# Characters; also the csv module's own limit.
LONGEST_CELL: Final = 131_072
LONGEST_LINE: Final = 2_000_000
