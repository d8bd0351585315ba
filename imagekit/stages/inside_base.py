"""Runs inside a base image, by the base's own Python (3.9 or later), and never on the host.

It reads ``plan.json`` beside it, runs the one program that the plan names and leaves under the
plan's ``out``: ``exit_code``, ``stdout``, ``stderr`` and below ``outputs`` the files asked for.
It ends with 0 whatever the program ended with, so that the build goes on and the words get out.
"""

from __future__ import annotations

import base64
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from urllib.parse import quote, unquote


def main() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "plan.json"), encoding="utf-8") as stream:
        plan = json.load(stream)
    out = plan["out"]
    os.makedirs(os.path.join(out, "outputs"))
    work = tempfile.mkdtemp(prefix="imagekit-")
    inputs = os.path.join(here, "inputs")
    if os.path.isdir(inputs):
        shutil.copytree(inputs, work, dirs_exist_ok=True, symlinks=True)
    for name, path in plan["copies"].items():
        shutil.copytree(path, os.path.join(work, name), symlinks=True)
    try:
        code = run(plan["argv"], work, environment(plan), out, answers=plan["answers"])
    except OSError as error:
        code = 127
        with open(os.path.join(out, "stderr"), "ab") as stream:
            stream.write(f"{plan['argv'][0]}: cannot be run in this base: {error}\n".encode())
    for pattern in plan["outputs"]:
        for path in sorted(glob.glob(os.path.join(work, pattern))):
            if os.path.isfile(path):
                place = os.path.join(out, "outputs", os.path.relpath(path, work))
                os.makedirs(os.path.dirname(place), exist_ok=True)
                shutil.copyfile(path, place)
    with open(os.path.join(out, "exit_code"), "w", encoding="ascii") as stream:
        stream.write(str(code))


def environment(plan: dict) -> dict:  # type: ignore[type-arg]
    env = dict(os.environ)
    env.update(plan["environment"])
    if os.path.exists(plan["secret_environment"]):
        with open(plan["secret_environment"], encoding="utf-8") as stream:
            env.update(json.load(stream))
    if os.path.exists(plan["ca_bundle"]):
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO"):
            env[name] = plan["ca_bundle"]
    if os.path.exists(plan["client_cert"]):
        for name in ("SSL_CLIENT_CERT", "PIP_CLIENT_CERT"):
            env[name] = plan["client_cert"]
    if os.path.exists(plan["netrc"]):
        env["NETRC"] = plan["netrc"]
    # The base's default Python first, whatever its PATH says.
    shims = tempfile.mkdtemp(prefix="imagekit-bin-")
    for name in ("python3", "python"):
        os.symlink(plan["python"], os.path.join(shims, name))
    places = [plan["programs"], shims, os.path.dirname(plan["python"])]
    env["PATH"] = os.pathsep.join([*places, env.get("PATH", "/usr/local/bin:/usr/bin:/bin")])
    env["UV_PYTHON"] = plan["python"]
    return env


def secret_values(env: dict) -> list:  # type: ignore[type-arg]
    """What the program is not to show: secrets of the user's, and logins of indexes and proxies, in usual encodings."""
    found = [value for name, value in env.items() if name.endswith("_PASSWORD")]
    for value in env.values():
        for user, password in re.findall(r"://([^\s/@:]*)(?::([^\s/@]*))?@", value):
            found.append(password or (user if len(user) >= 16 else ""))
    for path in [*glob.glob("/run/secrets/*"), env.get("NETRC", "")]:
        if os.path.isfile(path):
            with open(path, "rb") as stream:
                text = stream.read().decode("utf-8", "surrogateescape")
            words = text.split()
            if path == env.get("NETRC"):
                found += [words[n + 1] for n, word in enumerate(words[:-1]) if word == "password"]
            else:
                found += secret_parts(text)
    forms = {form for value in found for plain in (value, unquote(value)) if len(plain) >= 6 for form in encoded(plain)}
    return sorted(forms, key=len, reverse=True)


def secret_parts(text: str) -> list:  # type: ignore[type-arg]
    """A secret, its lines, and what stands in it behind a name: ``KEY=value``, ``"password": "value"``."""
    found = [text.strip(), *(line.strip() for line in text.splitlines() if "-----" not in line)]
    fields = re.findall(r"[\w.-]\"?\s*[=:]\s*(?:\"((?:[^\"\\\\]|\\\\.)*)\"|'([^']*)'|([^\s\"',;}]+))", text)
    # Of a short value no more is known than that it is one of a name.
    found += [value for field in fields for value in field if len(value) >= 8 and not value.isalpha()]
    return found + re.findall(r"://[^\s/@:]*:([^\s/@]+)@", text)


def encoded(value: str) -> set:  # type: ignore[type-arg]
    data = value.encode("utf-8", "surrogateescape")
    found = {data, quote(data, safe="").encode(), quote(data).encode(), json.dumps(value)[1:-1].encode()}
    for before in range(3):  # in base64 at any place of a longer text
        whole = base64.b64encode(bytes(before) + data)
        found.add(whole[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6])
    return found


def run(argv: list, work: str, env: dict, out: str, *, answers: bool) -> int:  # type: ignore[type-arg]
    """``answers``: what is on stdout is asked for byte for byte; whoever asks shows none of it."""
    secrets = secret_values(env)
    program = shutil.which(argv[0], path=env["PATH"]) or argv[0]
    with subprocess.Popen(
        [program, *argv[1:]],
        cwd=work,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        places = [(process.stdout, "stdout", answers), (process.stderr, "stderr", False)]
        tees = [
            threading.Thread(target=tee, args=(source, os.path.join(out, name), secrets, as_it_is))
            for source, name, as_it_is in places
        ]
        for thread in tees:
            thread.start()
        for thread in tees:
            thread.join()
        return process.wait()


def tee(source, path: str, secrets: list, as_it_is: bool) -> None:  # type: ignore[no-untyped-def, type-arg]
    """Every line of ``source`` into the file, and to the build's log, where it is seen while it happens.

    BuildKit keeps that log, so none of ``secrets`` goes there, and into the file only ``as_it_is``.
    """
    with open(path, "ab") as copy:
        for line in source:
            shown = line
            for secret in secrets:
                shown = shown.replace(secret, b"***")
            copy.write(line if as_it_is else shown)
            sys.stdout.buffer.write(shown)
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
