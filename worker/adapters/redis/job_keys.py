"""The Redis keys of batch jobs, all in one slot; their messages are in the shards as all others.

======================================  ======  =================================================================
key                                     type    holds
======================================  ======  =================================================================
tidings:{jobs}                          zset    origin of a batch job -> ms when somebody must look at it next
tidings:{jobs}:job:<origin>             hash    the job, see `JOB` below
tidings:{jobs}:rejected:<origin>#<n>    list    rejected rows of its part n: chunks of JSON, deflated
tidings:{jobs}:progress                 zset    origin of a batch job -> ms when to look how far it is; until 100 %
tidings:{jobs}:passed:<origin>#<n>      hash    what is told of passing n %, see `PASSED` below
tidings:{jobs}:outbox                   zset    `<origin>#<n>` -> ms when passing n % was to be told; its queues, what
                                                was given up and the counters are as those of a shard, with {jobs}
======================================  ======  =================================================================

JOB, the fields of a batch job:

=========  ===========  =========================================================================================
field      written by   meaning
=========  ===========  =========================================================================================
def        create       the definition (JSON, keys sorted)
created    create       ms
state      create,      HELD, RUNNING, PAUSED or CANCELLED
           move
version    move         raised by each change of state
changed    move         ms of the newest change
carried    postpone     the version that the ledger did
ended      move         messages that had their outcome then
p<n>       begin part   `<sha256>|<rows>|<number of the last>` of part n
u<n>       begin part   the upload that may write to it
d<n>       finish part  `<ms>|<what became of its rows (JSON)>`, once it is done
passed     progress     the highest percentage that its merchant was told, or would have been
rows       begin part   rows of all parts
lacking    begin part,  parts that are begun and not done
           finish part
=========  ===========  =========================================================================================

PASSED, the fields of what is told of a batch job:

=========  ===========  =========================================================================================
field      written by   meaning
=========  ===========  =========================================================================================
cb         progress     `|<percentage>`; names the callback as the finality of a message does
told       progress     `<ms>|<state>|<created>|<taken>|<open>|<S>|<F>|<U>|<forgotten>`
cbs        callback     as of a message
=========  ===========  =========================================================================================
"""

from worker.adapters.redis.keys import JOBS, PREFIX
from worker.contract.callbacks import ProgressKey
from worker.contract.origins import Origin

JOBS_KEY = f"{PREFIX}:{{{JOBS}}}"
PROGRESS_KEY = f"{PREFIX}:{{{JOBS}}}:progress"


def job_key(batch: Origin) -> str:
    """Return the key of a batch job."""
    return f"{PREFIX}:{{{JOBS}}}:job:{batch.text}"


def rejected_key(batch: Origin, part: int) -> str:
    """Return the key of the rejected rows of a part of a batch job."""
    return f"{PREFIX}:{{{JOBS}}}:rejected:{batch.text}#{part}"


def passed_key(key: ProgressKey) -> str:
    """Return the key of what is told of a batch job that passed a percentage."""
    return f"{PREFIX}:{{{JOBS}}}:passed:{key.app_id}#{key.batch_id}#{key.percentage}"
