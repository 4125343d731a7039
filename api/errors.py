"""What can go wrong where the parts meet."""


class ApiError(Exception):
    """Base of this package's errors: says what was wrong, where, and what to do."""


class HomeError(ApiError):
    """The home cannot be opened, made, or written to."""


class HomeBusyError(HomeError):
    """Another process holds the home for longer than is reasonable."""


class UsageError(ApiError):
    """The command or request asks for something that cannot be meant."""


class NothingThereError(ApiError):
    """There is no such recording, no credentials in the file, no match."""


class TokenError(ApiError):
    """A bearer token is missing, unknown, revoked, or lacks a scope."""


class JobError(ApiError):
    """A job cannot be found or carried out."""


class DraftError(UsageError):
    """What was handed out to be signed cannot be used so: another signature, other bytes, or its time is over."""
