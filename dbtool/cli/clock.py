"""Points in time as people read them."""

from __future__ import annotations

import time


def spell_time(epoch: float) -> str:
    """Write epoch seconds as the local time of day, with the date where it is another day."""
    local = time.localtime(epoch)
    form = "%H:%M:%S" if local[:3] == time.localtime()[:3] else "%Y-%m-%d %H:%M:%S"
    return time.strftime(form, local)
