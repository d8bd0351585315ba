"""A program that runs one flow, to be interrupted or killed.

Arguments: ADDRESS IMAGE ENTRYPOINT PARAMETERS GRACE MARK.
"""

import json
import sys

from imagekit.engine.client import Engine
from imagekit.runs.runner import run_flow


def show(stream: int, data: bytes) -> None:
    sys.stderr.buffer.write(data)
    sys.stderr.buffer.flush()


if __name__ == "__main__":
    address, image, entrypoint, parameters, grace = sys.argv[1:6]
    result = run_flow(
        Engine.connect(address),
        image=image,
        entrypoint=entrypoint,
        parameters=json.loads(parameters),
        network="none",
        on_output=show,
        grace=int(grace),
        labels={"imagekit.test": sys.argv[6]},
    )
    print(json.dumps(result.to_json()))
