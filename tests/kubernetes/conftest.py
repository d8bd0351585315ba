"""The program's surroundings, as the tests of whole projects have them."""

from __future__ import annotations

from ..e2e.conftest import imagekit, library, project, session_directory, session_prefix

__all__ = ["imagekit", "library", "project", "session_directory", "session_prefix"]
