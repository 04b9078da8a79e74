"""Tools that do the worst they can, found from any process."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path


def hangs() -> str:
    time.sleep(1000)
    return "?"


def ignores(file: str) -> str:
    """Listens to nobody."""
    for number in range(1, 32):
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, signal.SIG_IGN)
    while True:
        with Path(file).open("a") as out:
            out.write(".")
        time.sleep(0.01)


def deadlocks() -> str:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
    return "?"


def fills_memory() -> str:
    held = []
    while True:
        held.append(bytearray(10**7))


def fills_disk() -> str:
    with Path("full").open("wb") as out:
        for _ in range(1000):
            out.write(b"x" * 2**20)
    return "?"


def prints() -> str:
    for _ in range(1024):
        os.write(1, b"x" * 2**20)
        os.write(2, b"x")
    return "printed"


def returns(size: int) -> str:
    return "x" * size


def leaves() -> str:
    os._exit(3)


def exits() -> str:
    sys.exit(3)


def crashes() -> str:
    os.kill(os.getpid(), signal.SIGSEGV)
    return "?"


def spins() -> str:
    while True:
        pass


def forks(file: str) -> str:
    """Start a process that leaves the group, and whose parent ends."""
    script = f"import time\nwhile True:\n    open({file!r}, 'a').write('.')\n    time.sleep(0.01)"
    starter = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {script!r}], start_new_session=True)"
    subprocess.run([sys.executable, "-c", starter], check=True)
    while not Path(file).exists():
        time.sleep(0.01)
    return "forked"


def raises() -> str:
    raise LookupError("not here")


def garbage() -> object:
    return object()


def secrets() -> str:
    return f"{os.environ.get('LAMINA_TEST_SECRET')} {Path.cwd()}"


def speaks() -> str:
    """Write into every descriptor there is."""
    for number in range(3, 64):
        with contextlib.suppress(OSError):
            os.write(number, b"\0\0\0\5hello")
    return "spoken"


_COUNT = []


def counts() -> int:
    _COUNT.append(1)
    return len(_COUNT)


def pid() -> int:
    return os.getpid()
