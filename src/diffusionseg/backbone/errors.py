"""The errors that belong to generators, kept apart so that a command line can tell them from bugs."""


class BackboneLoadError(OSError):
    """A generator could not be found, read or understood; the message names the folder and the remedy."""


class DeviceUnavailableError(ValueError):
    """A device was asked for by name and this machine does not have it."""
