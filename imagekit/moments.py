"""Times as RFC 3339 has them: as engines and people write them, whichever Python reads them."""

from __future__ import annotations

import re
from datetime import datetime

_FRACTION = re.compile(r"(?<=:[0-9]{2})\.([0-9]+)")


def parse_rfc3339(text: str) -> datetime:
    """The moment that ``text`` says, cut to the microsecond; ``ValueError`` where it is none.

    What else ``datetime.fromisoformat`` of this Python takes is taken as well (a day, hours and minutes alone), and
    what names no zone has none. Python 3.10 knows no ``Z``, and no nanoseconds, which engines write.
    """
    text = re.sub("[Zz]$", "+00:00", text.strip())
    return datetime.fromisoformat(_FRACTION.sub(lambda found: f".{found[1][:6]:0<6}", text))
