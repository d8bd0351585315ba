import sys

import no_such_module_anywhere


def flow():
    return sys.path, no_such_module_anywhere
