"""A wallet's gateway for your desk: the delivery leg (CONTRACT R65-R69) over real HTTP, with faults on request.

It implements `POST /v2/platform/message/send`, remembers what each user got, and counts every delivery by its
messageId, so that a message shown twice can be seen from outside. A user whose customerId begins with `sim-` makes the
gateway misbehave; every other user gets the message.

    sim-[act-]<behaviour>[-<value>][-<N>][-<anything>]        at most 32 characters, as every customerId

    behaviour  value          what the gateway does
    ---------  -------------  ------------------------------------------------------------------------------
    deliver                   shows the message
    fail                      success false, retry false, USER_NOT_EXIST
    retry                     success false, retry true
    flaky      percent, 50    success false, retry true for that share of turns, by a hash of messageId and turn
    missing                   leaves the message out of messageSendResults (act)
    slow       millis, 1000   shows the message at once and answers so much later
    unknown                *  result U (act)
    reject                 *  result F, PARAM_ILLEGAL: a poisonous message
    hang                   *  never answers, keeps the connection open (act)
    garbage                *  HTTP 200 with a body that is no JSON (act)
    reset                  *  breaks the connection with a TCP reset (act)
    429        seconds, 1  *  HTTP 429 with Retry-After
    503        seconds, 1  *  HTTP 503 with Retry-After
    500                    *  HTTP 500 (act)

`N` is how many times, for each messageId; afterwards the message is delivered. Without it: for ever. `act-` shows the
message to the user first, wherever the table says (act). The first whole numbers are value and N, so `anything` should
begin with a letter: `sim-retry-2-ann` refuses each message twice, `sim-429-5-3-ann` answers Retry-After: 5 three times,
`sim-act-hang-1-ann` delivers and then leaves the caller without an answer, once.

`*` holds for the whole call: nothing of it is delivered, or with `act-` all of it; the first such message of a call
decides. Only messages that took their turn count it: a `retry` that shared a call with a `503` still has all its turns.
A messageId that was delivered is answered with success whatever `fail`, `retry` and `flaky` say. An id that begins with
`sim-` but is no script fails with SIMULATOR_SCRIPT_UNKNOWN, so that a typing error in a drill is seen.

Where a wallet is put with `;inquiry`, `POST /v2/platform/message/inquiry` says of up to 20 messageIds which were shown.
What `POST /behaviour` sets for everybody and holds for whole calls holds for inquiries too.

    request                                  answer
    ---------------------------------------  ------------------------------------------------------------------
    GET /counts                              calls, messages, delivered, deliveredTwice ... (see `deliveries.Counts`)
    GET /deliveries?messageId=...            how often it was called and delivered, and what the user saw
    GET /deliveries?customerId=...           what one user got
    GET /deliveries?after=0&limit=100        everything, oldest first; `next` is the `after` of the next page
    POST /behaviour {"behaviour": "503-2"}   everybody behaves so, scripted users too; null: back to normal
    POST /reset                              as freshly started
    GET /healthz                             200 while it serves
    GET /                                    the counts for people

What was shown is kept for the last 10,000 deliveries, the counts of a messageId until a reset. With a journal every
valid call is written to a file as well: when it came, what it asked for, what was shown because of it.
"""

from worker.adapters.gateways.simulator.deliveries import Idempotency
from worker.adapters.gateways.simulator.journal import JournalledCall, read_journal
from worker.adapters.gateways.simulator.server import Simulator, SimulatorSettings, SimulatorStartError, run

__all__ = [
    "Idempotency",
    "JournalledCall",
    "Simulator",
    "SimulatorSettings",
    "SimulatorStartError",
    "read_journal",
    "run",
]
