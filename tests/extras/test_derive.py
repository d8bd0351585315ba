"""Images with extra packages, derived from images of three kinds on a real engine."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from imagekit.engine.client import Engine
from imagekit.errors import BaseConflict, BaseNotFound, BaseUnusable, InputError, NoWheel, ResolveError, Unsatisfiable
from imagekit.extras.derive import check_extras
from imagekit.extras.values import LABEL_LOCK, LABEL_ORIGIN, REPOSITORY

from ..e2e import bases
from ..e2e.wheels import write_wheel
from .conftest import Machine, Output

# What they share is dear to make: one worker has them all.
pytestmark = pytest.mark.xdist_group("extras")

LOOK = """
import importlib.metadata as m, json, os, sys
import plug
found = sorted((d.metadata["Name"], d.version) for d in m.distributions())
print(json.dumps({"installed": found, "file": plug.__file__, "cached": plug.__cached__, "user": os.getuid()}))
assert os.path.exists(plug.__cached__), "without bytecode"
"""


@pytest.fixture(params=["bare", "framed", "ours"])
def image(request: pytest.FixtureRequest) -> str:
    name: str = request.getfixturevalue(request.param)
    return name


def test_first_and_second_time(image: str, machine: Machine, engine: Engine, output: Output) -> None:
    machine.add("needed", "1.0")
    machine.add("plug", "1.0", "needed")
    before = engine.image(image)
    assert before is not None
    derived = machine.derive(image, "plug>=1,<2; python_version > '3'")
    assert (derived.packages, derived.up_to_date) == (("needed==1.0", "plug==1.0"), False)
    assert derived.reference.startswith(f"{REPOSITORY}:")
    after = engine.image(derived.reference)
    assert after is not None
    assert after.id == derived.image_id
    # The image's layers, and one for each wheel; all that is not a label is as it was.
    assert after.diff_ids[: len(before.diff_ids)] == before.diff_ids
    assert len(after.diff_ids) == len(before.diff_ids) + 2
    plain = [{k: v for k, v in found.settings.items() if k != "Labels"} for found in (before, after)]
    assert plain[0] == plain[1]
    assert after.labels[LABEL_ORIGIN] == before.id
    assert after.labels[LABEL_LOCK] == derived.lock_digest
    found = json.loads(output(derived.reference, "python3", "-c", LOOK))
    assert ["needed", "1.0"] in found["installed"]
    assert output(image, "python3", "-c", "import os; print(os.getuid())").strip() == str(found["user"])
    # The second time nothing is looked for: there is nothing left to be found.
    for wheel in machine.wheels.iterdir():
        wheel.unlink()
    again = machine.derive(image, "plug>=1,<2; python_version > '3'")
    assert again.up_to_date
    assert (again.image_id, again.lock_digest) == (derived.image_id, derived.lock_digest)
    # And where the engine has lost it, it is made of what is kept.
    engine.remove_image(derived.reference, force=True)
    assert machine.derive(image, "plug>=1,<2; python_version > '3'").image_id == derived.image_id
    output(derived.reference, "python3", "-c", LOOK)


def test_many_at_once_make_one(image: str, machine: Machine, engine: Engine) -> None:
    for number in range(4):
        machine.add(f"plug{number}", "1.0")
    with ThreadPoolExecutor(max_workers=4) as pool:
        found = list(pool.map(lambda _: machine.derive(image, "plug0 plug1 plug2 plug3"), range(4)))
    assert len({(derived.image_id, derived.reference) for derived in found}) == 1
    assert [derived.up_to_date for derived in found].count(False) == 1


@pytest.mark.parametrize("kind", ["conda", "distroless"])
def test_on_other_kinds_of_images(machine: Machine, make_image: Callable[..., str], output: Output, kind: str) -> None:
    machine.add("plug", "1.0")
    if kind == "conda":
        steps = bases.MOVED.format(root="/opt/conda") + "RUN mkdir /opt/conda/conda-meta\n"
    else:
        # A Python and the libraries that it needs: no shell, no other program.
        there = ("/usr/bin/python3.11 /usr/bin/python3", "/usr/lib/ /usr/lib/", "/etc/passwd /etc/passwd")
        loader = "/lib64/ld-linux-x86-64.so.2 /lib64/ld-linux-x86-64.so.2"
        steps = "FROM scratch\n" + "".join(f"COPY --from=0 {each}\n" for each in (*there, "/lib/ /lib/", loader))
    image = make_image(steps)
    for _ in range(2):
        derived = machine.derive(image, "plug")
        assert derived.packages == ("plug==1.0",)
        found = json.loads(output(derived.reference, "python3", "-c", LOOK))
        assert ("/opt/conda/" in found["file"]) == (kind == "conda")


def test_on_musl(machine: Machine, make_image: Callable[..., str]) -> None:
    # No such image can be had here: a Python that says of itself that its C library is musl.
    own = '#!/bin/sh\\n/usr/bin/python3.11 "$@" | sed s/\\"glibc\\"/\\"musl\\"/'
    image = make_image(f"RUN printf '{own}' > /usr/local/bin/python3 && chmod 755 /usr/local/bin/python3\n")
    machine.add("plug", "1.0")
    assert machine.derive(image, "plug").packages == ("plug==1.0",)
    write_wheel(machine.wheels, "binary", "1.0", {"binary.py": ""}, tag="cp311-cp311-manylinux_2_17_x86_64")
    with pytest.raises(ResolveError, match="binary") as caught:
        machine.derive(image, "binary")
    assert "musl" in f"{caught.value.hint}"


def test_tests_of_packages_have_no_bytecode(machine: Machine, bare: str, output: Output) -> None:
    files = {"tree/__init__.py": f"MARK = {secrets.token_hex(8)!r}", "tree/tests/__init__.py": "WHERE = __file__"}
    write_wheel(machine.wheels, "tree", "1.0", files)
    program = "import os, tree, tree.tests as t; print([os.path.exists(m.__cached__) for m in (tree, t)], t.WHERE)"
    found = output(machine.derive(bare, "tree").reference, "python3", "-c", program)
    assert found.startswith("[True, False] /")


def test_what_the_image_has_costs_nothing(machine: Machine, engine: Engine, framed: str) -> None:
    image = engine.image(framed)
    assert image is not None
    derived = machine.derive(framed, "frame helper>=1; os_name == 'posix' nothing; os_name == 'nt'")
    assert derived.adds_nothing
    assert (derived.packages, derived.kept) == ((), ("frame==1.0", "helper==1.0"))
    assert (derived.reference, derived.lock_digest) == (framed, None)
    assert engine.image_ids(label=f"{LABEL_ORIGIN}={image.id}", limit=1) == ()
    assert machine.derive(framed, " \n").adds_nothing


def test_the_framework_stays_and_sees_the_new(machine: Machine, framed: str, output: Output) -> None:
    machine.add("helper", "1.5")
    machine.add("plug", "1.0", "helper", "frame")
    derived = machine.derive(framed, "plug")
    assert (derived.packages, derived.kept) == (("plug==1.0",), ("frame==1.0", "helper==1.0"))
    assert output(derived.reference, "python3", "-c", "import frame, plug, helper; print(helper.VERSION)") == "1.0\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "helper>=2",
            ["helper==1.0 would be replaced by 2.0", "EXTRA_PIP_PACKAGES asks for helper>=2", "frame==1.0", "helper<2"],
        ),
        ("plug", ["frame==1.0 would be replaced by 2.0", "plug", "frame>=2"]),
    ],
)
@pytest.mark.parametrize("which", ["framed", "ours"])
def test_who_wants_what(
    machine: Machine, engine: Engine, request: pytest.FixtureRequest, which: str, text: str, words: list[str]
) -> None:
    machine.add("frame", "2.0", "helper")
    machine.add("helper", "2.0")
    machine.add("plug", "1.0", "frame>=2")
    image = request.getfixturevalue(which)
    with pytest.raises((BaseConflict, Unsatisfiable)) as caught:
        machine.derive(image, text)
    told = f"{caught.value.message}\n{caught.value.details}"
    assert caught.value.message.startswith("EXTRA_PIP_PACKAGES on ")
    assert [word for word in words if word not in told] == []
    assert caught.value.hint
    # The resolver's own words.
    assert "Because" in told


def test_no_file_of_this_machine_is_named(machine: Machine, framed: str) -> None:
    wheel = machine.add("helper", "1.0")
    with pytest.raises(InputError, match="is a path"):
        machine.derive(framed, f"helper @ {wheel.as_uri()}")


def test_what_cannot_be_had(machine: Machine, bare: str) -> None:
    with pytest.raises(Unsatisfiable, match=r"EXTRA_PIP_PACKAGES on .*: no set of versions fits"):
        machine.derive(bare, "plug>1 plug<1")
    with pytest.raises(ResolveError, match="nowhere-to-be-found"):
        machine.derive(bare, "nowhere-to-be-found")


def test_nothing_is_built_when_a_run_starts(machine: Machine, bare: str) -> None:
    import io
    import tarfile

    with tarfile.open(machine.wheels / "plug-1.0.tar.gz", "w:gz") as archive:
        for name, text in (("PKG-INFO", "Metadata-Version: 2.2\nName: plug\nVersion: 1.0\n"), ("setup.py", "")):
            member = tarfile.TarInfo(f"plug-1.0/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    with pytest.raises(NoWheel, match="plug") as caught:
        machine.derive(bare, "plug")
    assert "build an image" in (caught.value.hint or "")


def test_versions_stay_until_they_are_asked_for_anew(
    machine: Machine, bare: str, make_image: Callable[..., str]
) -> None:
    machine.add("plug", "1.0")
    assert machine.derive(bare, "plug").packages == ("plug==1.0",)
    machine.add("plug", "1.1")
    assert machine.derive(bare, "plug").packages == ("plug==1.0",)
    # Asked for otherwise it is another question, and so it is for other indexes.
    assert machine.derive(bare, "plug>1").packages == ("plug==1.1",)
    assert machine.derive(bare, "plug", upgrade=True).packages == ("plug==1.1",)
    assert machine.derive(bare, "plug").packages == ("plug==1.1",)
    assert machine.derive(make_image(), "plug").packages == ("plug==1.1",)


def test_nothing_is_derived_from_a_derived_image(machine: Machine, engine: Engine, bare: str, output: Output) -> None:
    machine.add("plug", "1.0")
    machine.add("more", "1.0")
    first = machine.derive(bare, "plug")
    second = machine.derive(first.reference, "more")
    origin, made = engine.image(bare), engine.image(second.reference)
    assert origin is not None
    assert made is not None
    assert made.labels[LABEL_ORIGIN] == origin.id
    assert second.packages == ("more==1.0", "plug==1.0")
    assert len(made.diff_ids) == len(origin.diff_ids) + 2
    assert machine.derive(first.reference, "more").up_to_date
    # What it has already is what it was derived for.
    assert machine.derive(first.reference, "plug").image_id == first.image_id


def test_one_whose_origin_is_gone(machine: Machine, engine: Engine, make_image: Callable[..., str]) -> None:
    machine.add("plug", "1.0")
    image = make_image()
    derived = machine.derive(image, "plug")
    engine.remove_image(image, force=True)
    with pytest.raises(BaseNotFound, match=r"was derived from \(sha256:[0-9a-f]+\) is gone"):
        machine.derive(derived.reference, "more")


def test_images_without_a_python(machine: Machine, engine: Engine, make_image: Callable[..., str]) -> None:
    machine.add("plug", "1.0")
    # As distroless images are: no interpreter, and no shell either.
    image = make_image("FROM scratch\nCOPY --from=tools /uv /uv\n")
    with pytest.raises(BaseUnusable, match=r"cannot be added: .* has no Python that starts") as caught:
        machine.derive(image, "plug")
    assert "python3" in (caught.value.hint or "")


def test_what_is_no_requirement_is_refused_before_anything_is_asked(machine: Machine) -> None:
    with pytest.raises(InputError, match="'a;id' is not a requirement"):
        check_extras(machine.settings(DOCKER_HOST="unix:///nowhere/docker.sock"), "a;id")
