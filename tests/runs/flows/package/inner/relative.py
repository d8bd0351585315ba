from ..numbers_of_ours import NUMBER


def flow():
    return [NUMBER + 1, __name__]
