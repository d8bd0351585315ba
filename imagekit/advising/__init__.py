"""Which image strategy fits a project: measured or estimated, and compared by what a month of it costs."""
