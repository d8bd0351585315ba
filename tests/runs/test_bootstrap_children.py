"""How a flow went is its own process's to say."""

from collections.abc import Callable

from imagekit.engine.client import Engine

from .ordering import run_flow

FLOW = """
import os

def forks():
    child = os.fork()
    if child == 0:
        return "child"
    os.waitpid(child, 0)
    os._exit(3)
"""


def test_a_forked_childs_word_does_not_count(
    engine: Engine, python_image: str, build_image: Callable[..., str]
) -> None:
    image = build_image(f"FROM {python_image}\nWORKDIR /app\nCOPY flow.py flow.py\n", {"flow.py": FLOW})
    result = run_flow(engine, "flow.py:forks", image=image)
    assert (result.state, result.result, result.exit_code) == ("crashed", None, 3)
