# One image for every part: `serve` (the default), `worker`, `gateway`, and the other commands of `tidings`.
ARG PYTHON_VERSION=3.13

FROM python:${PYTHON_VERSION}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# Dependencies first: they change less often than the code and stay in the layer cache.
COPY requirements.lock requirements-compile.lock ./
RUN apt-get update \
    && apt-get install --yes --no-install-recommends gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/* \
    && python -m venv /opt/tidings \
    && /opt/tidings/bin/pip install --require-hashes --requirement requirements.lock \
    && pip install --require-hashes --requirement requirements.lock --requirement requirements-compile.lock
COPY LICENSE README.md pyproject.toml ./
COPY worker worker
COPY api_adapter api_adapter
# The hot path is compiled: docs/performance.md.
RUN HATCH_BUILD_HOOK_ENABLE_MYPYC=1 pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/tidings/bin/pip install --no-deps --no-index /wheels/*.whl

FROM python:${PYTHON_VERSION}-slim
RUN groupadd --system --gid 10001 tidings \
    && useradd --system --uid 10001 --gid tidings --create-home --home-dir /var/lib/tidings tidings
COPY --from=build /opt/tidings /opt/tidings
ENV PATH=/opt/tidings/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TIDINGS_API_HOST=0.0.0.0 \
    TIDINGS_GATEWAY_HOST=0.0.0.0
# The embedded Valkey, for a container without TIDINGS_REDIS_URL, keeps its data in .tidings here.
WORKDIR /var/lib/tidings
USER 10001:10001
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
ENTRYPOINT ["tidings"]
CMD ["serve"]
