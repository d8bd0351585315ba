"""Named as a module of the standard library."""


def flow():
    import json

    return json.dumps({"a": 1})
