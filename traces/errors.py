"""The error that is meant for the user, not for the developer."""


class InputError(ValueError):
    """Something a user gave is wrong; the message is one line that names place and rule."""
