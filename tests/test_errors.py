"""What an error says where nobody catches it."""

from __future__ import annotations

import pickle
import subprocess
import sys

from imagekit.errors import InputError, UnknownKeyword

FAILS = """
from imagekit.errors import InputError
raise InputError.join([InputError("no n", hint="give n"), InputError("no m", hint="give m")])
"""


def test_a_traceback_says_what_to_do_next() -> None:
    done = subprocess.run([sys.executable, "-c", FAILS], capture_output=True, text=True)
    # Notes are shown from Python 3.11 on.
    notes = ["no n", "no m", "hint: give n"] if sys.version_info >= (3, 11) else []
    assert done.stderr.partition("imagekit.errors.InputError: ")[2].splitlines() == ["2 problems: no n", *notes]


def test_notes_are_those_of_the_last_hint_and_of_others() -> None:
    error = UnknownKeyword("no n", hint="give n", details="words")
    error.__notes__.append("of somebody else")
    error.hint = "give m"
    assert error.__notes__ == ["words", "hint: give m", "of somebody else"]
    error.hint = None
    assert (error.hint, error.__notes__) == (None, ["words", "of somebody else"])
    again = pickle.loads(pickle.dumps(InputError("a", hint="b")))
    assert (str(again), again.hint, again.__notes__) == ("a", "b", ["hint: b"])
