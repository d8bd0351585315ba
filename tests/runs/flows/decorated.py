"""A callable object with an asynchronous call, as Prefect's flows are."""

import flow as sibling


class Flow:
    def __init__(self, function):
        self.function = function

    def __call__(self, *args, **kwargs):
        return self.function(*args, **kwargs)


@Flow
async def etl(n):
    return await sibling.later(n)


def anything(function):
    return function


@anything
def by_others(n):
    return n
