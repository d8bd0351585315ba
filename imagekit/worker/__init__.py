"""Who carries out the runs of a work pool: claims them, runs each in a container, holds on to them, lets go of them."""
