# The page and the HTTP API. Build: docker build -t diffusionseg .   Run: see compose.yaml.
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY src ./src
# PIP_EXTRA_INDEX_URL, given as a build argument, may name an index of wheels for another device, or for none.
ARG PIP_EXTRA_INDEX_URL=""
RUN python -m venv /opt/diffusionseg \
    && /opt/diffusionseg/bin/pip install --no-cache-dir ".[web]"

FROM python:3.12-slim
COPY --from=build /opt/diffusionseg /opt/diffusionseg
ENV PATH=/opt/diffusionseg/bin:$PATH \
    HF_HUB_OFFLINE=1 \
    HF_HOME=/tmp/huggingface \
    MPLCONFIGDIR=/tmp/matplotlib
RUN useradd --create-home --uid 1000 user
USER 1000
WORKDIR /home/user
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:7860/api/health', timeout=4)"]
# A server that others reach asks for DIFFUSIONSEG_TOKEN.
ENTRYPOINT ["diffusionseg"]
CMD ["serve", "--host", "0.0.0.0", "--weights", "mini", "--weights", "student"]
