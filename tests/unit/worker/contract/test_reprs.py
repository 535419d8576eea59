"""Reprs, which end up in logs and error reports: nothing of users' texts and ids, or of tokens."""

import dataclasses
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from tests.ledger_driver import new_message
from tests.samples import claim, payload, send_body, send_fields, wallet_message
from worker import contract
from worker.contract.answers import WalletMessage
from worker.contract.batch_requests import BatchCreation
from worker.contract.messages import Claim, NewMessage
from worker.contract.parsing import parse
from worker.contract.payload import MaskedPayload, Payload
from worker.contract.requests import BatchSend, SendDefaults
from worker.contract.send_request import ContentTemplate, LenientSendRequest, SendRequest
from worker.contract.template_requests import TemplatePreview
from worker.contract.users import SEND_SCOPE, TokenGrant, User

MARK = "MARKED"
PRIVATE = frozenset(
    {
        *("access_token", "redirectUrl", "actionUrl", "action_url", "extendInfo", "sends"),
        *("customer_id", "digest", "parameters", "redirect_url", "extend_info", "payload", "content"),
    }
)
"""Names of fields that hold users' texts, users' ids or tokens."""
HOLDERS: tuple[type, ...] = (
    *(SendRequest, LenientSendRequest, ContentTemplate, SendDefaults, BatchSend, BatchCreation, TemplatePreview),
    *(NewMessage, Claim, Payload, User, WalletMessage),
)
TYPED: dict[type, object] = {
    NewMessage: new_message("r1"),
    User: User("customer-1", "GCASH"),
    SendRequest: parse(SendRequest, send_body()),
    LenientSendRequest: parse(LenientSendRequest, send_body()),
    ContentTemplate: ContentTemplate("en-US", {}),
    Claim: claim(),
    Payload: payload(),
    WalletMessage: wallet_message(),
}


def private(kind: type) -> frozenset[str]:
    """Return the fields that are not told; templates as they came in JSON are plain dicts, which tell everything."""
    if kind is NewMessage:
        return PRIVATE | {"user"}  # its digest
    return PRIVATE | {"templates"} if issubclass(kind, SendDefaults) else PRIVATE


def name_of(kind: type) -> str:
    return kind.__name__


def fields_of(kind: type) -> tuple[str, ...]:
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    if issubclass(kind, BaseModel):
        return tuple(kind.model_fields)
    return getattr(kind, "_fields", ())


def classes() -> Iterator[type]:
    for found in pkgutil.iter_modules(contract.__path__):
        module = importlib.import_module(f"{contract.__name__}.{found.name}")
        for kind in vars(module).values():
            if inspect.isclass(kind) and kind.__module__ == module.__name__:
                yield kind


def filled(kind: type) -> object:
    """Return an object of a class of which each field holds anything; where compiled code looks, what it should."""
    if kind in TYPED:
        return TYPED[kind]
    assert issubclass(kind, BaseModel)
    values: dict[str, Any] = dict.fromkeys(fields_of(kind), MARK)
    return kind.model_construct(**values)


def test_every_class_that_holds_private_fields_is_known_here() -> None:
    found = {kind for kind in classes() if PRIVATE & set(fields_of(kind))}

    assert found == {*HOLDERS, MaskedPayload}


@pytest.mark.parametrize("kind", HOLDERS, ids=name_of)
def test_a_repr_tells_every_field_but_the_private_ones(kind: type) -> None:
    told = repr(filled(kind))

    found = {name for name in fields_of(kind) if re.search(rf"[( ]{name}=", told)}
    assert found == set(fields_of(kind)) - private(kind)
    assert told.startswith(f"{kind.__name__}(")


def marked_fields(**replaced: object) -> dict[str, object]:
    entries = [{"language": "en-US", "templateParameters": {MARK: MARK}}]
    texts = {"redirectUrl": MARK, "actionUrl": MARK, "extendInfo": MARK}
    return send_fields(**{"accessToken": MARK, "templates": entries, **texts, **replaced})


def batch() -> dict[str, object]:
    return {name: value for name, value in marked_fields().items() if name not in {"accessToken", "requestId"}}


EXAMPLES = {
    "send": parse(SendRequest, send_body(**marked_fields())),
    "lenient send": parse(LenientSendRequest, send_body(**marked_fields(extendInfo={MARK: MARK}))),
    "batch": parse(BatchSend, send_body(**batch(), sends=[marked_fields()])),
    "batch job": parse(BatchCreation, send_body(**batch(), batchId="june")),
    "preview": parse(TemplatePreview, send_body(**batch())),
    "payload": payload(customer_id=MARK, parameters={MARK: MARK}, redirect_url=MARK, extend_info=MARK),
    "masked payload": payload(customer_id=MARK, redirect_url=MARK, extend_info=MARK).masked(),
    "claim": claim(payload=MARK.encode()),
    "wallet message": wallet_message(customer_id=MARK, content=MARK, redirect_url=MARK, extend_info=MARK),
    "grant": TokenGrant(User(MARK, "GCASH"), "app", frozenset({SEND_SCOPE}), None),
}


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_neither_token_nor_text_of_a_real_one_is_in_its_repr_or_text(example: object) -> None:
    assert MARK not in repr(example)
    assert MARK not in str(example)
    assert MARK not in f"{[example]}"
