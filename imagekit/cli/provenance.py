"""``imagekit provenance``"""

from __future__ import annotations

from imagekit.cli import options
from imagekit.cli.documents import File, Target
from imagekit.cli.option_sets import with_options
from imagekit.cli.options import examples

EPILOG = examples(
    "imagekit provenance orders:v1",
    "imagekit provenance registry.example.com/team/orders:v1 --output orders.intoto.json",
)


@with_options
def provenance(
    target: Target = ".",
    *,
    project: options.ProjectOptions,
    output: File = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Tell what an image was made from (SLSA).

    Base, lock, wheels, source; an in-toto statement.
    Of an image in a registry or a layout it is what was attached to it; of one in the engine, what was noted here.
    """
    from imagekit.cli.documents import document_about, put_document
    from imagekit.cli.session import load_settings, open_pipeline, reporting, switched

    # Whether the working tree is the commit's is asked of git.
    settings = switched(load_settings(), attest=True)
    with (
        reporting(quiet=quiet, as_json=as_json, verbose=verbose) as reporter,
        open_pipeline(settings, reporter, needs_engine=False) as pipeline,
    ):
        data = document_about(pipeline, target, "provenance", project)
    put_document(data, output, lambda: "SLSA provenance v1", quiet=quiet, as_json=as_json)
