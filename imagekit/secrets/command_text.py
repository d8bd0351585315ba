"""Credentials in commands: what a shell or a program is told, in a line of a Dockerfile, an image's history, a ``CMD``.

Sources: the manuals of the programs named here (``curl -u``, ``docker login -p``, ``mysql -p``, ``sshpass -p``,
``redis-cli -a``, ``openssl -passin``, ``htpasswd -b``, ``chpasswd``, ``unzip -P``, ``lftp -u`` …); the Dockerfile
reference for the exec form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from imagekit.secrets.telling import PASSWORD, TOKEN, credential, in_text, named

_VALUE = r"(?P<value>\"[^\"]*\"|'[^']*'|[^\s;&|)\"',\]]+)"
_ASSIGNMENT = r"(?:(?<![\w./-])|(?<=\s-D))(?P<name>[A-Za-z_][\w.]*)=(?P<value>\"[^\"]*\"|'[^']*'|[^\s;&|)]+)"
_OPTION = rf"(?<![\w-])-{{1,2}}(?P<name>[A-Za-z][\w.-]{{2,}})[= ](?!-){_VALUE}"
_HEADER = r"(?i)(?P<name>[a-z][\w-]*):\s*(?:(?:bearer|basic|token|apikey|key|digest)\s+)?(?P<value>[^\s\"']+)"
_SET = rf"\bset\s+[\"']?(?P<name>[\w./:@-]+)[\"']?[= ]\s*{_VALUE}"  # npm config set NAME VALUE, aws configure set …
# Options of single letters, by the program that they are of; none reaches beyond its own command.
_REST = r"[^|;&\n]*?\s"
_CLIENTS = r"(?:docker|podman|buildah|skopeo|nerdctl|oras|crane|helm|az|oc|cosign)"
_MYSQL = r"(?:^|[\s;&|(/])(?:mysql|mysqldump|mysqladmin|mysqlsh|mariadb|mariadb-admin)\s"
_PROGRAMS = (
    ("curl", rf"\bcurl\b{_REST}(?:-[A-Za-z]*[uU]\s*|--(?:proxy-)?user[= ]\s*)[\"']?[^\s:\"']*:{_VALUE}"),
    ("http", rf"\bhttps?\s(?:{_REST})?(?:-a|--auth)[= ]\s*[\"']?[^\s:\"']*:{_VALUE}"),
    ("login", rf"\b{_CLIENTS}\b{_REST}login\s(?:{_REST})?-p[= ]?\s*{_VALUE}"),
    ("upload", rf"\btwine\s+upload\b{_REST}-p\s*{_VALUE}"),
    ("sshpass", rf"\bsshpass\s+-p\s*{_VALUE}"),
    ("-p", rf"{_MYSQL}(?:{_REST})?-p(?!rotocol|ort){_VALUE}"),
    ("redis-cli", rf"\bredis-cli\b{_REST}-a\s*{_VALUE}"),
    ("pass:", rf"\bpass:{_VALUE}"),
    ("htpasswd", rf"\bhtpasswd\s+-[A-Za-z]*b[A-Za-z]*\s+\S+\s+(?:[^\s-]\S*\s+)?{_VALUE}\s*(?:$|[|;&\n>#])"),
    ("ssh-keygen", rf"\bssh-keygen\b{_REST}-N\s*{_VALUE}"),
    ("chpasswd", r"[\"' ][\w.-]+:(?P<value>[^\s\"']+)[\"']?\s*\|\s*(?:sudo\s+)?chpasswd"),
    ("chpasswd", r"chpasswd\s*<<<\s*[\"']?[\w.-]+:(?P<value>[^\s\"']+)"),
    ("http-basic.", rf"\bhttp-basic\.\S+\s+\S+\s+{_VALUE}"),
    ("pypi-token.", rf"\bpypi-token\.\S+\s+{_VALUE}"),
    ("unzip", rf"\bunzip\s(?:{_REST})?-P\s*{_VALUE}"),
    ("7z", rf"\b7z[ar]?\s{_REST}-p{_VALUE}"),
    ("openssl", rf"\bopenssl\s+(?:enc|aes\S*|des\S*)\s(?:{_REST})?-k\s+{_VALUE}"),
    ("openssl", rf"\bopenssl\s+passwd\s(?:-\S+\s+)*{_VALUE}"),
    ("lftp", rf"\blftp\s(?:{_REST})?(?:-u\s*|--user[= ])[^\s,]+,{_VALUE}"),
    ("smbclient", rf"\bsmbclient\s(?:{_REST})?(?:-U\s*|--user[= ])[^\s%]+%{_VALUE}"),
    ("mongo", rf"\bmongo(?:sh|dump|restore|export|import)?\s(?:{_REST})?-p\s+{_VALUE}"),
    ("stdin", rf"\b(?:echo|printf)\s+(?:-[neE]+\s+)*(?:[\"']?%s(?:\\n)?[\"']?\s+)?{_VALUE}\s*\|[^|;&\n]*-stdin\b"),
)
_EXEC_FORM = r"(?s)[^\[\"]*?(?P<words>\[\s*\".*\])\s*"


def in_command(text: str) -> str | None:
    """What credential stands in a command, in the form of a shell or of a JSON array, or ``None``."""
    if (kind := _in_shell(text)) is not None:
        return kind
    words = _exec_form(text) if '"' in text and "[" in text else ()
    return in_words(words) if words else None


def in_words(words: Sequence[str]) -> str | None:
    """The same of a command that is a list of words; each word may be a command of a shell itself."""
    for word in words:
        if (kind := _in_shell(word)) is not None:
            return kind
    # A word of several is one word to who reads on.
    return _in_shell(" ".join(word if word and not re.search(r"[\s\"';&|]", word) else _quoted(word) for word in words))


def in_pair(name: str, value: str) -> str | None:
    """What the variable, argument or label ``name`` holds: by itself, or in a command that it may be."""
    if (kind := credential(name, value)) is not None:
        return kind
    return _in_shell(value) if any(c in value for c in " =:-") else None


def _in_shell(text: str) -> str | None:
    if (kind := in_text(text)) is not None:
        return kind
    for name, value in _told(text):
        if (kind := named(name, value)) is not None:
            return kind
    for name, value in _headers(text):
        if named(name, value) is not None:
            return TOKEN
    return PASSWORD if any(named("password", value) is not None for value in _of_programs(text)) else None


def _told(text: str) -> Iterator[tuple[str, str]]:
    for pattern in (_ASSIGNMENT, _OPTION, _SET):
        for found in re.finditer(pattern, text):
            if (value := _plain(found["value"])) is not None:
                yield found["name"], value


def _headers(text: str) -> Iterator[tuple[str, str]]:
    for found in re.finditer(_HEADER, text) if ":" in text else ():
        name = found["name"].lower()
        is_telling = name.endswith(("authorization", "-token", "-key", "-secret", "-auth")) or name == "cookie"
        if is_telling and (value := _plain(found["value"])) is not None:
            yield "token", value


def _of_programs(text: str) -> Iterator[str]:
    for word, pattern in _PROGRAMS:
        for found in re.finditer(pattern, text) if word in text else ():
            if (value := _plain(found["value"])) is not None:
                yield value


def _plain(value: str) -> str | None:
    """``value`` as the program gets it; ``None`` where a shell puts it together, or where it is another option."""
    value = value.strip("\"'").rstrip("\\")
    if "`" in value or value.startswith("-") or ("$" in value and not re.fullmatch(r"\$\{\w+:?[-=].+\}", value)):
        return None
    return value


def _exec_form(text: str) -> list[str]:
    import json

    found = re.fullmatch(_EXEC_FORM, text)
    try:
        # An image's history has the words of a CMD without commas.
        words = json.loads(re.sub(r'"[ \t]+"', '", "', found["words"])) if found is not None else []
    except ValueError:
        return []
    return [word for word in words if isinstance(word, str)] if isinstance(words, list) else []


def _quoted(word: str) -> str:
    return f"'{word}'" if "'" not in word else f'"{word}"'
