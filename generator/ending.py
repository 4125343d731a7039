"""How long a piece sounds after its last bar.

Whoever plans a length needs this without the arithmetic of the renderer.
"""

from typing import Final

RELEASE_SECONDS: Final = 0.2
"""No note sounds longer than this after its end."""
TAIL_SECONDS: Final = 1.3
"""No sound lasts longer than this in the room after the last of the voice."""
END_SECONDS: Final = RELEASE_SECONDS + TAIL_SECONDS
"""What a rendered file is longer than its score."""
