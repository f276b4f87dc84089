"""All settings of the service. They are read once, from the environment (`HANDFUL_PORT=9000`)."""

import os
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from service.environment import PREFIX, Environment
from service.socket_paths import MAX_SOCKET_BYTES

ZOO = Path(__file__).parent.parent / "models" / "zoo"
SECRETS = Path("/run/secrets")
"""Where Docker and Kubernetes put secrets. A file `handful_redis_url` there sets HANDFUL_REDIS_URL."""

Tenant = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9A-Fa-f]{64}$", to_lower=True)]


def _short_enough(path: Path) -> Path:
    if (length := len(os.fsencode(path))) > MAX_SOCKET_BYTES:
        raise ValueError(
            f"the path of a socket has {length} bytes; the limit is {MAX_SOCKET_BYTES}. Use a shorter path."
        )
    return path


SocketPath = Annotated[Path, AfterValidator(_short_enough)]


QUOTAS = "handful quotas sets others for single tenants."


class Settings(BaseSettings):
    """All settings. Environment variables have the prefix HANDFUL_. An empty variable counts as unset."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        secrets_dir=SECRETS if SECRETS.is_dir() else None,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Called by pydantic."""
        return init_settings, Environment(settings_cls), file_secret_settings

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    published_host: str | None = Field(
        None,
        description="Address that clients use, if it differs from `host`, as with the published port of a container.",
    )
    api_keys: dict[Tenant, Sha256] = Field(
        {},
        description="SHA-256 (hex) of each tenant's API key, as a JSON object. They are valid beside those of "
        "handful keys create. With neither there is one tenant, which needs no key.",
    )
    auth: Literal["auto", "keys"] = Field(
        "auto",
        description="keys: every request needs an API key, even if there is none yet. auto: the same as soon as "
        "`api_keys` has a key, or one was made by handful keys create.",
    )
    wrong_keys: int = Field(
        20,
        ge=1,
        description="Unknown API keys that an address may send at once; further ones are answered 429, but for one "
        "every two seconds. Known keys are never refused for them.",
    )
    open: bool = Field(
        False,
        description="Accept requests from other machines without a key, because a proxy in front authenticates them. "
        "It does not lift `auth`.",
    )

    quota_clients: int | None = Field(None, ge=0, description="Clients of a tenant. None: no limit. " + QUOTAS)
    quota_examples: int | None = Field(None, ge=0, description="Examples of all clients of a tenant.")
    quota_bytes: int | None = Field(None, ge=0, description="Bytes of the inputs that a tenant stores.")
    quota_requests_per_s: float | None = Field(None, gt=0, description="Requests per second of a tenant.")
    quota_burst: int | None = Field(
        None, ge=1, description="Requests at once of a tenant; by default those of one second."
    )
    quota_device_s_per_min: float | None = Field(
        None, gt=0, description="Seconds of the device per minute of a tenant, over all replicas."
    )
    audit_log: str | None = Field(
        None, description="File for the audit log, in JSON lines, or stdout. None: there is none."
    )
    tenant_metrics: bool = Field(
        False, description="Whether /metrics shows what each tenant uses, by its name. /metrics needs no key."
    )
    tls_cert: Path | None = Field(None, description="File of the TLS certificate chain of the API, in PEM.")
    tls_key: Path | None = Field(None, description="File of its private key, in PEM.")

    models: Path = Field(ZOO, description="Folder of the checkpoints and cards to serve.")
    own_models: Path = Field(
        Path("own-models"),
        description="Folder of your own models, which handful add and handful train write. They are served too.",
    )
    serve: str = Field(
        "*", description="Models to serve: names or patterns, separated by commas, such as texts,glyphs*."
    )
    default_model: str = Field("glyphs", description="Model for an /adapt that names no model.")

    redis_url: str | None = Field(
        None,
        description="redis://, rediss://, unix://, redis+sentinel:// or redis+cluster:// URL, with options of redis-py "
        "after a ?. None: handful serve starts an embedded Valkey with its file in `store_dir`.",
    )
    redis_timeout_s: float = Field(2.0, gt=0, description="Seconds to wait for Redis before answering 503.")
    redis_replicas: int = Field(
        0,
        ge=0,
        description="How many replicas of Redis must have a write before it is acknowledged, so that a failover cannot "
        "lose it.",
    )
    store_dir: Path = Field(Path("data"), description="Folder of the embedded Valkey's append-only file.")
    store_bytes: int = Field(
        2**30,
        ge=2**23,
        description="Memory that the embedded Valkey may use. It evicts states first; when only examples are left, "
        "adapts are refused with 507 `store_full`.",
    )
    state_ttl_s: int = Field(
        7 * 24 * 3600, ge=1, description="Seconds that an unused state stays in Redis. A later predict rebuilds it."
    )
    versions: int = Field(
        10, ge=1, le=1000, description="Versions of each client to keep. An example stays while a kept version has it."
    )
    answer_ttl_s: int = Field(
        24 * 3600, ge=1, description="Seconds to keep the answer to an adapt with an Idempotency-Key."
    )
    answer_bytes: int = Field(
        16 * 2**20, ge=2**16, description="Maximum bytes of such answers per tenant; the oldest are dropped first."
    )

    keep_queries_s: int = Field(
        7 * 24 * 3600,
        ge=0,
        description="Maximum seconds for which a client may have its queries kept, for feedback; 0: none are kept.",
    )
    keep_queries: int = Field(
        1000, ge=1, description="Maximum kept queries of each client; the oldest are dropped first."
    )
    keep_queries_bytes: int = Field(
        16 * 2**20, ge=2**20, description="Maximum bytes of these; the oldest are dropped first."
    )

    replicas: int = Field(
        1, ge=1, description="Replicas that handful serve starts. Each has its own API processes and its own worker."
    )
    api_processes: int = Field(1, ge=1, description="API processes of each replica that handful serve starts.")
    worker_socket: SocketPath = Field(
        Path("/run/handful/worker"),
        description="Unix socket at which handful api reaches the handful worker of its replica. handful serve uses "
        "sockets of its own.",
    )
    stall_s: float = Field(
        600,
        gt=0,
        description="Maximum seconds that a batch may run. A worker that exceeds it counts as stuck and is restarted.",
    )
    worker_metrics_port: int | None = Field(
        None, ge=1, le=65535, description="Port on which handful worker serves Prometheus metrics. None: no metrics."
    )

    device: str = Field(
        "cpu",
        description="Device of the worker: cpu, cuda, cuda:1, ... With several replicas, cuda gives each its own GPU.",
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="Arithmetic of the worker. auto: bfloat16 for encoders whose answers agree in it, on devices that "
        "compute in it natively, and float32 for the rest.",
    )
    state_precision: Literal["float16", "float32"] = Field(
        "float16",
        description="Precision of a classifier's states. float16 stores the differences from the model's own weights.",
    )
    compile: bool = Field(
        False, description="Compile all models with torch.compile at startup. Takes minutes per model."
    )
    threads: int = Field(1, ge=1, description="Torch threads of each of the worker's threads.")
    queue: int = Field(1024, ge=1, description="Maximum jobs that wait in each queue; further ones are answered 429.")
    batch_jobs: int = Field(16, ge=1, description="Maximum jobs of one batch.")
    batch_examples: int = Field(2048, ge=1, description="Maximum examples of one batch.")
    state_cache_bytes: int = Field(
        512 * 2**20, ge=0, description="Maximum bytes of adapted states cached on the device."
    )
    feature_cache_bytes: int = Field(
        64 * 2**20,
        ge=0,
        description="Maximum bytes of features of texts and photos that the worker keeps in memory, so that it encodes "
        "identical inputs of a tenant once; 0 turns this off.",
    )
    feature_cache_s: float = Field(
        300.0, gt=0, description="Seconds that the worker keeps such features after encoding an input."
    )
    max_job_s: float = Field(
        5.0,
        gt=0,
        description="Maximum seconds that one job may take on the device, as estimated; longer jobs are refused.",
    )
    deadline_s: float = Field(
        30.0, gt=0, description="Maximum seconds that a request waits for the device; then it is answered 504."
    )
    export_s: float = Field(
        300.0,
        gt=0,
        description="Maximum seconds of an export to ONNX, waiting included. It runs in a process of its own with low "
        "priority, one at a time; its memory is limited by `max_job_bytes`.",
    )
    max_job_bytes: int = Field(
        2 * 2**30,
        ge=2**20,
        description="Maximum memory that one adapt may take on the device, as estimated; larger jobs are refused.",
    )

    log_format: Literal["console", "json"] = Field("console", description="Form of the log lines on stderr.")
    log_requests: bool = Field(
        False,
        description="Log each answer with its id, route, status and time. Paths, queries and bodies are not logged.",
    )
    tracing: bool = Field(
        False,
        description="Send OpenTelemetry traces of requests to `OTEL_EXPORTER_OTLP_ENDPOINT`. Needs the extra otel.",
    )

    playground: bool = Field(
        True, description="Serve the playground, a page to try the service in a browser, at GET /."
    )
    root_path: Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9._~-]+)*$")] = Field(
        "", description="Path prefix that a proxy serves the API under, such as /handful."
    )
    allowed_hosts: list[str] = Field(
        [],
        description="Names that a `Host` header may have, as a JSON list, besides `host`, loopback names and names "
        "without a dot. Empty: with API keys any name.",
    )
    cors_origins: list[str] = Field(
        [], description="Origins whose pages may call the API, as a JSON list: https://app.example.com, or *."
    )
    receive_timeout_s: float = Field(
        60.0,
        gt=0,
        description="Maximum seconds to receive the head of a request, and as many for its body.",
    )
    write_timeout_s: float = Field(
        30.0,
        gt=0,
        description="Maximum seconds for a client to read 256 KiB of its answer; then the connection is closed.",
    )
    max_body_bytes: int = Field(32 * 2**20, ge=1024, description="Maximum bytes of a request body.")
    max_body_bytes_in_flight: int = Field(
        256 * 2**20,
        ge=1024,
        description="Maximum bytes of bodies and answers that one API process holds; at least twice `max_body_bytes`. "
        "Requests beyond it are answered 503. With several tenants, each may use half.",
    )
    max_answer_bytes: int = Field(16 * 2**20, ge=1024, description="Maximum bytes of an answer.")
    max_examples: int = Field(2000, ge=2, description="Maximum examples of one client.")
    max_ways: int = Field(256, ge=2, description="Maximum classes of one client, even if the model takes more.")
    max_queries: int = Field(1000, ge=1, description="Maximum inputs of one /predict.")
    max_explained: int = Field(20, ge=1, description="Maximum inputs of one /predict with `explain`.")
    decoders: int = Field(2, ge=1, description="Processes that decode image files, for each API process.")
    decode_cpu_s: float = Field(
        5.0, gt=0, description="Maximum seconds of processor time to decode the image files of one request."
    )
    max_image_pixels: int = Field(
        64_000_000,
        ge=784,
        description="Maximum pixels of all images of a request, each padded to a square. Checked before decoding.",
    )

    @model_validator(mode="after")
    def _whole_tls(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("HANDFUL_TLS_CERT and HANDFUL_TLS_KEY belong together: set both or neither")
        return self

    @property
    def several_tenants(self) -> bool:
        """Whether no tenant may use everything that the others need."""
        return self.auth == "keys" or len(self.api_keys) > 1

    def weights(self, model: str) -> Path:
        """The checkpoint of a model, in `models` or else in `own_models`."""
        shipped = self.models / f"{model}.safetensors"
        return shipped if shipped.exists() else self.own_models / shipped.name
