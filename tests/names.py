"""A name server that a test plays, in place of the system's."""

import threading

LOOPBACK = ("127.0.0.1",)


class Names:
    """Names that begin with "slow" are not answered before `go` is set, and none.test leads nowhere."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.go = threading.Event()
        self.answered: list[str] = []

    def look_up(self, host: str) -> tuple[str, ...]:
        self.asked.append(host)
        if host.startswith("slow"):
            self.go.wait()
        self.answered.append(host)
        return () if host == "none.test" else LOOPBACK
