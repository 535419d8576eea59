"""All operations of the API."""

from api_adapter.http.batch_jobs import BATCH_JOBS
from api_adapter.http.batch_sending import BATCH_SENDING
from api_adapter.http.endpoint import Endpoint
from api_adapter.http.linting import LINTING
from api_adapter.http.looking_up import MANY_LOOK_UPS, ONE_LOOK_UP, RECONCILING
from api_adapter.http.pausing import CANCELLING, PAUSING, RESUMING
from api_adapter.http.sending import SENDING
from api_adapter.http.templates import MANY_TEMPLATES, ONE_TEMPLATE, PREVIEW

ENDPOINTS: tuple[Endpoint, ...] = (
    SENDING,
    BATCH_SENDING,
    *BATCH_JOBS,
    ONE_LOOK_UP,
    MANY_LOOK_UPS,
    RECONCILING,
    PAUSING,
    RESUMING,
    CANCELLING,
    LINTING,
    ONE_TEMPLATE,
    MANY_TEMPLATES,
    PREVIEW,
)
