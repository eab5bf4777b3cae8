"""A memory fence in plain Python, for shared memory published by storing a number last."""

import threading


def fence() -> None:
    """Keep this process's loads and stores from moving across the fence; takes a microsecond or two.

    Acquiring a lock is a barrier for later accesses, releasing a lock a barrier for earlier accesses. On x86 a single
    acquire and release is a full barrier. On ARM only a release followed by a second acquire is a full barrier: hence
    twice. The lock is new at each call, so the fence never waits.
    """
    lock = threading.Lock()
    with lock:
        pass
    with lock:
        pass
