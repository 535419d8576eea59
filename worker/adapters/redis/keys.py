"""The Redis keys of the ledger's shards. Lua scripts get their keys as arguments and build none.

A key carries the hash tag `{n}` of its shard, so that one script touches one cluster slot. `tidings` is the prefix.
What is of no shard: `job_keys` has the batch jobs, `registry_keys` what is registered, and the gateways.

======================================  ======  =================================================================
key                                     type    holds
======================================  ======  =================================================================
tidings:ledger                          hash    fixed parameters: `schema`, `shards`
tidings:{n}:message:<messageId>         hash    the record, see `FIELDS` below
tidings:{n}:payload:<messageId>         string  what a worker needs to deliver; erased once every channel has S
tidings:{n}:due                         zset    due index: messageId -> ms when somebody must look at it next
tidings:{n}:backlog:<lane>:<origin>     zset    messageId -> ms deadline, of what is beyond the window or paused
tidings:{n}:backlogs:<lane>             zset    origin -> messages released so far; the least served is next
tidings:{n}:stopped:<lane>              zset    paused origin with a backlog -> ms when to look for what is past its
                                                deadline there; never later than the first deadline
tidings:{n}:paused                      zset    origin -> ms since when nothing of it is sent
tidings:{n}:closed                      zset    batch's origin -> ms when it was cancelled: paused, but for what
                                                a gateway was asked for
tidings:{n}:started                     zset    batch's origin -> ms when it was resumed, for the retention
tidings:{n}:staged                      zset    batch's origin -> ms when it is withdrawn, unless it is to run
tidings:{n}:decision:<origin>           string  `run` or `withdraw`: what was decided of a staged batch
tidings:{n}:batches                     hash    `<origin>#<status>` -> number of messages, see `BatchTally`
tidings:{n}:rows                        zset    `<origin>#<row, 8 digits>#<messageId>`, score 0: a batch by its rows
tidings:{n}:scheduled                   zset    `<lane>#<appId>#<batchId>#<messageId>#<deadline>` -> ms when to wake it
tidings:{n}:plans                       zset    the same, score 0: what is of one merchant, or batch, side by side
tidings:{n}:window                      zset    `<lane>#<appId>#<messageId>`, score 0: due, and not in `waiting`
tidings:{n}:waiting                     zset    `<lane>#<appId>#<messageId>`, score 0: due for a retry, not yet swept
tidings:{n}:unanswered                  zset    open messageId -> ms since when an open channel's answer is missing
tidings:{n}:unknown                     zset    messageId of a dead letter with a U -> ms since when
tidings:{n}:counters                    hash    `<appId>#<channel>#<status>` -> number of deliveries
tidings:{n}:retention                   zset    messageId -> ms when a final message is forgotten
tidings:{n}:dead                        zset    messageId -> ms when it became a dead letter
tidings:{n}:cards                       zset    the cards of dead letters, score 0, in the order of their deaths
tidings:{n}:outbox                      zset    `<appId>#<messageId>#<finality>` -> ms when that outcome was to be told
tidings:{n}:callbacks:<appId>           zset    `<messageId>#<finality>` -> ms when somebody must look at the callback
tidings:{n}:callbacks                   zset    appId -> ms when somebody must look at the first of its callbacks
tidings:{n}:uncalled                    zset    `<appId>#<messageId>#<finality>` -> ms when the callback was given up;
                                                no longer than the record has that outcome
tidings:{n}:called                      hash    `<appId>#<delivered or dead>` -> number of callbacks
tidings:{n}:token:<keyed hash>          string  what an access token grants (JSON); never the token
tidings:{n}:cap:<wallet>#<app>#<cust>   zset    messageId -> ms when it was counted under the wallet's cap
tidings:{n}:rate:<by>#<name>            string  ms at which a limit's next send would come if all came evenly (GCRA)
tidings:{n}:refused                     hash    `<by>#<name>` -> sends refused by that rate limit; by: client or app
======================================  ======  =================================================================

An origin is `<appId>`, or `<appId>#<batchId>` of what came in a batch. The window is the merchant's, whatever batch its
messages came in. A backlog is listed in `stopped` while its origin or its merchant is in `paused`, else in `backlogs`.

An open message is in exactly one of `due`, `scheduled` and a `backlog`; being there is what makes it open. What is due
is in exactly one of `window` and `waiting`. `unanswered` holds what is open and has an open channel with code
UNANSWERED, `unknown` the dead letters with a channel that is U.

`dead` says which messages are dead letters. `cards` is derived from it and the records, so that searches need no
record: whoever finds fewer cards than dead letters writes the missing ones (`index_dead_letters.lua`). A card is
`<ms, 13 digits>#<messageId> cause= lane= app= req= tpl= ver= PUSH=F|<code>|<gateway> inbox=S~<gateway> `: fields parted
by a space, one at the end too; a channel that is neither F nor U is in small letters, so that a plain search for a
given-up one passes it by; white space, control characters and `|` in a code or gateway are `_`.

FIELDS of a record (absent means 0 or empty; the short ones keep a record in Redis' compact encoding):

=========  ===========  =========================================================================================
field      written by   meaning
=========  ===========  =========================================================================================
app        accept       appId
req        accept       requestId
fp         accept       fingerprint of the content (R41, R53)
user       accept       digest of the user the token resolved to
lane       accept       single or bulk
batch row  accept       batchId, and its row there, where it came in a batch
tpl        accept       `<version>#<language>#<templateCode>#<Client-Id>`: the version that was live when the send was
                        taken (R60), the language chosen (R62), the caller; one field, as each costs time and space
taken      accept       ms of acceptance
exp        accept       ms deadline: then the message expires, a U included
PUSH       accept,      the channel's state: `<state>|<ms>|<code>|<message>`; state O open, S, F, U, K skipped
INBOX      settle,
           claim
attempt    claim        fencing token, raised by each claim
alone      claim        1 while the newest claim is of the message alone
held       claim,       who holds it: `<lease>|<claimed>|<claim>`, ms until which the newest claim holds the message (0
           settle       once it is settled), ms of that claim, and its claim id
cb         accept,      `<outcomes>|<finality>`: what the merchant is told of, as in `FSU`, and how often the message
           settle       became final; absent: its merchant is not called back
cbs        callback     the newest callback: `<finality>|<state>|<since>|<ms>|<tries>|<detail>`; W waiting, D delivered,
                        X dead
tries      settle       how often a gateway answered or timed out
crashes    claim        claims that ended without being settled; each left the open channels UNANSWERED
lone       claim        those of them that were of the message alone
nb         accept,      ms before which nobody may claim it (a retry, or its time, waits)
           settle
why        accept,      why it is in the schedule: SCHEDULE or QUIET_HOURS
           settle
hints      sweep        how often it was hinted since its newest claim; doubles the grace
gPUSH      settle,      gateway that was asked last for the channel, where the message was not final by it;
gINBOX     note         absent: the first of the wallet
dead       settle,      cause, while it is a dead letter
           replay,
           discard
run        replay,      `<result>|<run>` of the newest replay or discard: asked again, it answers the same
           discard
n<n>       replay,      what was done to it after attempt n: `<ms>|<REPLAYED, DISCARDED or CANCELLED>|<cause>|<run>|
           discard,     <reason>`
           cancel
t<n>       settle       timeline of attempt n: `<claimed>|<settled>|<worker>|<channel>=<state>:<code>...`
=========  ===========  =========================================================================================
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final, Literal, TypeAlias

from worker.contract.identity import shard_of
from worker.contract.messages import Lane
from worker.contract.origins import Origin
from worker.contract.rates import RateLimit
from worker.contract.users import User

PREFIX = "tidings"
SCHEMA = 5
JOBS: Final = "jobs"
Slot: TypeAlias = int | Literal["jobs"]
"""What has an outbox of its own: a shard, or the batch jobs."""


@dataclass(frozen=True, slots=True)
class Keys:
    """Builds keys for a ledger of `shards` shards."""

    shards: int

    def ledger(self) -> str:
        """Return the key of the ledger's fixed parameters."""
        return f"{PREFIX}:ledger"

    def shard(self, message_id: str) -> int:
        """Return the shard that holds a message."""
        return shard_of(message_id, self.shards)

    def message(self, shard: int, message_id: str) -> str:
        """Return the key of a record."""
        return f"{PREFIX}:{{{shard}}}:message:{message_id}"

    def messages(self, shard: int, message_ids: Iterable[str]) -> list[str]:
        """Return the keys of records of a shard, in order."""
        start = self.message(shard, "")
        return [start + message_id for message_id in message_ids]

    def pairs(self, shard: int, message_ids: Iterable[str]) -> list[str]:
        """Return the keys of messages of a shard as scripts take them: of each its record and its payload."""
        record, payload = self.message(shard, ""), self.payload(shard, "")
        keys: list[str] = []
        for message_id in message_ids:
            keys += (record + message_id, payload + message_id)
        return keys

    def any_message(self) -> str:
        """Return the pattern of all records' keys, for SCAN."""
        return f"{PREFIX}:{{*}}:message:*"

    def of_message(self, key: str) -> tuple[int, str]:
        """Return the shard and the messageId in the key of a record."""
        _, shard, _, message_id = key.split(":", 3)
        return int(shard.strip("{}")), message_id

    def slot_of_message(self, key: bytes) -> bytes:
        """Return what the key of a record has in common with those of its shard alone."""
        return key[: key.index(b"}")]

    def payload(self, shard: int, message_id: str) -> str:
        """Return the key of a payload."""
        return f"{PREFIX}:{{{shard}}}:payload:{message_id}"

    def due(self, shard: int) -> str:
        """Return the key of a due index."""
        return f"{PREFIX}:{{{shard}}}:due"

    def backlog(self, shard: int, lane: Lane, origin: Origin) -> str:
        """Return the key of the backlog of a merchant or batch."""
        return f"{PREFIX}:{{{shard}}}:backlog:{lane}:{origin.text}"

    def backlogs(self, shard: int, lane: Lane) -> str:
        """Return the key of the index of backlogs."""
        return f"{PREFIX}:{{{shard}}}:backlogs:{lane}"

    def stopped(self, shard: int, lane: Lane) -> str:
        """Return the key of the index of paused backlogs."""
        return f"{PREFIX}:{{{shard}}}:stopped:{lane}"

    def paused(self, shard: int) -> str:
        """Return the key of what is paused in a shard."""
        return f"{PREFIX}:{{{shard}}}:paused"

    def closed(self, shard: int) -> str:
        """Return the key of the batches that were cancelled in a shard."""
        return f"{PREFIX}:{{{shard}}}:closed"

    def started(self, shard: int) -> str:
        """Return the key of the batches that were resumed in a shard."""
        return f"{PREFIX}:{{{shard}}}:started"

    def staged(self, shard: int) -> str:
        """Return the key of the staged batches of a shard."""
        return f"{PREFIX}:{{{shard}}}:staged"

    def decision(self, batch: Origin) -> str:
        """Return the key of what was decided of a staged batch; it is in one shard, whatever shards have messages."""
        place = blake2b(batch.text.encode(), digest_size=4).hexdigest()
        return f"{PREFIX}:{{{shard_of(place, self.shards)}}}:decision:{batch.text}"

    def batches(self, shard: int) -> str:
        """Return the key of the counters of a shard's batches."""
        return f"{PREFIX}:{{{shard}}}:batches"

    def rows(self, shard: int) -> str:
        """Return the key of a shard's batches by their rows."""
        return f"{PREFIX}:{{{shard}}}:rows"

    def scheduled(self, shard: int) -> str:
        """Return the key of what waits for its time in a shard."""
        return f"{PREFIX}:{{{shard}}}:scheduled"

    def plans(self, shard: int) -> str:
        """Return the key of the same as text: of one merchant, or batch, in a row."""
        return f"{PREFIX}:{{{shard}}}:plans"

    def window(self, shard: int) -> str:
        """Return the key of a shard's windows."""
        return f"{PREFIX}:{{{shard}}}:window"

    def waiting(self, shard: int) -> str:
        """Return the key of what waits for a retry in a shard."""
        return f"{PREFIX}:{{{shard}}}:waiting"

    def unanswered(self, shard: int) -> str:
        """Return the key of the open messages of a shard whose gateway did not answer."""
        return f"{PREFIX}:{{{shard}}}:unanswered"

    def unknown(self, shard: int) -> str:
        """Return the key of the dead letters of a shard that are U."""
        return f"{PREFIX}:{{{shard}}}:unknown"

    def counters(self, shard: int) -> str:
        """Return the key of a shard's counters."""
        return f"{PREFIX}:{{{shard}}}:counters"

    def retention(self, shard: int) -> str:
        """Return the key of a retention index."""
        return f"{PREFIX}:{{{shard}}}:retention"

    def dead(self, shard: int) -> str:
        """Return the key of a shard's dead letters."""
        return f"{PREFIX}:{{{shard}}}:dead"

    def cards(self, shard: int) -> str:
        """Return the key of the cards of a shard's dead letters."""
        return f"{PREFIX}:{{{shard}}}:cards"

    def slots(self) -> tuple[Slot, ...]:
        """Return what has an outbox: the shards, and the batch jobs."""
        return (*range(self.shards), JOBS)

    def outbox(self, slot: Slot) -> str:
        """Return the key of the callbacks of a slot that are in no merchant's queue yet."""
        return f"{PREFIX}:{{{slot}}}:outbox"

    def callbacks(self, slot: Slot) -> str:
        """Return the key of the index of the merchants' callbacks."""
        return f"{PREFIX}:{{{slot}}}:callbacks"

    def callbacks_of(self, slot: Slot, app_id: str) -> str:
        """Return the key of a merchant's callbacks."""
        return f"{PREFIX}:{{{slot}}}:callbacks:{app_id}"

    def uncalled(self, slot: Slot) -> str:
        """Return the key of the callbacks of a slot that were given up."""
        return f"{PREFIX}:{{{slot}}}:uncalled"

    def called(self, slot: Slot) -> str:
        """Return the key of the counters of callbacks."""
        return f"{PREFIX}:{{{slot}}}:called"

    def token(self, keyed_hash: str) -> str:
        """Return the key of a token's grant; the hash is hexadecimal."""
        (key,) = self.tokens(self.shard(keyed_hash), [keyed_hash])
        return key

    def tokens(self, shard: int, keyed_hashes: Iterable[str]) -> list[str]:
        """Return the keys of access tokens of a shard, in order."""
        start = f"{PREFIX}:{{{shard}}}:token:"
        return [start + keyed_hash for keyed_hash in keyed_hashes]

    def any_token(self) -> str:
        """Return the pattern of all tokens' keys, for SCAN."""
        return f"{PREFIX}:{{*}}:token:*"

    def cap(self, app_id: str, user: User) -> str:
        """Return the key of what one customer got from one appId under the wallet's cap."""
        place = blake2b(user.customer_id.encode(), digest_size=4).hexdigest()
        return f"{PREFIX}:{{{shard_of(place, self.shards)}}}:cap:{user.wallet}#{app_id}#{user.customer_id}"

    def shard_of_rate(self, limit: RateLimit) -> int:
        """Return the shard that holds a rate limit."""
        return shard_of(blake2b(f"{limit.by}#{limit.name}".encode(), digest_size=4).hexdigest(), self.shards)

    def rate(self, limit: RateLimit) -> str:
        """Return the key of a rate limit."""
        return f"{PREFIX}:{{{self.shard_of_rate(limit)}}}:rate:{limit.by}#{limit.name}"

    def refused(self, shard: int) -> str:
        """Return the key of the numbers of sends that a shard's rate limits refused."""
        return f"{PREFIX}:{{{shard}}}:refused"
