"""Where the operations of the API are called: for the server, and for whoever calls it."""

from typing import Final

_ROOT: Final = "/v2/miniprogram/message/"
SEND: Final = _ROOT + "send"
BATCH_SEND: Final = _ROOT + "batchSend"
INQUIRY: Final = _ROOT + "inquiry"
BATCH_INQUIRY: Final = _ROOT + "batchInquiry"
LINT: Final = _ROOT + "lint"
TEMPLATE: Final = _ROOT + "template"
TEMPLATES: Final = _ROOT + "templates"
TEMPLATE_PREVIEW: Final = _ROOT + "templatePreview"
PAUSE: Final = _ROOT + "pause"
RESUME: Final = _ROOT + "resume"
CANCEL: Final = _ROOT + "cancel"
