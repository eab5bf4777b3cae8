"""A memory fence in plain Python, for shared memory that is published by storing a number last."""

import threading


def fence() -> None:
    """Order this process's loads and stores before the fence with those after it; takes a microsecond or two.

    To take a lock is a barrier for what follows, to release it a barrier for what came before. Once, that is a full
    barrier on x86. On ARM only a release followed by a second acquire is: hence twice. Nobody else has this lock.
    """
    lock = threading.Lock()
    with lock:
        pass
    with lock:
        pass
