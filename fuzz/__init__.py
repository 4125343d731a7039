"""Every parser of outside bytes, given what nobody expects: by coverage here, in small in `tests/test_fuzz.py`."""
