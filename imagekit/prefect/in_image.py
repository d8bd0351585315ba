"""Found as ``imagekit`` in images for Prefect's workers: the image's own imagekit, or else the stand-in beside this.

The directory of this file is put on ``PYTHONPATH``, since an image's environment is not to be written to; so it
comes before what is installed, and steps aside. It uses the standard library alone and keeps to the syntax of
Python 3.8.
"""

import importlib.machinery
import importlib.util
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
others = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != here]
found = importlib.machinery.PathFinder.find_spec("imagekit", others)
if found is None or found.origin is None:  # or it is a directory that happens to be called so
    found = importlib.util.spec_from_file_location("imagekit", os.path.join(here, "stand_in.py"))
assert found is not None
assert found.loader is not None
module = importlib.util.module_from_spec(found)
sys.modules["imagekit"] = module
found.loader.exec_module(module)
