FROM python:3.11-slim-bookworm AS build

# pip reads PIP_* itself; unset, it asks its default index. Which build of torch comes out is the index's choice, so
# name one here (a local version such as 2.13.0+cpu) to make sure of it.
ARG TORCH=torch
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL

WORKDIR /src
RUN python -m venv --without-pip /opt/handful

# Without the sources, so that editing them does not install torch again.
COPY pyproject.toml constraints.txt ./
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/handful/bin/python install --constraint constraints.txt "$TORCH" ".[worker]"

COPY . .
RUN --mount=type=cache,target=/root/.cache/pip pip wheel --no-deps --wheel-dir /wheels .


FROM python:3.11-slim-bookworm

# A named user, since torch looks its name up; /tmp, since nothing else may be written and CUDA keeps a cache at home.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin handful

COPY --from=build /opt/handful /opt/handful
# In a layer of its own, so that a new version of the code is a small download.
RUN --mount=type=bind,from=build,source=/wheels,target=/wheels \
    pip --python /opt/handful/bin/python install --no-cache-dir --no-index --no-deps --force-reinstall /wheels/*.whl

# 0.0.0.0 is the container's; who may reach it is for the publisher of its port to say.
ENV PATH=/opt/handful/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MALLOC_MMAP_THRESHOLD_=2000000000 \
    MALLOC_TRIM_THRESHOLD_=4000000000 \
    HANDFUL_HOST=0.0.0.0
# By number, so that Kubernetes' runAsNonRoot can tell.
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
ENTRYPOINT ["handful"]
CMD ["serve"]
