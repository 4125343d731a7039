"""The names of the HTTP interface, and of every --json answer."""
