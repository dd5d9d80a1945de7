"""No network for what reads strangers' bytes: what has taken a decoder over can call nobody, and outlives nobody."""

import ctypes
import os
import signal

_NEW_USER, _NEW_NET = 0x1000_0000, 0x4000_0000
"""`CLONE_NEWUSER`, without which the other needs rights, and `CLONE_NEWNET` of Linux' unshare(2)."""


_PARENT_DEATH_SIGNAL = 1
"""`PR_SET_PDEATHSIG` of Linux' prctl(2)."""


def end_with_parent() -> None:
    """Has the kernel kill this process when the one that forked it ends. Does nothing where the kernel is not Linux."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def leave_network() -> str | None:
    """Moves this process, and all that it forks from now on, into a network of its own in which there is nobody.

    Why that was not possible, or None. The kernel wants a process of one thread, and a container's runtime that allows
    user namespaces.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    unshare = getattr(libc, "unshare", None)
    if unshare is None:
        return "this system has no namespaces"
    return None if unshare(_NEW_USER | _NEW_NET) == 0 else os.strerror(ctypes.get_errno())
