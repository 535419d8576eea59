"""The sends of the benchmarks."""

import time

import orjson

USERS = 1000
"""How many users each merchant writes to."""


def bodies(number: int, app: str = "bench-app") -> list[bytes]:
    """Return sends of one merchant with requestIds of their own."""
    run = time.time_ns()
    return [
        orjson.dumps(
            {
                "appId": app,
                "accessToken": token(app, index),
                "requestId": f"{run}-{index:07d}",
                "templateCode": "TP_BENCH",
                "redirectUrl": "/orders/1",
                "templates": [
                    {"language": "en-US", "templateParameters": {"who": f"customer {index}", "amount": "$12.50"}},
                ],
            },
        )
        for index in range(number)
    ]


def token(app: str, index: int) -> str:
    """Return the token of the user that a merchant's send goes to."""
    return f"token-{app}-{index % USERS}"
