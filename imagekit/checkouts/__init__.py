"""Where a flow's source comes from, where it is not the image: a directory of this machine, or a git repository."""
