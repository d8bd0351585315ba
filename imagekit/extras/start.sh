#!/bin/sh
# The entrypoint of images with runtime-extras: the command as it is, unless EXTRA_PIP_PACKAGES asks for more.
if [ "$#" -eq 0 ]; then
    echo "imagekit: no command is given, and the image has none" >&2
    exit 64
fi
# What a flow's file imports of imagekit where the image has none (imagekit.prefect puts it there).
if [ -d /opt/imagekit/stand_in ]; then
    export PYTHONPATH="${PYTHONPATH:+$PYTHONPATH:}/opt/imagekit/stand_in"
fi
case "${EXTRA_PIP_PACKAGES:-}" in
*[!\ ]*) ;;
*) exec "$@" ;;
esac
if command -v python >/dev/null 2>&1; then
    exec python /opt/imagekit/start_program.py "$@"
fi
exec python3 /opt/imagekit/start_program.py "$@"
