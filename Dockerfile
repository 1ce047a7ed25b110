# The same steps as scripts/serve: this checkout with the extra `embedded`, then `timecredits serve`.
# tests/test_dockerfile.py keeps them equal, for no container engine runs in CI.

FROM python:3.12-slim AS build
WORKDIR /src
RUN python -m venv /opt/timecredits
COPY pyproject.toml README.md LICENSE ./
COPY ledger ledger
COPY db db
RUN /opt/timecredits/bin/pip install --no-cache-dir ".[embedded]"

FROM python:3.12-slim
RUN useradd --system --uid 10001 --create-home --home-dir /var/lib/timecredits timecredits
COPY --from=build /opt/timecredits /opt/timecredits
ENV PATH=/opt/timecredits/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    LEDGER_DATA=/var/lib/timecredits/data
USER timecredits
WORKDIR /var/lib/timecredits
RUN mkdir data
VOLUME /var/lib/timecredits/data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ.get('LEDGER_PORT', 8000)}/health/ready\", timeout=4)"]
ENTRYPOINT ["timecredits", "serve", "--host", "0.0.0.0"]
