"""Published figures: each script measures, beside a floor or a peer in the same run, and prints a table."""
