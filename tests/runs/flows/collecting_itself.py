"""A module that sets for itself how often cycles are looked for."""

import gc

gc.set_threshold(123, 4)
gc.disable()


def found():
    return [gc.get_threshold()[:2], gc.isenabled()]
