"""The main job as the guides of other libraries have it, one file each: one task a message, one Redis call a step.

Each runs in an environment of the peers, where tidings is not installed; they take the validation of a send from
`worker.contract`, so that everybody validates the same fields by the same limits; that a language comes twice only
tidings looks for. What differs is what the libraries are for: how a message is
enqueued, fetched, run and acknowledged. Blocking ones use requests, as the guides of Celery and dramatiq do; asyncio
ones use aiohttp, which costs a fraction of the httpx that arq's guide shows. So the comparison is kind to them.
"""
