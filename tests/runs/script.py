"""A program that runs one flow, to be interrupted or killed.

Arguments: ADDRESS IMAGE ENTRYPOINT PARAMETERS GRACE MARK [DIRECTORY of the record of runs].
"""

import json
import sys
from pathlib import Path

from imagekit.engine.client import Engine
from imagekit.store.store import Store

from .ordering import run_flow


def show(stream: int, data: bytes) -> None:
    sys.stderr.buffer.write(data)
    sys.stderr.buffer.flush()


if __name__ == "__main__":
    address, image, entrypoint, parameters, grace = sys.argv[1:6]
    result = run_flow(
        Engine.connect(address),
        entrypoint,
        image=image,
        parameters=json.loads(parameters),
        on_output=show,
        stop_grace=int(grace),
        labels={"imagekit.test": sys.argv[6]},
        store=Store.open(Path(sys.argv[7])) if sys.argv[7:] else None,
    )
    print(json.dumps(result.to_json()))
