# One image for every process; which one it is, the command says: web, worker, beat, migrate.
FROM python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/recovery
WORKDIR /build
# Packages first: they change far less often than the project.
COPY constraints.txt ./
RUN /opt/recovery/bin/pip install --quiet --constraint constraints.txt hatchling editables
COPY pyproject.toml README.md LICENSE ./
RUN mkdir -p recovery config \
    && touch recovery/__init__.py \
    && /opt/recovery/bin/pip install --quiet --constraint constraints.txt --no-build-isolation . \
    && /opt/recovery/bin/pip uninstall --quiet --yes recovery
COPY config ./config
COPY recovery ./recovery
RUN /opt/recovery/bin/pip install --quiet --constraint constraints.txt --no-build-isolation --no-deps . \
    && /opt/recovery/bin/python -c "import recovery.runtime.cli"

FROM python:3.12-slim
# Nobody logs in; a fixed number, so that volumes keep their owner.
RUN useradd --system --uid 10001 --home-dir /var/lib/recovery --create-home --shell /usr/sbin/nologin recovery
COPY --from=build /opt/recovery /opt/recovery
ENV PATH=/opt/recovery/bin:$PATH PYTHONUNBUFFERED=1 RECOVERY_WEB_HOST=0.0.0.0 RECOVERY_DATA_DIR=/var/lib/recovery
USER recovery
WORKDIR /var/lib/recovery
EXPOSE 8000
# Web only; worker and beat are judged by their supervisor and by /readyz, which knows how old the last tick is.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=4 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["recovery"]
CMD ["web"]
