"""The table of keywords as docs/keywords.md prints it: ``python -m imagekit.keywords.page``."""

from __future__ import annotations

from imagekit.keywords.table import KEYWORDS, Keyword, Use, Verdict

_TITLES = {
    "Prefect": "Prefect's own",
    "imagekit": "imagekit's own",
    "docker-py": "docker-py's",
    "buildx": "buildx's (python-on-whales)",
    "storage.Docker": "Of Prefect's earlier `storage.Docker`",
}


def markdown() -> str:
    """One table for each origin, a row for each keyword."""
    parts = []
    for of, title in _TITLES.items():
        rows = [_row(keyword) for keyword in KEYWORDS if keyword.of == of]
        parts.append(
            "\n".join([f"### {title}", "", "| keyword | automatic image | Dockerfile |", "|---|---|---|", *rows])
        )
    return "\n\n".join(parts) + "\n"


def _row(keyword: Keyword) -> str:
    auto, own = _cell(keyword, keyword.auto), _cell(keyword, keyword.dockerfile)
    return f"| `{keyword.name}` | {auto} | {'the same' if own == auto else own} |"


def _cell(keyword: Keyword, use: Use) -> str:
    if keyword.same_as is not None and use.verdict not in (Verdict.REFUSED, Verdict.IGNORED):
        opposite = "the opposite of" if keyword.name == "cache" else "another name of"
        return f"{opposite} `{keyword.same_as}`"
    if use.verdict is Verdict.HONOURED:
        return use.words
    if use.verdict in (Verdict.REFUSED, Verdict.IGNORED):
        return f"**{use.verdict.value}**: {use.words}"
    return f"{use.words}; {use.verdict.value}"


if __name__ == "__main__":
    print(markdown(), end="")
