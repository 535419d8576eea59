"""The faults that the demo's gateways play, and how a notice that meets one must end.

Scripts are those of `worker.adapters.gateways.simulator`. Each wallet has a gateway of its own with faults of one kind,
so that a pause or an outage of one is seen to leave the others alone.
"""

from dataclasses import dataclass

from worker.contract.codes import ResultStatus

GCASH, ALIPAY_HK, KAKAOPAY = "GCASH", "ALIPAY_HK", "KAKAOPAY"
WALLETS = (GCASH, ALIPAY_HK, KAKAOPAY)


@dataclass(frozen=True, slots=True)
class Fault:
    """What a gateway does with every message to some users."""

    script: str
    """For the simulator."""
    says: str
    """For people, in at most 26 characters: tables shall fit into 80 columns."""
    wallet: str
    per_thousand: int
    """Notices of a thousand that meet it."""
    ends: ResultStatus = ResultStatus.S
    """How each channel of such a notice must end."""
    most: int = 1_000_000
    """Notices that meet it at most: some faults take long."""

    @property
    def is_shown(self) -> bool:
        """Whether the user sees the message: with `act-` also when the answer never comes."""
        return self.ends is ResultStatus.S or self.script.startswith("act-")

    def count(self, messages: int) -> int:
        """Return how many of so many notices meet it: at least one."""
        return min(max(1, messages * self.per_thousand // 1000), self.most)


FAULTS = (
    Fault("retry-2", "asks to try again, twice", GCASH, 15),
    Fault("flaky-50-3", "asks to try again at times", GCASH, 15),
    Fault("slow-300", "answers after 300 ms", GCASH, 10),
    Fault("missing-1", "forgets it in its answer", GCASH, 10),
    Fault("reject", "rejects the call over it", GCASH, 5, ends=ResultStatus.F),
    Fault("fail", "final failure", GCASH, 10, ends=ResultStatus.F),
    Fault("retry", "always asks to try again", GCASH, 2, ends=ResultStatus.F, most=4),
    Fault("429-1-1", "429, wait 1 s", ALIPAY_HK, 1, most=3),
    Fault("503-1-1", "503, wait 1 s", ALIPAY_HK, 1, most=3),
    Fault("unknown-1", "answers U", KAKAOPAY, 5),
    Fault("garbage-1", "answers garbage", KAKAOPAY, 5),
    Fault("reset-1", "resets the connection", KAKAOPAY, 5),
    Fault("500-1", "HTTP 500", KAKAOPAY, 5),
    Fault("act-hang-1", "shows it, silent once", KAKAOPAY, 2, most=5),
    Fault("hang", "never answers", KAKAOPAY, 1, ends=ResultStatus.U, most=2),
    Fault("act-hang", "shows it, never answers", KAKAOPAY, 1, ends=ResultStatus.U, most=1),
)
