"""Documents of benchmarks and images, small ones, made here: nothing in them was measured."""

from __future__ import annotations

import json
from typing import Any

from imagekit.plan.record import LABEL

HOSTILE = "</title><script>alert('x')</script>\x1b[31m\"&"


def image(*, moved: str = "1.0", name: str = "orders:v1") -> dict[str, Any]:
    """As ``imagekit inspect --json`` tells: a base layer, three of ours; one of them is another with ``moved``."""
    layers = [
        ("base", "debian", 100_000_000, ()),
        ("numpy", "numpy==2.0", 70_000_000, ("numpy==2.0",)),
        (f"idna-{moved}", f"idna=={moved}", 300_000, (f"idna=={moved}",)),
        ("small", "2 packages", 90_000, ("rich==13.7", "click==8.1")),
        ("source", "/app", 1_200, ()),
    ]
    base = {"digest": "b", "layers": 1, "prefix": "/opt/venv", "python": "3.11.7"}
    record = json.dumps({"base": base, "format": 1, "layers": "a b c d", "v": 1})
    return {
        "reference": name,
        "image_id": "sha256:" + "1" * 64,
        "digest": None,
        "platform": "linux/amd64",
        "size": sum(size for _, _, size, _ in layers),
        "user": "app",
        "workdir": "/app",
        "labels": {
            LABEL: record,
            "org.opencontainers.image.base.name": "imagekit/python:3.11",
            "org.opencontainers.image.source": "https://example.com/orders",
        },
        "layers": [
            {"digest": f"sha256:{digest}", "size": size, "title": title, "packages": list(packages)}
            for digest, title, size, packages in layers
        ],
    }


def summary(median: float) -> dict[str, Any]:
    return {"median": median, "low": median * 0.9, "high": median * 1.1, "mad": 0.0, "count": 3}


def row(name: str = "data/cold", ours: float = 3.0, theirs: float | None = 4.0, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "title": f"title of {name}",
        "unit": "s",
        "side": "imagekit",
        "peer": "uv Dockerfile" if theirs is not None else None,
        "quantile": None,
        "must": 0.8,
        "aim": 0.5,
        "verdict": "must",
        "ratio": ours / theirs if theirs is not None else ours,
        "ours_at": ours,
        "ours": summary(ours),
        "theirs": summary(theirs) if theirs is not None else None,
        **more,
    }


def failed(name: str, error: str) -> dict[str, Any]:
    kept = {key: value for key, value in row(name).items() if key not in ("ratio", "ours_at", "ours", "theirs")}
    return {**kept, "verdict": "failed", "error": error}


def results(*cases: dict[str, Any], started: str = "2026-11-21T12:00:00+00:00") -> dict[str, Any]:
    return {
        "schema": 1,
        "started": started,
        "machine": {"cpu": "a processor", "cores": 2, "load": [0.5, 1.0]},
        "versions": {"imagekit": "0.1.0", "engine": "Docker 26"},
        "base": "imagekit/python:3.11",
        "full": False,
        "seconds": 12.5,
        "cases": list(cases),
    }


def case(name: str, *rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "title": f"case {name}", "seconds": 1.0, "rows": list(rows), "samples": {}, **more}


def starts() -> dict[str, Any]:
    """Cold starts; ``extras`` costs 8 seconds once and then 2 for each start."""
    firsts = {"extras warm": 2.0, "extras cold": 10.0, "baked": 1.0, "uv at start": 6.0, "pip at start": 20.0}
    samples = {side: [{"round": n, "first line": value} for n in range(3)] for side, value in firsts.items()}
    for sample in samples["baked"]:
        sample["build"] = 20.0
    return case("start-medium", row("start/medium-warm", side="extras warm", peer="baked"), samples=samples)


def grown(side: str = "imagekit", slope: float | None = 0.113, intercept: float = 2.0, **more: Any) -> dict[str, Any]:
    """A curve whose points lie a little beside its line, as those that are measured do."""
    points = [[at, (intercept + (slope or 0.01) * at) * beside] for at, beside in ((300, 1.02), (5, 1.2), (80, 0.95))]
    found = {"title": "time, by packages", "by": "packages", "unit": "s", "side": side, "points": points, **more}
    return {**found, "slope": slope, "intercept": intercept if slope is not None else None}


def growth() -> dict[str, Any]:
    """As ``growth-packages``: builds of ours and of a peer beside what the engine takes alone, in time and memory."""
    none = {"must": None, "aim": None, "verdict": "noted"}
    slopes = {"imagekit": 0.113, "uv Dockerfile": 0.271, "docker load alone": 0.0981}
    memory = {"title": "memory at most, by packages", "unit": "B"}
    return case(
        "growth-packages",
        *(row(f"growth/packages-{at}", title=f"cold build of {at} packages", **none) for at in (5, 80, 300)),
        row("growth/packages-300-engine", title="cold build of 300 packages", peer="docker load alone", **none),
        growth=[
            *(grown(side, slope) for side, slope in slopes.items()),
            *(grown(side, slope * 1e7, 9e7, **memory) for side, slope in slopes.items()),
        ],
    )


def everything() -> dict[str, Any]:
    """Results that hold all that a page has a place for."""
    return results(
        case(
            "data-cold",
            row("data/cold"),
            row("data/cold-pip", theirs=9.0, peer=f"pip {HOSTILE}", ratio=1 / 3),
            row("data/size", ours=9e8, theirs=9e8, unit="B"),
            row("data/files", ours=4, theirs=None, unit="n", must=None, aim=None, verdict="noted"),
            failed("data/broken", f"first words\nit did not start {HOSTILE}"),
        ),
        case(
            "data-tail",
            row("data/tail-push", ours=0.5, theirs=40.0, must=1 / 40, aim=1 / 150),
            images={"before": image(), "after": image(moved="1.1", name=HOSTILE)},
        ),
        starts(),
        case(
            "api-peers-cold",
            *(
                row(f"api/peers-cold-{peer}", peer=peer, title="cold", must=None, aim=None, verdict="noted")
                for peer in ("uv Dockerfile", "Prefect DockerImage (docker-py)", "BentoML")
            ),
            {
                **failed("api/peers-cold-x", "no registry has its base"),
                "title": "cold",
                "verdict": "unavailable",
                "peer": "X",
            },
        ),
        growth(),
    )
