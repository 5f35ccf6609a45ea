# An image that serves one publication from the volume /var/lib/ledgerpress, as a user without privileges.
# docs/how-to/run-in-production.md describes how to run it. It contains no secrets: settings come from the environment.

FROM python:3.13.9-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
WORKDIR /source
RUN python -m venv /opt/ledgerpress
# The pinned dependencies come first: a change of the source does not install them again.
COPY requirements/runtime.txt requirements/
RUN /opt/ledgerpress/bin/pip install --require-hashes --requirement requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /opt/ledgerpress/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
    && /opt/ledgerpress/bin/pip install --no-deps --no-index /dist/*.whl \
    && /opt/ledgerpress/bin/pip uninstall --yes editables hatchling pathspec pluggy trove-classifiers pip

FROM python:3.13.9-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /var/lib/ledgerpress --shell /usr/sbin/nologin ledgerpress \
    && install --directory --owner=ledgerpress --group=ledgerpress --mode=750 /var/lib/ledgerpress
COPY --from=build /opt/ledgerpress /opt/ledgerpress
ENV PATH=/opt/ledgerpress/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LEDGERPRESS_PROFILE=production \
    LEDGERPRESS_HOST=0.0.0.0 \
    LEDGERPRESS_PORT=8000 \
    LEDGERPRESS_DATA=/var/lib/ledgerpress/data \
    LEDGERPRESS_METRICS_PORT=9100
USER 10001:10001
WORKDIR /var/lib/ledgerpress
VOLUME /var/lib/ledgerpress
EXPOSE 8000
STOPSIGNAL SIGTERM
# On the port for operators, which accepts every host name.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9100/health/live', timeout=4)"]
ENTRYPOINT ["ledgerpress"]
CMD ["serve"]
