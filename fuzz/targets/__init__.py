"""One module for each package that reads what comes from outside, and one for what other machines answer."""
